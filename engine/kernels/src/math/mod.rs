//! Elementary functions over vectors, for the inner loops of activations, softmax and losses.
//!
//! Every function takes and gives one vector, treats lanes independently, gives NaN for NaN, and
//! states a bound on its error in units in the last place (ulp) of the exact result, which leaves a
//! margin over what tests find on a dense sample of its range. The coefficients are minimax fits; the method and its source stand with each.

mod erf;
mod exp;
mod exp2;
mod expm1;
mod log;
mod sigmoid;
mod tanh;
pub(crate) mod trig;

pub use erf::erf;
pub use exp::exp;
pub(crate) use exp::exp_below;
pub(crate) use exp2::{exp2, exp2_each};
pub use expm1::expm1;
pub use log::log;
pub use sigmoid::sigmoid;
pub use tanh::tanh;
pub(crate) use trig::sin_cos;
pub use trig::{cos, sin};

use crate::simd::Simd;

#[cfg(test)]
mod accuracy;

/// c[0] x^(N-1) + ... + c[N-1], by Horner's rule.
#[inline(always)]
pub(crate) fn polynomial<S: Simd, const N: usize>(s: S, x: S::V, c: [f32; N]) -> S::V {
    let mut sum = s.splat(c[0]);
    let mut i = 1;
    while i < N {
        sum = s.mul_add(sum, x, s.splat(c[i]));
        i += 1;
    }
    sum
}

/// x limited to `low ..= high`; NaN stays NaN.
#[inline(always)]
pub(crate) fn clamp<S: Simd>(s: S, x: S::V, low: f32, high: f32) -> S::V {
    // `min` and `max` give their second argument for NaN.
    s.max(s.splat(low), s.min(s.splat(high), x))
}
