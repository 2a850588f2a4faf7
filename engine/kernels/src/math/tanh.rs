//! The hyperbolic tangent.

use super::exp::exp_within;
use super::polynomial;
use crate::simd::Simd;

/// tanh x to 1.5 ulp; -1 and 1 beyond 9.02.
///
/// Below 0.625 an odd polynomial (coefficients of Cephes `tanhf`), and above it
/// 1 - 2 / (e^(2 |x|) + 1), which loses nothing there.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let z = s.mul(x, x);
    let p = polynomial(s, z, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971e-2, 1.333_144_1e-1, -3.333_328e-1]);
    let near = s.mul_add(s.mul(p, z), x, x);

    let size = s.abs(x);
    let twice = s.min(s.splat(40.0), s.add(size, size)); // NaN stays
    let e = exp_within(s, twice);
    let one = s.splat(1.0);
    let far = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    // The polynomial gives 0 for -0.
    s.copysign(s.select(s.lt(size, s.splat(0.625)), near, far), x)
}

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;

    #[test]
    fn tanh_is_accurate_everywhere() {
        check!("tanh", super::tanh, f64::tanh, f32::MIN..=f32::MAX, 1.5);
    }

    #[test]
    fn tanh_of_special_values() {
        special!(
            super::tanh,
            [
                (0.0, 0.0),
                (-0.0, -0.0),
                (f32::INFINITY, 1.0),
                (f32::NEG_INFINITY, -1.0),
                (f32::NAN, f32::NAN),
                (-f32::NAN, f32::NAN),
            ]
        );
    }
}
