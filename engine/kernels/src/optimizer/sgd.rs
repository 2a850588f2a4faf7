//! Stochastic gradient descent with momentum.

use super::check;
use crate::simd::{Kernel, Part, Simd, dispatch, each_vector};

/// Options of [`sgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The step along the (averaged) gradient.
    pub learning_rate: f32,
    /// What is kept of the average each step; 0 for none, and then no state is needed.
    pub momentum: f32,
    /// How much less than 1 the gradient counts in the average.
    pub dampening: f32,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f32,
    /// Whether to look ahead along the average (Sutskever et al., 2013).
    pub nesterov: bool,
}

/// g = grad_scale grad + weight_decay p; b = momentum b + (1 - dampening) g, or b = g at the first
/// step; p -= learning_rate b, or learning_rate (g + momentum b) for Nesterov, or learning_rate g
/// without momentum, where `average` (b) may be empty.
pub fn sgd(
    options: Sgd,
    first_step: bool,
    grad_scale: f32,
    params: &mut [f32],
    grads: &[f32],
    average: &mut [f32],
) {
    check(params, [grads]);
    if options.momentum != 0.0 {
        check(params, [average]);
    }
    dispatch(Sweep { options, first_step, grad_scale, params, grads, average });
}

struct Sweep<'a> {
    options: Sgd,
    first_step: bool,
    grad_scale: f32,
    params: &'a mut [f32],
    grads: &'a [f32],
    average: &'a mut [f32],
}

impl Kernel for Sweep<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Sgd { learning_rate, momentum, dampening, weight_decay, nesterov } = self.options;
        let n = self.params.len();
        let (p, g, b) = (self.params.as_mut_ptr(), self.grads.as_ptr(), self.average.as_mut_ptr());
        let rate = s.splat(learning_rate);
        let decay = s.splat(weight_decay);
        let scale = s.splat(self.grad_scale);
        // The average starts as the gradient itself, whatever the state holds.
        let (kept, new) = if self.first_step { (0.0, 1.0) } else { (momentum, 1.0 - dampening) };
        let (kept, new, ahead) = (s.splat(kept), s.splat(new), s.splat(momentum));
        // SAFETY: `sgd` checked that the slices in use have one length.
        unsafe {
            if momentum == 0.0 {
                each_vector!(s, n, |i, part| {
                    let old = part.load(s, p.add(i));
                    let grad = s.mul_add(decay, old, s.mul(scale, part.load(s, g.add(i))));
                    part.store(s, p.add(i), s.neg_mul_add(rate, grad, old));
                });
                return;
            }
            each_vector!(s, n, |i, part| {
                let old = part.load(s, p.add(i));
                let grad = s.mul_add(decay, old, s.mul(scale, part.load(s, g.add(i))));
                let fresh = s.mul(new, grad);
                let average =
                    if self.first_step { fresh } else { s.mul_add(kept, part.load(s, b.add(i)), fresh) };
                part.store(s, b.add(i), average);
                let step = if nesterov { s.mul_add(ahead, average, grad) } else { average };
                part.store(s, p.add(i), s.neg_mul_add(rate, step, old));
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
        let plain =
            Sgd { learning_rate: 0.1, momentum: 0.0, dampening: 0.0, weight_decay: 0.01, nesterov: false };
        let cases = [
            plain,
            Sgd { momentum: 0.9, ..plain },
            Sgd { momentum: 0.9, dampening: 0.3, weight_decay: 0.0, ..plain },
            Sgd { momentum: 0.8, nesterov: true, ..plain },
        ];
        for (options, isa) in cases.iter().flat_map(|&c| Isa::available().into_iter().map(move |i| (c, i))) {
            let n = 101;
            let mut p = vec![1.0; n];
            let mut b = vec![f32::NAN; n]; // the first step must not read it
            let (mut exact_p, mut exact_b) = (vec![1.0f64; n], vec![0.0f64; n]);
            for step in 0..5 {
                let mut grads = vec![0.0; n];
                fill_normal(Stream { seed: 1, step, site: 0 }, 0, &mut grads);
                isa.force(|| sgd(options, step == 0, 0.5, &mut p, &grads, &mut b));
                for i in 0..n {
                    let momentum = f64::from(options.momentum);
                    let g = f64::from(grads[i]) * 0.5 + f64::from(options.weight_decay) * exact_p[i];
                    exact_b[i] = if step == 0 {
                        g
                    } else {
                        momentum * exact_b[i] + (1.0 - f64::from(options.dampening)) * g
                    };
                    let direction = match (options.momentum == 0.0, options.nesterov) {
                        (true, _) => g,
                        (_, true) => g + momentum * exact_b[i],
                        _ => exact_b[i],
                    };
                    exact_p[i] -= f64::from(options.learning_rate) * direction;
                    assert!((f64::from(p[i]) - exact_p[i]).abs() < 2e-6, "{isa} {options:?}");
                }
            }
        }
    }
}
