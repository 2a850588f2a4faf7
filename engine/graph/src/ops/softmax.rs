//! Softmax and log-softmax over the last axis.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// exp(x - max) / Σ exp(x - max) along the last axis, or its logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// Give the logarithm.
    pub log: bool,
}

/// Gradient of [`Softmax`] from its output `y` and `dy`: y (dy - Σ y dy), or dy - eʸ Σ dy for the
/// logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftmaxGrad {
    /// Of the logarithm.
    pub log: bool,
}

impl Operation for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if !x.shape.is_empty() && x.last() > 0 => Ok(vec![x.clone()]),
            _ => Err(format!("wants one operand with a last axis, got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        20.0 * inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (y, dy) = (b.outputs[0], b.grad());
        let dx = b.apply(SoftmaxGrad { log: self.log }, &[y, dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut data = Vec::with_capacity(inputs[0].data.len());
        for row in inputs[0].rows() {
            let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = row.iter().map(|x| (x - max).exp()).sum();
            data.extend(row.iter().map(|x| match self.log {
                true => x - max - total.ln(),
                false => (x - max).exp() / total,
            }));
        }
        vec![Tensor::new(inputs[0].shape.clone(), data)]
    }
}

impl Operation for SoftmaxGrad {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax_grad" } else { "softmax_grad" }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [y, dy] if y == dy => Ok(vec![y.clone()]),
            _ => Err(format!("wants an output and its gradient, got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        4.0 * inputs[0].len() as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut data = Vec::with_capacity(inputs[0].data.len());
        for (y, dy) in inputs[0].rows().zip(inputs[1].rows()) {
            let dot: f64 = y.iter().zip(dy).map(|(y, dy)| if self.log { *dy } else { y * dy }).sum();
            data.extend(y.iter().zip(dy).map(|(y, dy)| match self.log {
                true => dy - y.exp() * dot,
                false => y * (dy - dot),
            }));
        }
        vec![Tensor::new(inputs[0].shape.clone(), data)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for log in [false, true] {
            check(&[&[3, 5]], |g, x| g.apply1(Softmax { log }, x));
        }
    }
}
