//! The error function.

use super::exp::exp_within;
use super::polynomial;
use crate::simd::Simd;

/// erf x to 1.5 ulp over all x.
///
/// Up to 475/512 an odd polynomial x + x P(x^2); above, 1 - e^Q(|x|) with Q fitted to
/// ln(1 - erf) (N. Juffa's method and coefficients).
#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    let size = s.abs(x);
    let square = s.mul(x, x);
    let p = polynomial(
        s,
        square,
        [-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1],
    );
    let near = s.mul_add(p, x, x);

    // 1 - erf is below half an ulp of 1 from 3.92 on; the limit keeps the polynomial falling.
    let t = s.min(s.splat(6.0), size);
    let q = polynomial(
        s,
        t,
        [
            -1.728_534_7e-5,
            3.831_971_3e-4,
            -3.883_964_4e-3,
            2.425_462_2e-2,
            -1.067_778_8e-1,
            -6.348_467e-1,
            -1.287_175_1e-1,
        ],
    );
    let q = s.sub(s.mul(q, t), t);
    let far = s.copysign(s.sub(s.splat(1.0), exp_within(s, q)), x);
    s.select(s.lt(s.splat(0.927_734_4), size), far, near)
}

#[cfg(test)]
mod tests {
    use super::super::accuracy::*;

    #[test]
    fn erf_is_accurate_everywhere() {
        check!("erf", super::erf, libm::erf, f32::MIN..=f32::MAX, 1.5);
    }

    #[test]
    fn erf_of_special_values() {
        special!(
            super::erf,
            [(0.0, 0.0), (-0.0, -0.0), (f32::INFINITY, 1.0), (f32::NEG_INFINITY, -1.0), (f32::NAN, f32::NAN),]
        );
    }
}
