//! A range of one axis.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::pad::{Pad, PadMode};
use crate::shape::Type;
use crate::tensor::Tensor;

/// Keeps positions `start..start + len` of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The axis cut.
    pub axis: usize,
    /// The first position kept.
    pub start: usize,
    /// How many are kept.
    pub len: usize,
}

impl Operation for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        if self.axis >= x.shape.len() || self.start + self.len > x.shape[self.axis] {
            return Err(format!(
                "{}..{} of axis {} of shape {:?}",
                self.start,
                self.start + self.len,
                self.axis,
                x.shape
            ));
        }
        let mut ty = x.clone();
        ty.shape[self.axis] = self.len;
        Ok(vec![ty])
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let total = b.graph.shape(b.inputs[0])[self.axis];
        let after = total - self.start - self.len;
        let dy = b.grad();
        let dx = b.apply(Pad { axis: self.axis, before: self.start, after, mode: PadMode::Zero }, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut shape = inputs[0].shape.clone();
        shape[self.axis] = self.len;
        vec![Tensor::from_fn(shape, |i| {
            let mut from = i.to_vec();
            from[self.axis] += self.start;
            inputs[0].at(&from)
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for (axis, start, len) in [(0, 1, 1), (1, 0, 2), (2, 1, 3)] {
            check(&[&[2, 3, 4]], |g, x| g.apply1(Slice { axis, start, len }, x));
        }
    }
}
