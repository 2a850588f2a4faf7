//! Activations that a product can apply to its result.

use crate::elementwise::ops::{gelu_erf, gelu_tanh, silu};
use crate::math::{sigmoid, tanh};
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

/// An activation as a type: a closure would not be inlined into code for the instruction set, and
/// would then run without it.
pub(super) trait Apply {
    /// The function of every lane.
    fn apply<S: Simd>(s: S, x: S::V) -> S::V;
}

macro_rules! activations {
    ($($name:ident: |$s:ident, $x:ident| $body:expr;)*) => {$(
        pub(super) struct $name;

        impl Apply for $name {
            #[inline(always)]
            fn apply<S: Simd>($s: S, $x: S::V) -> S::V {
                $body
            }
        }
    )*};
}

activations! {
    Identity: |_s, x| x;
    // In this order NaN stays NaN.
    Relu: |s, x| s.max(s.splat(0.0), x);
    GeluErf: |s, x| gelu_erf(s, x);
    GeluTanh: |s, x| gelu_tanh(s, x);
    Silu: |s, x| silu(s, x);
    Tanh: |s, x| tanh(s, x);
    Sigmoid: |s, x| sigmoid(s, x);
}
