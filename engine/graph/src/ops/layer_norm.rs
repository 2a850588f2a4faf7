//! Layer normalisation over the last axis (Ba, Kiros & Hinton 2016).

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// (x - mean) / √(variance + eps) · gamma + beta, row by row.
///
/// Inputs x `[.., d]`, gamma `[d]`, beta `[d]`; outputs y, and mean and 1/deviation per row, which
/// the backward pass reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f32,
}

/// Gradient of [`LayerNorm`]: inputs x, gamma, mean, 1/deviation, dy; outputs dx, dgamma, dbeta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerNormGrad;

impl Operation for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x, gamma, beta] if gamma.shape == [x.last()] && beta == gamma => {
                let rows = Type::f32([x.rows()]);
                Ok(vec![x.clone(), rows.clone(), rows])
            }
            _ => Err(format!("wants [.., d], [d], [d], got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        8.0 * inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let given =
            b.graph.apply(LayerNormGrad, &[b.inputs[0], b.inputs[1], b.outputs[1], b.outputs[2], dy])?;
        for (input, grad) in given.into_iter().enumerate() {
            b.give(input, grad);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [x, gamma, beta] = inputs else { unreachable!("inferred") };
        let (rows, d) = x.matrix();
        let (mut y, mut means, mut rstds) = (Vec::new(), Vec::new(), Vec::new());
        for row in x.rows() {
            let mean = row.iter().sum::<f64>() / d as f64;
            let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / d as f64;
            let rstd = 1.0 / (variance + self.eps as f64).sqrt();
            y.extend((0..d).map(|i| (row[i] - mean) * rstd * gamma.data[i] + beta.data[i]));
            means.push(mean);
            rstds.push(rstd);
        }
        vec![Tensor::new(x.shape.clone(), y), Tensor::new([rows], means), Tensor::new([rows], rstds)]
    }
}

impl Operation for LayerNormGrad {
    fn name(&self) -> &'static str {
        "layer_norm_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x, gamma, _, _, dy] if x == dy => Ok(vec![x.clone(), gamma.clone(), gamma.clone()]),
            _ => Err(format!("wants x, gamma, mean, 1/deviation, dy, got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        14.0 * inputs[0].len() as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [x, gamma, mean, rstd, dy] = inputs else { unreachable!("inferred") };
        let (rows, d) = x.matrix();
        let mut dx = Tensor::full(x.shape.clone(), 0.0);
        let (mut dgamma, mut dbeta) = (Tensor::full([d], 0.0), Tensor::full([d], 0.0));
        for r in 0..rows {
            let at = |i: usize| r * d + i;
            let hat = |i: usize| (x.data[at(i)] - mean.data[r]) * rstd.data[r];
            let g = |i: usize| dy.data[at(i)] * gamma.data[i];
            let sum: f64 = (0..d).map(g).sum();
            let dot: f64 = (0..d).map(|i| g(i) * hat(i)).sum();
            for i in 0..d {
                dx.data[at(i)] = rstd.data[r] * (g(i) - sum / d as f64 - hat(i) * dot / d as f64);
                dgamma.data[i] += dy.data[at(i)] * hat(i);
                dbeta.data[i] += dy.data[at(i)];
            }
        }
        vec![dx, dgamma, dbeta]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[3, 2, 5], &[5], &[5]], |g, x| g.apply1(LayerNorm { eps: 1e-5 }, x));
    }
}
