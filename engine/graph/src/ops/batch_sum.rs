//! The sum of a value over all micro-batches of a step.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// Adds what every micro-batch holds, in a fixed order, and gives all of them the total.
///
/// The one way by which samples of different micro-batches meet inside a step (batch norm's
/// statistics). It ends a segment of the plan: every micro-batch reaches it before any goes on. Its
/// adjoint is itself. In a graph of a single micro-batch it is the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSum;

impl Operation for BatchSum {
    fn name(&self) -> &'static str {
        "batch_sum"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if x.dtype == DType::F32 => Ok(vec![x.clone()]),
            _ => Err(format!("wants one operand of floats, got {inputs:?}")),
        }
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let dx = b.apply(BatchSum, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        vec![inputs[0].clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[3]], |g, x| g.apply1(BatchSum, x));
    }
}
