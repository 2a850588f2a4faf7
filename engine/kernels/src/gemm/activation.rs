//! Activations that a product can apply to its result.

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
    s.max(x, s.splat(0.0))
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

#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.neg(x))))
}

#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let e = exp(s, s.add(x, x));
    s.sub(one, s.div(s.splat(2.0), s.add(e, one)))
}

/// Abramowitz and Stegun 7.1.26.
#[inline(always)]
fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let ax = s.abs(x);
    let t = s.div(one, s.mul_add(s.splat(0.327_591_1), ax, one));
    let mut p = s.splat(1.061_405_4);
    for c in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        p = s.mul_add(p, t, s.splat(c));
    }
    let e = exp(s, s.neg(s.mul(ax, ax)));
    s.copysign(s.neg_mul_add(s.mul(p, t), e, one), x)
}

#[inline(always)]
fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    let x = s.max(s.min(x, s.splat(88.0)), s.splat(-87.0));
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let r = s.neg_mul_add(n, s.splat(0.693_359_4), x);
    let r = s.neg_mul_add(n, s.splat(-2.121_944_4e-4), r);
    let mut p = s.splat(1.987_569_1e-4);
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        p = s.mul_add(p, r, s.splat(c));
    }
    let two_n = s.shl_i::<23>(s.add_i(s.to_int(n), s.splat_i(127)));
    s.mul(p, s.as_float(two_n))
}
