//! Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019).

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// x / √(mean x² + eps) · gamma, row by row. Inputs x `[.., d]`, gamma `[d]`; outputs y and the
/// factor per row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// Added to the mean square.
    pub eps: f32,
}

/// Gradient of [`RmsNorm`]: inputs x, gamma, factor, dy; outputs dx, dgamma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RmsNormGrad;

impl Operation for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x, gamma] if gamma.shape == [x.last()] => Ok(vec![x.clone(), Type::f32([x.rows()])]),
            _ => Err(format!("wants [.., d], [d], got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        4.0 * inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let given = b.graph.apply(RmsNormGrad, &[b.inputs[0], b.inputs[1], b.outputs[1], dy])?;
        for (input, grad) in given.into_iter().enumerate() {
            b.give(input, grad);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [x, gamma] = inputs else { unreachable!("inferred") };
        let (rows, d) = x.matrix();
        let (mut y, mut factors) = (Vec::new(), Vec::new());
        for row in x.rows() {
            let square = row.iter().map(|v| v * v).sum::<f64>() / d as f64;
            let factor = 1.0 / (square + self.eps as f64).sqrt();
            y.extend(row.iter().zip(&gamma.data).map(|(v, g)| v * factor * g));
            factors.push(factor);
        }
        vec![Tensor::new(x.shape.clone(), y), Tensor::new([rows], factors)]
    }
}

impl Operation for RmsNormGrad {
    fn name(&self) -> &'static str {
        "rms_norm_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x, gamma, _, dy] if x == dy => Ok(vec![x.clone(), gamma.clone()]),
            _ => Err(format!("wants x, gamma, factor, dy, got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        8.0 * inputs[0].len() as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [x, gamma, factor, dy] = inputs else { unreachable!("inferred") };
        let (rows, d) = x.matrix();
        let mut dx = Tensor::full(x.shape.clone(), 0.0);
        let mut dgamma = Tensor::full([d], 0.0);
        for r in 0..rows {
            let at = |i: usize| r * d + i;
            let hat = |i: usize| x.data[at(i)] * factor.data[r];
            let g = |i: usize| dy.data[at(i)] * gamma.data[i];
            let dot: f64 = (0..d).map(|i| g(i) * hat(i)).sum();
            for i in 0..d {
                dx.data[at(i)] = factor.data[r] * (g(i) - hat(i) * dot / d as f64);
                dgamma.data[i] += dy.data[at(i)] * hat(i);
            }
        }
        vec![dx, dgamma]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[3, 5], &[5]], |g, x| g.apply1(RmsNorm { eps: 1e-5 }, x));
    }
}
