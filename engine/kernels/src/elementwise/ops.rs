//! The operations of elementwise programs, as formulas on vectors.

use crate::math::{clamp, exp, exp_below, exp2, polynomial, sigmoid};
use crate::simd::Simd;

/// An operation on one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// x
    Copy,
    /// -x
    Neg,
    /// |x|
    Abs,
    /// -1, 0 or 1; NaN for NaN
    Sign,
    /// e^x
    Exp,
    /// ln x
    Log,
    /// Square root
    Sqrt,
    /// 1 / sqrt(x)
    Rsqrt,
    /// 1 / x
    Recip,
    /// x^2
    Square,
    /// tanh x
    Tanh,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// max(x, 0)
    Relu,
    /// 1 where x > 0, else 0
    Step,
    /// 1 where x is 0, else 0
    Not,
    /// x (1 + erf(x / sqrt 2)) / 2
    GeluErf,
    /// The derivative of `GeluErf`
    GeluErfGrad,
    /// x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), as x sigmoid(2 u)
    GeluTanh,
    /// The derivative of `GeluTanh`
    GeluTanhGrad,
    /// x sigmoid(x)
    Silu,
    /// The derivative of `Silu`
    SiluGrad,
    /// x where x > 0, else e^x - 1
    Elu,
    /// The derivative of `Elu`
    EluGrad,
    /// The error function
    Erf,
    /// sin x
    Sin,
    /// cos x
    Cos,
}

/// An operation on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a b
    Mul,
    /// a / b
    Div,
    /// The smaller; NaN where either is
    Min,
    /// The larger; NaN where either is
    Max,
    /// 1 where a < b, else 0
    Less,
    /// 1 where a >= b, else 0
    GreaterEqual,
}

#[inline(always)]
pub(super) fn sign<S: Simd>(s: S, x: S::V) -> S::V {
    let zero = s.splat(0.0);
    s.select(s.lt(zero, x), s.splat(1.0), s.select(s.lt(x, zero), s.splat(-1.0), x))
}

#[inline(always)]
pub(super) fn truth<S: Simd>(s: S, mask: S::M) -> S::V {
    s.select(mask, s.splat(1.0), s.splat(0.0))
}

/// The normal distribution's share beyond a = min(|x|, 10), and a.
///
/// 2^Q(a), with Q fitted to the logarithm so that a times the share is right to 5e-8 (least largest error by
/// linear programming; rounded to f32). Beyond 5.6 Q falls faster than it should, where the share is below
/// 1e-8 anyway.
#[inline(always)]
fn normal_tail<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let a = s.min(s.splat(10.0), s.abs(x));
    let q = polynomial(
        s,
        a,
        [
            -1.481_414_4e-6,
            2.257_876_3e-5,
            -1.032_694e-4,
            -3.452_106_3e-4,
            7.345_881e-3,
            -5.269_749e-2,
            -4.591_413_4e-1,
            -1.151_112_6,
            -1.0,
        ],
    );
    (exp2(s, q), a)
}

/// (1 + erf(x / sqrt 2)) / 2
#[inline(always)]
fn normal_cdf<S: Simd>(s: S, x: S::V) -> S::V {
    let (tail, _) = normal_tail(s, x);
    s.select(s.lt(x, s.splat(0.0)), tail, s.sub(s.splat(1.0), tail))
}

/// x times [`normal_cdf`], as max(x, 0) less a times the share beyond it: nothing cancels.
#[inline(always)]
pub(crate) fn gelu_erf<S: Simd>(s: S, x: S::V) -> S::V {
    let (tail, a) = normal_tail(s, x);
    s.neg_mul_add(a, tail, s.max(s.splat(0.0), x))
}

#[inline(always)]
pub(super) fn gelu_erf_grad<S: Simd>(s: S, x: S::V) -> S::V {
    // Beyond 20 the derivative is 0 or 1 exactly, and x^2 would overflow at last.
    let x = clamp(s, x, -20.0, 20.0);
    let density = exp_below(s, s.mul(s.mul(x, x), s.splat(-0.5)));
    s.mul_add(s.mul(x, s.splat(0.398_942_3)), density, normal_cdf(s, x))
}

/// 2 sqrt(2 / pi), and its product with the cubic coefficient.
const TANH_SLOPE: f32 = 1.595_769;
const TANH_CUBIC: f32 = 0.071_354_814;

#[inline(always)]
pub(crate) fn gelu_tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let twice = s.mul(x, s.mul_add(s.mul(x, x), s.splat(TANH_CUBIC), s.splat(TANH_SLOPE)));
    s.mul(x, sigmoid(s, twice))
}

#[inline(always)]
pub(super) fn gelu_tanh_grad<S: Simd>(s: S, x: S::V) -> S::V {
    let x = clamp(s, x, -20.0, 20.0); // as in `gelu_erf_grad`
    let square = s.mul(x, x);
    let twice = s.mul(x, s.mul_add(square, s.splat(TANH_CUBIC), s.splat(TANH_SLOPE)));
    let slope = s.mul_add(square, s.splat(3.0 * TANH_CUBIC), s.splat(TANH_SLOPE));
    let g = sigmoid(s, twice);
    let rest = s.mul(s.mul(x, slope), s.sub(s.splat(1.0), g));
    s.mul_add(g, rest, g)
}

#[inline(always)]
pub(crate) fn silu<S: Simd>(s: S, x: S::V) -> S::V {
    s.mul(x, sigmoid(s, x))
}

#[inline(always)]
pub(super) fn silu_grad<S: Simd>(s: S, x: S::V) -> S::V {
    let g = sigmoid(s, x);
    s.mul_add(g, s.mul(x, s.sub(s.splat(1.0), g)), g)
}

#[inline(always)]
pub(super) fn elu<S: Simd>(s: S, x: S::V) -> S::V {
    s.select(s.lt(s.splat(0.0), x), x, crate::math::expm1(s, x))
}

#[inline(always)]
pub(super) fn elu_grad<S: Simd>(s: S, x: S::V) -> S::V {
    s.select(s.lt(s.splat(0.0), x), s.splat(1.0), exp(s, x))
}

#[inline(always)]
pub(super) fn minimum<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
    // `min` gives b for NaN, so only a NaN in a is missed.
    s.select(s.is_nan(a), a, s.min(a, b))
}

#[inline(always)]
pub(super) fn maximum<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
    s.select(s.is_nan(a), a, s.max(a, b))
}

/// Whether x is 0 (of either sign).
#[inline(always)]
pub(super) fn is_zero<S: Simd>(s: S, x: S::V) -> S::M {
    s.le(s.abs(x), s.splat(0.0))
}
