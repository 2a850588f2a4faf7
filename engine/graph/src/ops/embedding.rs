//! Rows of a table by index.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// Inputs: a table `[rows, d]` and integer indices `[..]`; output `[.., d]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding;

/// Adds rows of a gradient `[.., d]` to the rows of a table of zeros that indices name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingGrad {
    /// Rows of the table.
    pub rows: usize,
}

impl Operation for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [table, indices] if table.shape.len() == 2 && indices.dtype == DType::I32 => {
                let mut shape = indices.shape.clone();
                shape.push(table.shape[1]);
                Ok(vec![Type::f32(shape)])
            }
            _ => Err(format!("wants a table [rows, d] and integer indices, got {inputs:?}")),
        }
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let rows = b.graph.shape(b.inputs[0])[0];
        let dy = b.grad();
        let dx = b.apply(EmbeddingGrad { rows }, &[dy, b.inputs[1]])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let d = inputs[0].shape[1];
        let row = |&i: &f64| inputs[0].data[i as usize * d..][..d].iter().copied();
        let data = inputs[1].data.iter().flat_map(row).collect();
        let mut shape = inputs[1].shape.clone();
        shape.push(d);
        vec![Tensor::new(shape, data)]
    }
}

impl Operation for EmbeddingGrad {
    fn name(&self) -> &'static str {
        "embedding_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [dy, indices] if indices.dtype == DType::I32 => Ok(vec![Type::f32([self.rows, dy.last()])]),
            _ => Err(format!("wants a gradient [.., d] and integer indices, got {inputs:?}")),
        }
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let d = inputs[0].matrix().1;
        let mut table = Tensor::full([self.rows, d], 0.0);
        for (row, &i) in inputs[0].rows().zip(&inputs[1].data) {
            for (to, from) in table.data[i as usize * d..].iter_mut().zip(row) {
                *to += from;
            }
        }
        vec![table]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check_with_indices;

    #[test]
    fn gradients() {
        check_with_indices(&[&[4, 3]], &[(&[2, 2], &[0, 3, 3, 1])], |g, x, i| {
            g.apply1(Embedding, &[x[0], i[0]])
        });
    }
}
