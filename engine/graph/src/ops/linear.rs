//! The product with a weight, and what follows it, in one sweep.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::matmul::MatMul;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::reshape::Reshape;
use crate::ops::unary::Unary;
use crate::shape::Type;
use crate::tensor::Tensor;

/// activation(x·Wᵀ + bias) + residual.
///
/// Inputs: x `[.., k]`, W `[n, k]`, then, as declared, bias `[n]` and residual `[.., n]`. Outputs: the
/// result `[.., n]` and, with an activation, the value before it. Models are built without activation
/// and residual; the `fuse` pass adds them once the graph has been differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// There is a bias.
    pub bias: bool,
    /// Applied to the sum.
    pub activation: Option<Unary>,
    /// Something is added at the end.
    pub residual: bool,
}

impl Linear {
    /// A product with a bias.
    pub const BIASED: Linear = Linear { bias: true, activation: None, residual: false };
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        match (self.activation, self.residual) {
            (None, false) => "linear",
            (Some(_), false) => "linear+activation",
            (None, true) => "linear+residual",
            (Some(_), true) => "linear+activation+residual",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let problem = || format!("wants x [.., k], weight [n, k], bias [n], got {inputs:?}");
        let expected = 2 + usize::from(self.bias) + usize::from(self.residual);
        if inputs.len() != expected || inputs[0].shape.is_empty() || inputs[1].shape.len() != 2 {
            return Err(problem());
        }
        let (n, k) = (inputs[1].shape[0], inputs[1].shape[1]);
        let mut shape = inputs[0].shape.clone();
        *shape.last_mut().expect("not a scalar") = n;
        let bias_fits = !self.bias || inputs[2].shape == [n];
        let residual_fits = !self.residual || inputs[expected - 1].shape == shape;
        if inputs[0].last() != k || !bias_fits || !residual_fits {
            return Err(problem());
        }
        let y = Type::f32(shape);
        Ok(if self.activation.is_some() { vec![y.clone(), y] } else { vec![y] })
    }

    fn flops(&self, inputs: &[Type], outputs: &[Type]) -> f64 {
        2.0 * outputs[0].len() as f64 * inputs[0].last() as f64
            + self.activation.map_or(0.0, |a| a.element_flops() * outputs[0].len() as f64)
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        if self.activation.is_some() || self.residual {
            return Ok(false); // made after differentiation only
        }
        let (x, w, dy) = (b.inputs[0], b.inputs[1], b.grad());
        let flat = |s: &[usize]| vec![s[..s.len() - 1].iter().product(), s[s.len() - 1]];
        let (x_shape, dy_shape) = (b.graph.shape(x).to_vec(), b.graph.shape(dy).to_vec());
        let flat_dy = b.apply(Reshape { shape: flat(&dy_shape) }, &[dy])?;
        if b.needs(0) {
            let dx = b.apply(MatMul { transpose_a: false, transpose_b: false }, &[flat_dy, w])?;
            let dx = b.apply(Reshape { shape: x_shape.clone() }, &[dx])?;
            b.give(0, dx);
        }
        if b.needs(1) {
            let flat_x = b.apply(Reshape { shape: flat(&x_shape) }, &[x])?;
            let dw = b.apply(MatMul { transpose_a: true, transpose_b: false }, &[flat_dy, flat_x])?;
            b.give(1, dw);
        }
        if self.bias && b.needs(2) {
            let db = b.apply(Reduce { reduction: Reduction::Sum, first: 0, last: 1 }, &[flat_dy])?;
            let shape = b.graph.shape(b.inputs[2]).to_vec();
            let db = b.apply(Reshape { shape }, &[db])?;
            b.give(2, db);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (x, w) = (inputs[0], inputs[1]);
        let n = w.shape[0];
        let mut before = Vec::new();
        for row in x.rows() {
            for (j, weights) in w.rows().enumerate() {
                let bias = if self.bias { inputs[2].data[j] } else { 0.0 };
                before.push(row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + bias);
            }
        }
        let mut shape = x.shape.clone();
        *shape.last_mut().expect("not a scalar") = n;
        let before = Tensor::new(shape, before);
        let mut y = self.activation.map_or(before.clone(), |a| before.map(|x| a.eval(x)));
        if self.residual {
            let residual = inputs.last().expect("inferred");
            y.data.iter_mut().zip(&residual.data).for_each(|(y, r)| *y += r);
        }
        if self.activation.is_some() { vec![y, before] } else { vec![y] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[2, 3, 4], &[5, 4], &[5]], |g, x| g.apply1(Linear::BIASED, x));
        check(&[&[3, 4], &[5, 4]], |g, x| g.apply1(Linear { bias: false, ..Linear::BIASED }, x));
    }
}
