//! Lengthens one axis.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::binary::Binary;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::slice::Slice;
use crate::shape::Type;
use crate::tensor::Tensor;

/// What new positions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PadMode {
    /// Zeros.
    Zero,
    /// The nearest element of the axis.
    Replicate,
}

/// Adds positions before and after an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pad {
    /// The axis lengthened.
    pub axis: usize,
    /// Positions added before.
    pub before: usize,
    /// Positions added after.
    pub after: usize,
    /// What they hold.
    pub mode: PadMode,
}

impl Operation for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        if self.axis >= x.shape.len() || (self.mode == PadMode::Replicate && x.shape[self.axis] == 0) {
            return Err(format!("axis {} of shape {:?}", self.axis, x.shape));
        }
        let mut ty = x.clone();
        ty.shape[self.axis] += self.before + self.after;
        Ok(vec![ty])
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (axis, dy) = (self.axis, b.grad());
        let len = b.graph.shape(b.inputs[0])[axis];
        let mut dx = b.apply(Slice { axis, start: self.before, len }, &[dy])?;
        if self.mode == PadMode::Replicate {
            // What the copies of the edge received goes back to the edge.
            for (start, count, edge) in [(0, self.before, 0), (self.before + len, self.after, len - 1)] {
                if count > 0 {
                    let part = b.apply(Slice { axis, start, len: count }, &[dy])?;
                    let sum = Reduce { reduction: Reduction::Sum, first: axis, last: axis + 1 };
                    let total = b.apply(sum, &[part])?;
                    let at_edge = Pad { axis, before: edge, after: len - 1 - edge, mode: PadMode::Zero };
                    let spread = b.apply(at_edge, &[total])?;
                    dx = b.apply(Binary::Add, &[dx, spread])?;
                }
            }
        }
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let len = x.shape[self.axis];
        let mut shape = x.shape.clone();
        shape[self.axis] += self.before + self.after;
        vec![Tensor::from_fn(shape, |i| {
            let position = i[self.axis] as isize - self.before as isize;
            let inside = position.clamp(0, len as isize - 1);
            if inside != position && self.mode == PadMode::Zero {
                return 0.0;
            }
            let mut from = i.to_vec();
            from[self.axis] = inside as usize;
            x.at(&from)
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for mode in [PadMode::Zero, PadMode::Replicate] {
            for (axis, before, after) in [(0, 1, 0), (1, 2, 3), (2, 0, 2)] {
                check(&[&[2, 3, 4]], |g, x| g.apply1(Pad { axis, before, after, mode }, x));
            }
        }
    }
}
