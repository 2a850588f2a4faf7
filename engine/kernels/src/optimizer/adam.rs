//! Adam and AdamW.

use super::check;
use crate::simd::{Kernel, Part, Simd, dispatch, each_vector};

/// Options of [`adam`] and [`adamw`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The size of a step.
    pub learning_rate: f32,
    /// What is kept of the average gradient each step.
    pub beta1: f32,
    /// What is kept of the average squared gradient each step.
    pub beta2: f32,
    /// Added to the denominator.
    pub eps: f32,
    /// L2 penalty added to the gradient (Adam), or the decay of the weights themselves (AdamW).
    pub weight_decay: f32,
}

/// One step of Adam (Kingma and Ba, 2015), `step` counting from 1:
/// g = grad_scale grad + weight_decay p; m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2;
/// p -= learning_rate / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + eps).
pub fn adam(
    options: Adam,
    step: u64,
    grad_scale: f32,
    params: &mut [f32],
    grads: &[f32],
    m: &mut [f32],
    v: &mut [f32],
) {
    check(params, [grads, m, v]);
    assert!(step > 0, "steps of Adam count from 1");
    dispatch(Sweep::<false> { options, step, grad_scale, params, grads, m, v });
}

/// One step of AdamW (Loshchilov and Hutter, 2019): p -= learning_rate weight_decay p, and then
/// [`adam`] without a penalty in the gradient.
pub fn adamw(
    options: Adam,
    step: u64,
    grad_scale: f32,
    params: &mut [f32],
    grads: &[f32],
    m: &mut [f32],
    v: &mut [f32],
) {
    check(params, [grads, m, v]);
    assert!(step > 0, "steps of AdamW count from 1");
    dispatch(Sweep::<true> { options, step, grad_scale, params, grads, m, v });
}

/// `DECOUPLED` is AdamW's decay.
struct Sweep<'a, const DECOUPLED: bool> {
    options: Adam,
    step: u64,
    grad_scale: f32,
    params: &'a mut [f32],
    grads: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl<const DECOUPLED: bool> Kernel for Sweep<'_, DECOUPLED> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Adam { learning_rate, beta1, beta2, eps, weight_decay } = self.options;
        let (rate, beta1, beta2) = (f64::from(learning_rate), f64::from(beta1), f64::from(beta2));
        let steps = self.step as f64;
        let (correction1, correction2) = (1.0 - beta1.powf(steps), 1.0 - beta2.powf(steps));
        let size = s.splat((rate / correction1) as f32);
        let inverse_root = s.splat((1.0 / correction2.sqrt()) as f32);
        let shrink = s.splat((1.0 - rate * f64::from(weight_decay)) as f32);
        let decay = s.splat(weight_decay);
        let new1 = s.splat((1.0 - beta1) as f32);
        let (kept2, new2) = (s.splat(beta2 as f32), s.splat((1.0 - beta2) as f32));
        let eps = s.splat(eps);
        let scale = s.splat(self.grad_scale);

        let n = self.params.len();
        let (p, g) = (self.params.as_mut_ptr(), self.grads.as_ptr());
        let (m, v) = (self.m.as_mut_ptr(), self.v.as_mut_ptr());
        // SAFETY: the entry points checked that all slices have one length.
        unsafe {
            each_vector!(s, n, |i, part| {
                let mut param = part.load(s, p.add(i));
                let mut grad = s.mul(scale, part.load(s, g.add(i)));
                if DECOUPLED {
                    param = s.mul(shrink, param);
                } else {
                    grad = s.mul_add(decay, param, grad);
                }
                let first = part.load(s, m.add(i));
                let first = s.mul_add(new1, s.sub(grad, first), first);
                let second = s.mul(kept2, part.load(s, v.add(i)));
                let second = s.mul_add(s.mul(new2, grad), grad, second);
                part.store(s, m.add(i), first);
                part.store(s, v.add(i), second);
                let bottom = s.mul_add(s.sqrt(second), inverse_root, eps);
                part.store(s, p.add(i), s.neg_mul_add(size, s.div(first, bottom), param));
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
        let options = Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1 };
        for (decoupled, isa) in Isa::available().into_iter().flat_map(|isa| [(false, isa), (true, isa)]) {
            let n = 101;
            let (mut p, mut m, mut v) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
            let (mut exact_p, mut exact_m, mut exact_v) = (vec![1.0f64; n], vec![0.0f64; n], vec![0.0f64; n]);
            for step in 1..8u64 {
                let mut grads = vec![0.0; n];
                fill_normal(Stream { seed: 1, step, site: 0 }, 0, &mut grads);
                let sweep = if decoupled { adamw } else { adam };
                isa.force(|| sweep(options, step, 0.5, &mut p, &grads, &mut m, &mut v));
                let [rate, beta1, beta2, eps, decay] =
                    [options.learning_rate, options.beta1, options.beta2, options.eps, options.weight_decay]
                        .map(f64::from);
                for i in 0..n {
                    let mut g = f64::from(grads[i]) * 0.5;
                    if decoupled {
                        exact_p[i] *= 1.0 - rate * decay;
                    } else {
                        g += decay * exact_p[i];
                    }
                    exact_m[i] = beta1 * exact_m[i] + (1.0 - beta1) * g;
                    exact_v[i] = beta2 * exact_v[i] + (1.0 - beta2) * g * g;
                    let bias1 = 1.0 - beta1.powi(step as i32);
                    let bias2 = 1.0 - beta2.powi(step as i32);
                    exact_p[i] -= rate / bias1 * exact_m[i] / (exact_v[i].sqrt() / bias2.sqrt() + eps);
                    assert!((f64::from(p[i]) - exact_p[i]).abs() < 2e-6, "{isa}: {} {}", p[i], exact_p[i]);
                }
            }
        }
    }

    #[test]
    fn a_first_step_is_the_learning_rate() {
        let options = Adam { learning_rate: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
        let (mut p, mut m, mut v) = ([1.0], [0.0], [0.0]);
        adam(options, 1, 1.0, &mut p, &[1.0], &mut m, &mut v);
        assert!((p[0] - 0.9f32).abs() < 1e-6);
    }
}
