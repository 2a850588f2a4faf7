//! The exponential less one.

use super::exp::LN_2;
use super::{clamp, polynomial};
use crate::simd::Simd;

/// e^x - 1 to 1.2 ulp, for small x as well; infinity above 88.72.
///
/// With n = round(x / ln 2) and r = x - n ln 2, e^x - 1 = 2^n (e^r - 1) + (2^n - 1), halved so that
/// n = 128 stays in range. n = 1 loses bits to cancellation that way, and is formed as 2 (e^r - 1/2)
/// instead (N. Juffa's method).
#[inline(always)]
pub fn expm1<S: Simd>(s: S, x: S::V) -> S::V {
    let small = s.lt(s.abs(x), s.splat(1e-20));
    let limited = clamp(s, x, -20.0, 89.0);
    let n = s.round(s.mul(limited, s.splat(std::f32::consts::LOG2_E)));
    let r = s.neg_mul_add(n, s.splat(LN_2.0), limited);
    let r = s.neg_mul_add(n, s.splat(LN_2.1), r);
    let p = polynomial(
        s,
        r,
        [1.973_509_8e-4, 1.393_090_7e-3, 8.333_44e-3, 4.166_680_2e-2, 1.666_667_2e-1, 4.999_999_7e-1],
    );
    let n = s.to_int(n);
    let is_one = s.eq_i(n, s.splat_i(1));
    let half = s.splat(0.5);
    // e^r - 1, or e^r - 1/2 where n is 1
    let v = s.mul_add(p, s.mul(r, r), s.select(is_one, s.add(r, half), r));
    let power = s.as_float(s.shl_i::<23>(s.add_i(n, s.splat_i(126)))); // 2^n / 2
    let y = s.sub(power, half);
    let lost = s.sub(s.sub(power, y), half);
    let sum = s.add(s.mul_add(v, power, lost), y);
    let result = s.add(sum, sum);
    let result = s.select(is_one, s.add(v, v), result);
    let result = s.select(s.eq_i(n, s.splat_i(0)), v, result);
    // Keeps -0, and subnormals, whose multiples of 2^n - 1 = 0 would be rounded.
    s.select(small, x, result)
}

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;

    #[test]
    fn expm1_is_accurate_over_its_whole_range() {
        check!("expm1", super::expm1, f64::exp_m1, -110.0..=100.0, 1.2);
    }

    #[test]
    fn expm1_of_special_values() {
        special!(
            super::expm1,
            [
                (0.0, 0.0),
                (f32::INFINITY, f32::INFINITY),
                (f32::NEG_INFINITY, -1.0),
                (f32::NAN, f32::NAN),
                (88.8, f32::INFINITY),
                (-30.0, -1.0),
                (1e-40, 1e-40),
            ]
        );
    }
}
