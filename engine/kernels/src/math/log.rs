//! The natural logarithm.

use super::exp::LN_2;
use super::polynomial;
use crate::simd::Simd;

/// ln x to 1 ulp, subnormals included: -infinity at 0, NaN below.
///
/// x = m 2^e with m in [sqrt(1/2), sqrt(2)), and ln m = t - t^2 / 2 + t^3 P(t) for t = m - 1
/// (coefficients of Cephes `logf`).
#[inline(always)]
pub fn log<S: Simd>(s: S, x: S::V) -> S::V {
    let subnormal = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let y = s.select(subnormal, s.mul(x, s.splat(8_388_608.0)), x);
    let offset = s.select(subnormal, s.splat(23.0), s.splat(0.0));

    // Subtracting the bits of sqrt(1/2) makes the exponent change there and not at 1.
    let shifted = s.sub_i(s.bits(y), s.splat_i(SQRT_HALF));
    let exponent = s.sar_i::<23>(shifted);
    let mantissa = s.add_i(s.and_i(shifted, s.splat_i(0x007f_ffff)), s.splat_i(SQRT_HALF));
    let e = s.sub(s.to_float(exponent), offset);
    let t = s.sub(s.as_float(mantissa), s.splat(1.0));

    let p = polynomial(
        s,
        t,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_4e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let t2 = s.mul(t, t);
    let tail = s.mul(s.mul(p, t2), t);
    let tail = s.mul_add(e, s.splat(LN_2.1), tail);
    let tail = s.neg_mul_add(s.splat(0.5), t2, tail);
    let result = s.mul_add(e, s.splat(LN_2.0), s.add(t, tail));

    // 0, negatives, infinity and NaN: 0 gives -infinity, infinity itself, the others NaN.
    let below = s.le(x, s.splat(0.0));
    let at_zero = s.le(s.abs(x), s.splat(0.0));
    let edge = s.select(at_zero, s.splat(f32::NEG_INFINITY), s.splat(f32::NAN));
    let result = s.select(below, edge, result);
    // x < infinity fails for infinity and NaN, which are their own logarithms.
    s.select(s.lt(x, s.splat(f32::INFINITY)), result, x)
}

/// The bits of sqrt(1/2).
const SQRT_HALF: i32 = 0x3f35_04f3;

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;

    #[test]
    fn log_is_accurate_over_its_whole_range() {
        check!("log", super::log, f64::ln, 0.0..=f32::MAX, 1.0);
    }

    #[test]
    fn log_of_special_values() {
        special!(
            super::log,
            [
                (1.0, 0.0),
                (0.0, f32::NEG_INFINITY),
                (-0.0, f32::NEG_INFINITY),
                (f32::INFINITY, f32::INFINITY),
                (f32::NEG_INFINITY, f32::NAN),
                (-1.0, f32::NAN),
                (-1e-40, f32::NAN),
                (f32::NAN, f32::NAN),
            ]
        );
    }
}
