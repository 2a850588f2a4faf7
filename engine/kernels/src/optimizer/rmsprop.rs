//! RMSprop.

use super::check;
use crate::simd::{Kernel, Part, Simd, dispatch, each_vector};

/// Options of [`rmsprop`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// The size of a step.
    pub learning_rate: f32,
    /// What is kept of the average squared gradient each step.
    pub alpha: f32,
    /// Added to the root.
    pub eps: f32,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f32,
    /// What is kept of the step's average; 0 for none, and then `average` may be empty.
    pub momentum: f32,
    /// Whether to divide by the deviation about the average gradient instead of the root mean
    /// square; if not, `mean` may be empty.
    pub centered: bool,
}

/// One step of RMSprop (Hinton, 2012; PyTorch's form):
/// g = grad_scale grad + weight_decay p; q = alpha q + (1 - alpha) g^2; centred:
/// a += (1 - alpha) (g - a) and r = sqrt(q - a^2), else r = sqrt(q);
/// b = momentum b + g / (r + eps); p -= learning_rate b.
/// `squares` is q, `mean` a and `average` b; all start as 0.
pub fn rmsprop(
    options: RmsProp,
    grad_scale: f32,
    params: &mut [f32],
    grads: &[f32],
    squares: &mut [f32],
    mean: &mut [f32],
    average: &mut [f32],
) {
    check(params, [grads, squares]);
    if options.centered {
        check(params, [mean]);
    }
    if options.momentum != 0.0 {
        check(params, [average]);
    }
    dispatch(Sweep { options, grad_scale, params, grads, squares, mean, average });
}

struct Sweep<'a> {
    options: RmsProp,
    grad_scale: f32,
    params: &'a mut [f32],
    grads: &'a [f32],
    squares: &'a mut [f32],
    mean: &'a mut [f32],
    average: &'a mut [f32],
}

impl Kernel for Sweep<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let RmsProp { learning_rate, alpha, eps, weight_decay, momentum, centered } = self.options;
        let rate = s.splat(learning_rate);
        let (kept, new) = (s.splat(alpha), s.splat((1.0 - f64::from(alpha)) as f32));
        let (eps, decay, momentum_v) = (s.splat(eps), s.splat(weight_decay), s.splat(momentum));
        let scale = s.splat(self.grad_scale);

        let n = self.params.len();
        let (p, g) = (self.params.as_mut_ptr(), self.grads.as_ptr());
        let q = self.squares.as_mut_ptr();
        let (a, b) = (self.mean.as_mut_ptr(), self.average.as_mut_ptr());
        // SAFETY: `rmsprop` checked that the slices in use have one length.
        unsafe {
            each_vector!(s, n, |i, part| {
                let param = part.load(s, p.add(i));
                let grad = s.mul_add(decay, param, s.mul(scale, part.load(s, g.add(i))));
                let square = s.mul_add(s.mul(new, grad), grad, s.mul(kept, part.load(s, q.add(i))));
                part.store(s, q.add(i), square);
                let mut variance = square;
                if centered {
                    let mean = part.load(s, a.add(i));
                    let mean = s.mul_add(new, s.sub(grad, mean), mean);
                    part.store(s, a.add(i), mean);
                    // Rounding may leave less than 0 where the gradient is constant.
                    variance = s.max(s.splat(0.0), s.neg_mul_add(mean, mean, square));
                }
                let mut step = s.div(grad, s.add(s.sqrt(variance), eps));
                if momentum != 0.0 {
                    step = s.mul_add(momentum_v, part.load(s, b.add(i)), step);
                    part.store(s, b.add(i), step);
                }
                part.store(s, p.add(i), s.neg_mul_add(rate, step, param));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::random::{Stream, fill_normal};

    #[test]
    fn steps_match_f64() {
        let plain = RmsProp {
            learning_rate: 0.01,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.1,
            momentum: 0.0,
            centered: false,
        };
        let cases = [
            plain,
            RmsProp { momentum: 0.9, ..plain },
            RmsProp { centered: true, ..plain },
            RmsProp { momentum: 0.5, centered: true, weight_decay: 0.0, ..plain },
        ];
        for (options, isa) in cases.iter().flat_map(|&c| Isa::available().into_iter().map(move |i| (c, i))) {
            let n = 101;
            let mut p = vec![1.0; n];
            let [mut q, mut a, mut b] = [0; 3].map(|_| vec![0.0; n]);
            let mut exact = vec![(1.0f64, 0.0f64, 0.0f64, 0.0f64); n];
            for step in 0..6 {
                let mut grads = vec![0.0; n];
                fill_normal(Stream { seed: 1, step, site: 0 }, 0, &mut grads);
                isa.force(|| rmsprop(options, 0.5, &mut p, &grads, &mut q, &mut a, &mut b));
                let alpha = f64::from(options.alpha);
                for (i, (exact_p, q, a, b)) in exact.iter_mut().enumerate() {
                    let g = f64::from(grads[i]) * 0.5 + f64::from(options.weight_decay) * *exact_p;
                    *q = alpha * *q + (1.0 - alpha) * g * g;
                    *a = alpha * *a + (1.0 - alpha) * g;
                    let variance = if options.centered { *q - *a * *a } else { *q };
                    let direction = g / (variance.sqrt() + f64::from(options.eps));
                    *b = f64::from(options.momentum) * *b + direction;
                    *exact_p -= f64::from(options.learning_rate) * *b;
                    assert!(
                        (f64::from(p[i]) - *exact_p).abs() < 1e-5,
                        "{isa} {options:?}: {} {exact_p}",
                        p[i]
                    );
                }
            }
        }
    }
}
