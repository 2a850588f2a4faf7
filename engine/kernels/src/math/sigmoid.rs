//! The logistic function.

use super::exp_below;
use crate::simd::Simd;

/// 1 / (1 + e^-x) to 1.9 ulp, with gradual underflow below -87.33.
///
/// e^-|x| never overflows, and is the numerator where x is negative. What rounding the denominator
/// lost is taken off the quotient.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let e = exp_below(s, s.neg(s.abs(x)));
    let one = s.splat(1.0);
    let top = s.select(s.lt(x, s.splat(0.0)), e, one);
    let bottom = s.add(one, e);
    let lost = s.sub(e, s.sub(bottom, one));
    let quotient = s.div(top, bottom);
    s.neg_mul_add(quotient, lost, quotient)
}

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;

    #[test]
    fn sigmoid_is_accurate_everywhere() {
        check!("sigmoid", super::sigmoid, |x: f64| 1.0 / (1.0 + (-x).exp()), f32::MIN..=f32::MAX, 1.9);
    }

    #[test]
    fn sigmoid_of_special_values() {
        special!(
            super::sigmoid,
            [(0.0, 0.5), (f32::INFINITY, 1.0), (f32::NEG_INFINITY, 0.0), (f32::NAN, f32::NAN)]
        );
    }
}
