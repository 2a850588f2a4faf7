//! Powers of 2.

use crate::simd::Simd;

/// 2^x to about 2 ulp for x up to 127, 0 below -150, exact for whole x; NaN stays NaN.
///
/// The polynomial is the one of its degree and with 2^0 = 1 whose largest relative error on
/// -1/2 ..= 1/2 is least: 9.1e-8.
#[inline(always)]
pub(crate) fn exp2<S: Simd>(s: S, x: S::V) -> S::V {
    let [y] = exp2_each(s, [x]);
    y
}

/// [`exp2`] of each, step by step side by side: one after the other, their long chains would fill
/// the processor's queues with work that waits.
#[inline(always)]
pub(crate) fn exp2_each<S: Simd, const N: usize>(s: S, mut x: [S::V; N]) -> [S::V; N] {
    #[expect(clippy::approx_constant, reason = "near ln 2, but not it")]
    const POLYNOMIAL: [f32; 5] = [9.671_513e-3, 5.550_733_6e-2, 2.402_224_2e-1, 6.931_47e-1, 1.0];
    let mut whole = x;
    for (x, whole) in x.iter_mut().zip(&mut whole) {
        // In this order NaN stays NaN.
        *x = s.max(s.splat(-150.0), *x);
        *whole = s.round(*x);
    }
    for (x, whole) in x.iter_mut().zip(&whole) {
        *x = s.sub(*x, *whole);
    }
    let mut sum = [s.splat(1.326_472_1e-3); N];
    for c in POLYNOMIAL {
        for (sum, x) in sum.iter_mut().zip(&x) {
            *sum = s.mul_add(*sum, *x, s.splat(c));
        }
    }
    for (sum, whole) in sum.iter_mut().zip(&whole) {
        *sum = s.scale(*sum, *whole);
    }
    sum
}
