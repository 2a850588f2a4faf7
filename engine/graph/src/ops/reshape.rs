//! The same elements under another shape.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Renames the axes of contiguous elements; moves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshape {
    /// The new shape, of as many elements.
    pub shape: Vec<usize>,
}

impl Operation for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if x.len() == self.shape.iter().product() => {
                Ok(vec![Type { shape: self.shape.clone(), dtype: x.dtype }])
            }
            _ => Err(format!("{inputs:?} has not the elements of {:?}", self.shape)),
        }
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let shape = b.graph.shape(b.inputs[0]).to_vec();
        let dy = b.grad();
        let dx = b.apply(Reshape { shape }, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        vec![Tensor::new(self.shape.clone(), inputs[0].data.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[2, 6]], |g, x| g.apply1(Reshape { shape: vec![3, 4] }, x));
    }
}
