//! Mean and variance of every channel over all micro-batches of a step.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::batch_sum::BatchSum;
use crate::ops::binary::Binary;
use crate::ops::reshape::Reshape;
use crate::shape::Type;
use crate::tensor::Tensor;

/// x `[rows, channels]` or `[rows, channels, length]` to the mean and the (biased) variance of every
/// channel, `[channels]` each, over the whole batch.
///
/// Every micro-batch takes its own mean and its squared distances from it; these are joined as Chan,
/// Golub & LeVeque (1983) do, so that nothing is lost where the mean is large. Like [`BatchSum`], it
/// ends a segment of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMoments {
    /// Values of a channel in the whole batch.
    pub count: usize,
}

impl BatchMoments {
    /// x as `[outer, channels, inner]`.
    pub fn sizes(shape: &[usize]) -> (usize, usize, usize) {
        (shape[0], shape[1], shape[2..].iter().product())
    }
}

impl Operation for BatchMoments {
    fn name(&self) -> &'static str {
        "batch_moments"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if (2..=3).contains(&x.shape.len()) && self.count > 0 => Ok(vec![Type::f32([x.shape[1]]); 2]),
            _ => Err(format!("moments of {} values of {inputs:?}", self.count)),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        4.0 * inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (x, mean) = (b.inputs[0], b.outputs[0]);
        let mut per_channel = vec![1; b.graph.shape(x).len()];
        per_channel[1] = b.graph.shape(mean)[0];
        let shape = b.graph.shape(x).to_vec();
        let mut terms = Vec::new();
        for (output, factor) in [(0, 1.0), (1, 2.0)] {
            let Some(grad) = b.output_grads[output] else { continue };
            let total = b.apply(BatchSum, &[grad])?;
            let each = b.graph.scale(total, factor / self.count as f32)?;
            terms.push((output, b.apply(Reshape { shape: per_channel.clone() }, &[each])?));
        }
        let mut dx = None;
        for (output, term) in terms {
            let part = match output {
                0 => b.graph.broadcast_to(term, &shape)?,
                _ => {
                    let mean = b.apply(Reshape { shape: per_channel.clone() }, &[mean])?;
                    let distance = b.apply(Binary::Sub, &[x, mean])?;
                    b.apply(Binary::Mul, &[distance, term])?
                }
            };
            dx = Some(match dx {
                None => part,
                Some(sum) => b.apply(Binary::Add, &[sum, part])?,
            });
        }
        if let Some(dx) = dx {
            b.give(0, dx);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let (outer, channels, inner) = BatchMoments::sizes(&x.shape);
        let each = |channel: usize, f: &dyn Fn(f64) -> f64| -> f64 {
            let values = (0..outer * inner).map(|i| (i / inner * channels + channel) * inner + i % inner);
            values.map(|at| f(x.data[at])).sum::<f64>() / (outer * inner) as f64
        };
        let mean: Vec<f64> = (0..channels).map(|c| each(c, &|v| v)).collect();
        let variance = (0..channels).map(|c| each(c, &|v| (v - mean[c]).powi(2))).collect();
        vec![Tensor::new([channels], mean), Tensor::new([channels], variance)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for output in [0, 1] {
            check(&[&[4, 3]], |g, x| Ok(g.apply(BatchMoments { count: 4 }, x)?[output]));
            check(&[&[2, 3, 5]], |g, x| Ok(g.apply(BatchMoments { count: 10 }, x)?[output]));
        }
        check(&[&[4, 3]], |g, x| {
            let both = g.apply(BatchMoments { count: 4 }, x)?;
            g.mul(both[0], both[1])
        });
    }
}
