//! Cross-entropy of logits against class labels.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// Σ over rows of -Σ_c q_c log softmax(x)_c, where q is 1 - s on the label and s/classes everywhere
/// (Szegedy et al. 2016). Inputs: logits `[.., classes]`, labels `[..]` as integers; rows with a
/// negative label count for nothing. Outputs: the sum, a scalar, and every row's log Σ eˣ, which the backward
/// pass reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// s, the share spread over all classes.
    pub smoothing: f32,
}

/// Gradient of [`CrossEntropy`]: inputs logits, labels, log-sum-exp, gradient of the sum; output
/// dlogits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropyGrad {
    /// s, the share spread over all classes.
    pub smoothing: f32,
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + row.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

fn target(smoothing: f32, label: f64, class: usize, classes: usize) -> f64 {
    let s = smoothing as f64;
    s / classes as f64 + if label as usize == class { 1.0 - s } else { 0.0 }
}

impl Operation for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x, labels]
                if labels.dtype == DType::I32
                    && !x.shape.is_empty()
                    && x.shape[..x.shape.len() - 1] == labels.shape =>
            {
                Ok(vec![Type::f32([]), Type::f32(labels.shape.clone())])
            }
            _ => Err(format!("wants logits [.., classes] and integer labels [..], got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        20.0 * inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let grad = CrossEntropyGrad { smoothing: self.smoothing };
        let dx = b.apply(grad, &[b.inputs[0], b.inputs[1], b.outputs[1], dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let classes = inputs[0].matrix().1;
        let mut sum = 0.0;
        for (row, &label) in inputs[0].rows().zip(&inputs[1].data) {
            if label >= 0.0 {
                let lse = log_sum_exp(row);
                sum -= (0..classes)
                    .map(|c| target(self.smoothing, label, c, classes) * (row[c] - lse))
                    .sum::<f64>();
            }
        }
        let lse = inputs[0].rows().map(log_sum_exp).collect();
        vec![Tensor::full([], sum), Tensor::new(inputs[1].shape.clone(), lse)]
    }
}

impl Operation for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x, _, _, dy] if dy.shape.is_empty() => Ok(vec![x.clone()]),
            _ => Err(format!("wants logits, labels, log-sum-exp, a scalar, got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        20.0 * inputs[0].len() as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let classes = inputs[0].matrix().1;
        let dy = inputs[3].data[0];
        let mut data = Vec::with_capacity(inputs[0].data.len());
        for ((row, &label), &lse) in inputs[0].rows().zip(&inputs[1].data).zip(&inputs[2].data) {
            data.extend((0..classes).map(|c| match label >= 0.0 {
                true => dy * ((row[c] - lse).exp() - target(self.smoothing, label, c, classes)),
                false => 0.0,
            }));
        }
        vec![Tensor::new(inputs[0].shape.clone(), data)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check_with_indices;

    #[test]
    fn gradients() {
        for smoothing in [0.0, 0.1] {
            check_with_indices(&[&[4, 3]], &[(&[4], &[0, 2, -100, 1])], |g, x, labels| {
                g.apply1(CrossEntropy { smoothing }, &[x[0], labels[0]])
            });
        }
    }
}
