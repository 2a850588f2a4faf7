//! Sine and cosine.

use super::{clamp, polynomial};
use crate::simd::Simd;

/// Added to a number below 2^22, this leaves the nearest whole number in the last bits.
const WHOLE: f32 = 12_582_912.0;

/// sin x to 1.7 ulp (2 where a multiply-add rounds twice) for |x| up to 1e4 (about 3,200 half-periods);
/// beyond that the result stays within -1 ..= 1 but loses its digits. NaN for infinity.
#[inline(always)]
pub fn sin<S: Simd>(s: S, x: S::V) -> S::V {
    // |x| = q pi + r, so that sin |x| = (-1)^q sin r.
    let size = s.abs(x);
    let shifted = s.mul_add(size, s.splat(std::f32::consts::FRAC_1_PI), s.splat(WHOLE));
    let q = s.sub(shifted, s.splat(WHOLE));
    let value = half_wave(s, shifted, remainder(s, size, s.add(q, q)));
    // sin(-x) = -sin(x), which keeps -0.
    s.as_float(s.xor_i(s.bits(value), s.and_i(s.bits(x), s.splat_i(i32::MIN))))
}

/// cos x, as [`sin`].
#[inline(always)]
pub fn cos<S: Simd>(s: S, x: S::V) -> S::V {
    // |x| + pi/2 = q pi + r, so that cos |x| = (-1)^q sin r.
    let size = s.abs(x);
    let near = s.mul_add(size, s.splat(std::f32::consts::FRAC_1_PI), s.splat(0.5));
    let shifted = s.add(near, s.splat(WHOLE));
    let q = s.sub(shifted, s.splat(WHOLE));
    half_wave(s, shifted, remainder(s, size, s.sub(s.add(q, q), s.splat(1.0))))
}

/// sin x and cos x at once, each to 2e-7 (absolute; 2.4e-7 where a multiply-add rounds twice) for |x| up
/// to 1e4; beyond that both stay within about -1 ..= 1 but lose their digits. NaN for infinity. Half the work of [`sin`] and [`cos`], which are
/// right to the last place of small results too.
///
/// With n = round(x / pi) and r = x - n pi, both are those of r with the sign of (-1)^n. The polynomials are
/// those of their degrees with the least absolute error on -pi/2 ..= pi/2, 1e-8 and 5.3e-8; rounding the
/// remainder and the last sum adds up to 6e-8 each.
#[inline(always)]
pub(crate) fn sin_cos<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let shifted = s.mul_add(x, s.splat(std::f32::consts::FRAC_1_PI), s.splat(WHOLE));
    let n = s.sub(shifted, s.splat(WHOLE));
    let r = if S::FUSED {
        // The first is exact: n pi, rounded to 24 bits, has no bit below that of the remainder.
        let r = s.neg_mul_add(n, s.splat(std::f32::consts::PI), x);
        s.neg_mul_add(n, s.splat(-8.742_278e-8), r)
    } else {
        let mut r = x;
        for part in &HALF_PI[..4] {
            r = s.neg_mul_add(n, s.splat(2.0 * part), r);
        }
        r
    };
    let r = clamp(s, r, -1.6, 1.6);
    let z = s.mul(r, r);
    let p = polynomial(s, z, [2.604_872_9e-6, -1.980_983_2e-4, 8.333_083e-3, -1.666_666_1e-1]);
    let sine = s.mul_add(p, s.mul(r, z), r);
    let cosine = polynomial(s, z, [2.319_126_9e-5, -1.385_579_8e-3, 4.166_397_5e-2, -4.999_993e-1, 1.0]);
    let sign = s.shl_i::<31>(s.bits(shifted));
    (s.as_float(s.xor_i(s.bits(sine), sign)), s.as_float(s.xor_i(s.bits(cosine), sign)))
}

/// pi/2 in parts of 11 bits.
const HALF_PI: [f32; 5] = [1.570_312_5, 4.837_513e-4, 7.549_533_6e-8, 2.563_283e-12, 6.123_234e-17];

/// x - n pi/2, good to about half an ulp even next to multiples of pi/2, for whole numbers |n| < 2^13.
///
/// The first two multiples of three parts are subtracted without an error where one rounding does for both a
/// product and a difference. Elsewhere the parts have 11 bits, whose products are exact (Cody and Waite), and
/// what rounding the third subtraction loses is put back.
#[inline(always)]
fn remainder<S: Simd>(s: S, x: S::V, n: S::V) -> S::V {
    if S::FUSED {
        let r = s.neg_mul_add(n, s.splat(std::f32::consts::FRAC_PI_2), x);
        let r = s.neg_mul_add(n, s.splat(-4.371_139e-8), r);
        s.neg_mul_add(n, s.splat(-1.715_124_5e-15), r)
    } else {
        let r = s.neg_mul_add(n, s.splat(HALF_PI[0]), x);
        let r = s.neg_mul_add(n, s.splat(HALF_PI[1]), r);
        let third = s.mul(n, s.splat(HALF_PI[2]));
        let rounded = s.sub(r, third);
        let lost = s.sub(s.sub(r, rounded), third);
        let rest = s.mul_add(n, s.splat(HALF_PI[4]), s.mul(n, s.splat(HALF_PI[3])));
        s.add(rounded, s.sub(lost, rest))
    }
}

/// (-1)^q sin r for |r| up to pi/2, with q in the last bits of `shifted`.
///
/// The polynomial is that of its degree with the least relative error, 6e-9, moved by a few ulps to where
/// rounding adds least to it. What is left of a large number may be anything: the limits are for that, too.
#[inline(always)]
fn half_wave<S: Simd>(s: S, shifted: S::V, r: S::V) -> S::V {
    let z = s.mul(r, r);
    let p = polynomial(s, z, [2.604_023_8e-6, -1.980_885_3e-4, 8.333_052_5e-3, -1.666_665_8e-1]);
    let sine = clamp(s, s.mul_add(p, s.mul(r, z), r), -1.0, 1.0);
    let sign = s.shl_i::<31>(s.bits(shifted));
    s.as_float(s.xor_i(s.bits(sine), sign))
}

/// sin(n pi/2 + r) for |r| up to pi/4 (coefficients of Cephes `sinf`).
#[inline(always)]
pub(crate) fn quadrant<S: Simd>(s: S, n: S::I, r: S::V) -> S::V {
    let z = s.mul(r, r);
    let p = polynomial(s, z, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]);
    let sine = s.mul_add(s.mul(p, z), r, r);
    let p = polynomial(s, z, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]);
    let cosine = s.mul_add(s.mul(p, z), z, s.neg_mul_add(s.splat(0.5), z, s.splat(1.0)));
    let even = s.eq_i(s.and_i(n, s.splat_i(1)), s.splat_i(0));
    let value = s.select(even, sine, cosine);
    let sign = s.shl_i::<30>(s.and_i(n, s.splat_i(2)));
    s.as_float(s.xor_i(s.bits(value), sign))
}

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;
    use crate::simd::Simd;

    #[inline(always)]
    fn sine<S: Simd>(s: S, x: S::V) -> S::V {
        super::sin_cos(s, x).0
    }

    #[inline(always)]
    fn cosine<S: Simd>(s: S, x: S::V) -> S::V {
        super::sin_cos(s, x).1
    }

    #[test]
    fn sine_and_cosine_at_once_are_accurate_to_ten_thousand() {
        // By bits, and evenly: most floats are small.
        let even = (0..2_000_000).map(|i| (i as f32 - 1e6) * 1e-2 + 1e-3);
        let x: Vec<f32> = every(2_003, -1e4..=1e4).chain(even).collect();
        for isa in crate::Isa::available() {
            let values = isa.force(|| [map!(sine, &x), map!(cosine, &x)]);
            for (values, exact) in values.iter().zip([f64::sin, f64::cos]) {
                let error = |i: usize| (f64::from(values[i]) - exact(f64::from(x[i]))).abs();
                let worst = (0..x.len()).max_by(|&a, &b| error(a).total_cmp(&error(b))).expect("some");
                println!("{isa}: {:e} at {:e}", error(worst), x[worst]);
                let bound = if isa == crate::Isa::Portable { 2.4e-7 } else { 2e-7 };
                assert!(error(worst) <= bound, "{isa}: off by {:e} at {:e}", error(worst), x[worst]);
            }
        }
    }

    #[test]
    fn sine_and_cosine_at_once_stay_bounded_beyond() {
        let x: Vec<f32> = every(10_007, 1e4..=f32::MAX).collect();
        for isa in crate::Isa::available() {
            let values = isa.force(|| [map!(sine, &x), map!(cosine, &x)]);
            for y in values.iter().flatten() {
                assert!(y.abs() <= 1.001, "{isa}: {y}");
            }
        }
        special!(sine, [(0.0, 0.0), (f32::INFINITY, f32::NAN), (f32::NAN, f32::NAN)]);
        special!(cosine, [(0.0, 1.0), (-0.0, 1.0), (f32::NEG_INFINITY, f32::NAN), (f32::NAN, f32::NAN)]);
    }

    #[test]
    fn sin_and_cos_are_accurate_to_ten_thousand() {
        // Where a multiply-add rounds twice, the last sum does.
        check!("sin", super::sin, f64::sin, -1e4..=1e4, 1.7, 2.0);
        check!("cos", super::cos, f64::cos, -1e4..=1e4, 1.7, 2.0);
    }

    #[test]
    fn sin_and_cos_stay_bounded_beyond() {
        let x: Vec<f32> = every(10_007, 1e4..=f32::MAX).collect();
        for isa in crate::Isa::available() {
            let values = isa.force(|| [map!(super::sin, &x), map!(super::cos, &x)]);
            for y in values.iter().flatten() {
                assert!(y.abs() <= 1.0, "{isa}: {y}");
            }
        }
    }

    #[test]
    fn sin_and_cos_of_special_values() {
        special!(
            super::sin,
            [(0.0, 0.0), (-0.0, -0.0), (f32::INFINITY, f32::NAN), (f32::NAN, f32::NAN), (-1e-40, -1e-40)]
        );
        special!(super::cos, [(0.0, 1.0), (-0.0, 1.0), (f32::NEG_INFINITY, f32::NAN), (f32::NAN, f32::NAN)]);
    }
}
