//! The exponential.

use super::{clamp, polynomial};
use crate::simd::Simd;

/// ln 2 in two parts; the first has 9 significant bits, so whole multiples of it are exact.
pub(super) const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// e^x to 1.1 ulp: infinity above 88.72, gradual underflow below -87.33, 0 below -103.98.
///
/// With n = round(x / ln 2), e^x = 2^n e^(x - n ln 2); the remainder is within ln 2 / 2 of 0, where
/// a polynomial of degree 7 serves (the reduction and coefficients of Cephes `expf`).
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    exp_within(s, clamp(s, x, -104.5, 89.0))
}

/// [`exp`] for x up to 89, which saves limiting it above.
#[inline(always)]
pub(crate) fn exp_below<S: Simd>(s: S, x: S::V) -> S::V {
    exp_within(s, s.max(s.splat(-104.5), x))
}

/// [`exp`] for x in -104.5 ..= 89, and NaN.
#[inline(always)]
pub(super) fn exp_within<S: Simd>(s: S, x: S::V) -> S::V {
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let exact = s.neg_mul_add(n, s.splat(LN_2.0), x);
    let r = s.neg_mul_add(n, s.splat(LN_2.1), exact);
    let p = polynomial(
        s,
        r,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 5e-1],
    );
    let p = if S::FUSED {
        s.mul_add(p, s.mul(r, r), r)
    } else {
        // Each sum rounds once more here, so what rounding the remainder lost is put back.
        let lost = s.neg_mul_add(n, s.splat(LN_2.1), s.sub(exact, r));
        s.add(s.mul_add(p, s.mul(r, r), lost), r)
    };
    s.scale(s.add(p, s.splat(1.0)), n)
}

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;

    #[test]
    fn exp_is_accurate_over_its_whole_range() {
        check!("exp", super::exp, f64::exp, -110.0..=100.0, 1.1);
    }

    #[test]
    fn exp_of_special_values() {
        special!(
            super::exp,
            [
                (0.0, 1.0),
                (-0.0, 1.0),
                (f32::INFINITY, f32::INFINITY),
                (f32::NEG_INFINITY, 0.0),
                (f32::NAN, f32::NAN),
                (f32::MAX, f32::INFINITY),
                (f32::MIN, 0.0),
                (88.8, f32::INFINITY),
                (-104.0, 0.0),
            ]
        );
    }
}
