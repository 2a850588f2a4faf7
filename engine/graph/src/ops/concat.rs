//! Joins values along one axis.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::slice::Slice;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Operands one after the other along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    /// The axis along which they are joined.
    pub axis: usize,
}

impl Operation for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let first = inputs.first().ok_or("wants at least one operand")?;
        if self.axis >= first.shape.len() {
            return Err(format!("axis {} of shape {:?}", self.axis, first.shape));
        }
        let mut ty = first.clone();
        ty.shape[self.axis] = 0;
        for x in inputs {
            let same = x.shape.len() == ty.shape.len()
                && (0..ty.shape.len()).all(|a| a == self.axis || x.shape[a] == ty.shape[a]);
            if !same || x.dtype != ty.dtype {
                return Err(format!("{x:?} beside {first:?} along axis {}", self.axis));
            }
            ty.shape[self.axis] += x.shape[self.axis];
        }
        Ok(vec![ty])
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let mut start = 0;
        for input in 0..b.inputs.len() {
            let len = b.graph.shape(b.inputs[input])[self.axis];
            if b.needs(input) {
                let dx = b.apply(Slice { axis: self.axis, start, len }, &[dy])?;
                b.give(input, dx);
            }
            start += len;
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut shape = inputs[0].shape.clone();
        shape[self.axis] = inputs.iter().map(|x| x.shape[self.axis]).sum();
        vec![Tensor::from_fn(shape, |i| {
            let mut from = i.to_vec();
            for x in inputs {
                match from[self.axis].checked_sub(x.shape[self.axis]) {
                    Some(rest) => from[self.axis] = rest,
                    None => return x.at(&from),
                }
            }
            unreachable!("the index lies in one of the operands")
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[2, 3], &[1, 3], &[2, 3]], |g, x| g.apply1(Concat { axis: 0 }, x));
        check(&[&[2, 3], &[2, 1]], |g, x| g.apply1(Concat { axis: 1 }, x));
    }
}
