//! Repeats a value along axes.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::{Type, broadcast};
use crate::tensor::Tensor;

/// Repeats axes of length 1, and missing leading axes, up to a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastTo {
    /// The shape of the result.
    pub shape: Vec<usize>,
}

impl Operation for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if broadcast(&x.shape, &self.shape).as_ref() == Some(&self.shape) => {
                Ok(vec![Type { shape: self.shape.clone(), dtype: x.dtype }])
            }
            _ => Err(format!("{inputs:?} doesn't broadcast to {:?}", self.shape)),
        }
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let dx = b.unbroadcast(dy, 0)?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        vec![Tensor::from_fn(self.shape.clone(), |i| inputs[0].at(i))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for from in [&[3, 1][..], &[4], &[1, 1], &[2, 1, 4]] {
            check(&[from], |g, x| g.apply1(BroadcastTo { shape: vec![2, 3, 4] }, x));
        }
    }
}
