//! Sine and cosine.

use super::{clamp, polynomial};
use crate::simd::Simd;

/// sin x to 1.7 ulp for |x| up to 1e4 (about 6,400 half-periods); beyond that the result stays
/// within -1 ..= 1 but loses its digits. NaN for infinity.
#[inline(always)]
pub fn sin<S: Simd>(s: S, x: S::V) -> S::V {
    let size = s.abs(x);
    let (n, r) = reduce(s, size);
    let value = quadrant(s, n, r);
    // sin(-x) = -sin(x), which keeps -0.
    s.as_float(s.xor_i(s.bits(value), s.and_i(s.bits(x), s.splat_i(i32::MIN))))
}

/// cos x to 1.7 ulp for |x| up to 1e4, as [`sin`].
#[inline(always)]
pub fn cos<S: Simd>(s: S, x: S::V) -> S::V {
    let (n, r) = reduce(s, s.abs(x));
    quadrant(s, s.add_i(n, s.splat_i(1)), r)
}

/// (n, x - n pi/2) for the nearest n.
///
/// pi/2 is subtracted in parts of 11 bits, whose products with n < 2^13 are exact without a fused
/// multiply-add (Cody and Waite). What rounding the third subtraction loses is put back, so that
/// the remainder is good to about half an ulp even next to multiples of pi/2.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::V) -> (S::I, S::V) {
    const PARTS: [f32; 5] = [1.570_312_5, 4.837_513e-4, 7.549_533_6e-8, 2.563_283e-12, 6.123_234e-17];
    let n = s.round(s.mul(x, s.splat(std::f32::consts::FRAC_2_PI)));
    let r = s.neg_mul_add(n, s.splat(PARTS[0]), x);
    let r = s.neg_mul_add(n, s.splat(PARTS[1]), r);
    let third = s.mul(n, s.splat(PARTS[2]));
    let rounded = s.sub(r, third);
    let lost = s.sub(s.sub(r, rounded), third);
    let rest = s.mul_add(n, s.splat(PARTS[4]), s.mul(n, s.splat(PARTS[3])));
    let r = s.add(rounded, s.sub(lost, rest));
    (s.to_int(n), clamp(s, r, -0.8, 0.8))
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

    #[test]
    fn sin_and_cos_are_accurate_to_ten_thousand() {
        check!("sin", super::sin, f64::sin, -1e4..=1e4, 1.7);
        check!("cos", super::cos, f64::cos, -1e4..=1e4, 1.7);
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
