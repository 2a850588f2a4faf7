//! Overlapping windows of the last axis, such as the patches of a series.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Windows of `size` every `step` positions: `[.., length]` to `[.., windows, size]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfold {
    /// Length of a window.
    pub size: usize,
    /// Distance between starts.
    pub step: usize,
}

/// Adds windows back to where [`Unfold`] took them: `[.., windows, size]` to `[.., length]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Distance between starts.
    pub step: usize,
    /// Length of the result.
    pub length: usize,
}

impl Operation for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        if x.shape.is_empty() || self.size == 0 || self.step == 0 || x.last() < self.size {
            return Err(format!("windows of {} every {} of shape {:?}", self.size, self.step, x.shape));
        }
        let mut ty = x.clone();
        let length = ty.shape.pop().expect("not a scalar");
        ty.shape.extend([(length - self.size) / self.step + 1, self.size]);
        Ok(vec![ty])
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let length = b.graph.ty(b.inputs[0]).last();
        let dy = b.grad();
        let dx = b.apply(Fold { step: self.step, length }, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut shape = inputs[0].shape.clone();
        let length = shape.pop().expect("inferred");
        shape.extend([(length - self.size) / self.step + 1, self.size]);
        vec![Tensor::from_fn(shape, |i| {
            let (lead, window) = i.split_at(i.len() - 2);
            inputs[0].at(&[lead, &[window[0] * self.step + window[1]]].concat())
        })]
    }
}

impl Operation for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        let n = x.shape.len();
        if n < 2 || x.shape[n - 2] == 0 || (x.shape[n - 2] - 1) * self.step + x.shape[n - 1] > self.length {
            return Err(format!("windows {:?} every {} into {}", x.shape, self.step, self.length));
        }
        let mut ty = x.clone();
        ty.shape.truncate(n - 2);
        ty.shape.push(self.length);
        Ok(vec![ty])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let size = b.graph.ty(b.inputs[0]).last();
        let windows = b.graph.shape(b.inputs[0])[b.graph.shape(b.inputs[0]).len() - 2];
        let dy = b.grad();
        // Positions past the last window reach nothing.
        let covered = (windows - 1) * self.step + size;
        let axis = b.graph.shape(dy).len() - 1;
        let used = b.apply(super::slice::Slice { axis, start: 0, len: covered }, &[dy])?;
        let dx = b.apply(Unfold { size, step: self.step }, &[used])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let n = inputs[0].shape.len();
        let (windows, size) = (inputs[0].shape[n - 2], inputs[0].shape[n - 1]);
        let mut shape = inputs[0].shape[..n - 2].to_vec();
        shape.push(self.length);
        let mut out = Tensor::full(shape, 0.0);
        for (row, from) in
            out.data.chunks_exact_mut(self.length).zip(inputs[0].data.chunks_exact(windows * size))
        {
            for w in 0..windows {
                for s in 0..size {
                    row[w * self.step + s] += from[w * size + s];
                }
            }
        }
        vec![out]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for (size, step) in [(3, 1), (3, 2), (4, 4), (2, 5)] {
            check(&[&[2, 11]], |g, x| g.apply1(Unfold { size, step }, x));
        }
        check(&[&[2, 3, 4]], |g, x| g.apply1(Fold { step: 2, length: 9 }, x));
    }
}
