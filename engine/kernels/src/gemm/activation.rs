//! Activations that a product can apply to its result.

use crate::math::{erf, sigmoid, tanh};
use crate::simd::Simd;

/// What is applied to each element of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x
    #[default]
    None,
    /// max(x, 0)
    Relu,
    /// x Φ(x), with the error function
    GeluErf,
    /// x Φ(x), with Φ as a tanh
    GeluTanh,
    /// x sigmoid(x)
    Silu,
    /// tanh(x)
    Tanh,
    /// 1 / (1 + exp(-x))
    Sigmoid,
}

#[inline(always)]
pub(super) fn relu<S: Simd>(s: S, x: S::V) -> S::V {
    // In this order NaN stays NaN.
    s.max(s.splat(0.0), x)
}

#[inline(always)]
pub(super) fn gelu_erf<S: Simd>(s: S, x: S::V) -> S::V {
    let half = s.mul(s.splat(0.5), x);
    s.mul_add(half, erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2))), half)
}

#[inline(always)]
pub(super) fn gelu_tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let cube = s.mul(s.mul(x, x), x);
    let inner = s.mul(s.splat(0.797_884_6), s.mul_add(s.splat(0.044_715), cube, x));
    let half = s.mul(s.splat(0.5), x);
    s.mul_add(half, tanh(s, inner), half)
}

#[inline(always)]
pub(super) fn silu<S: Simd>(s: S, x: S::V) -> S::V {
    s.mul(x, sigmoid(s, x))
}
