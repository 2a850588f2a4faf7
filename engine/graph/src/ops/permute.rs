//! Reorders axes.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Axis `i` of the result is axis `axes[i]` of the operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permute {
    /// The operand's axes in their new order.
    pub axes: Vec<usize>,
}

impl Operation for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..x.shape.len()) {
            return Err(format!("axes {:?} don't reorder shape {:?}", self.axes, x.shape));
        }
        Ok(vec![Type { shape: self.axes.iter().map(|&a| x.shape[a]).collect(), dtype: x.dtype }])
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let mut axes = vec![0; self.axes.len()];
        for (i, &a) in self.axes.iter().enumerate() {
            axes[a] = i;
        }
        let dy = b.grad();
        let dx = b.apply(Permute { axes }, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let shape: Vec<usize> = self.axes.iter().map(|&a| inputs[0].shape[a]).collect();
        vec![Tensor::from_fn(shape, |i| {
            let mut from = vec![0; i.len()];
            for (position, &axis) in self.axes.iter().enumerate() {
                from[axis] = i[position];
            }
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
        for axes in [vec![0, 2, 1], vec![2, 0, 1], vec![2, 1, 0]] {
            check(&[&[2, 3, 4]], |g, x| g.apply1(Permute { axes: axes.clone() }, x));
        }
    }
}
