//! Sum, mean and maximum over axes.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::binary::Binary;
use crate::ops::broadcast_to::BroadcastTo;
use crate::ops::reshape::Reshape;
use crate::ops::unary::Unary;
use crate::shape::Type;
use crate::tensor::Tensor;

/// How a [`Reduce`] combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The largest; equal largest elements share the gradient.
    Max,
}

/// Reduces the neighbouring axes `first..last` to one of length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// How elements are combined.
    pub reduction: Reduction,
    /// The first axis reduced.
    pub first: usize,
    /// One past the last axis reduced.
    pub last: usize,
}

impl Reduce {
    /// The input seen as [outer, reduced, inner].
    pub fn sizes(&self, shape: &[usize]) -> (usize, usize, usize) {
        let product = |s: &[usize]| s.iter().product();
        (product(&shape[..self.first]), product(&shape[self.first..self.last]), product(&shape[self.last..]))
    }
}

impl Operation for Reduce {
    fn name(&self) -> &'static str {
        match self.reduction {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "max_over",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        if self.first > self.last || self.last > x.shape.len() {
            return Err(format!("axes {}..{} of shape {:?}", self.first, self.last, x.shape));
        }
        if x.shape[self.first..self.last].contains(&0) && self.reduction != Reduction::Sum {
            return Err(format!("nothing to reduce in shape {:?}", x.shape));
        }
        let mut shape = x.shape.clone();
        shape[self.first..self.last].fill(1);
        Ok(vec![Type::f32(shape)])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (x, y, dy) = (b.inputs[0], b.outputs[0], b.grad());
        let shape = b.graph.shape(x).to_vec();
        let dx = match self.reduction {
            Reduction::Sum => b.apply(BroadcastTo { shape }, &[dy])?,
            Reduction::Mean => {
                let scaled = b.graph.scale(dy, 1.0 / self.sizes(&shape).1 as f32)?;
                b.apply(BroadcastTo { shape }, &[scaled])?
            }
            Reduction::Max => {
                // 1 where x reaches the maximum, shared among those that do.
                let below = b.apply(Binary::Less, &[x, y])?;
                let one = b.graph.scalar(1.0);
                let reaches = b.apply(Binary::Sub, &[one, below])?;
                let count = b.apply(Reduce { reduction: Reduction::Sum, ..*self }, &[reaches])?;
                let share = b.apply(Unary::Recip, &[count])?;
                let each = b.apply(Binary::Mul, &[dy, share])?;
                b.apply(Binary::Mul, &[reaches, each])?
            }
        };
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let (outer, reduced, inner) = self.sizes(&x.shape);
        let mut data = Vec::with_capacity(outer * inner);
        for o in 0..outer {
            for i in 0..inner {
                let elements = (0..reduced).map(|r| x.data[(o * reduced + r) * inner + i]);
                data.push(match self.reduction {
                    Reduction::Sum => elements.sum(),
                    Reduction::Mean => elements.sum::<f64>() / reduced as f64,
                    Reduction::Max => elements.fold(f64::NEG_INFINITY, f64::max),
                });
            }
        }
        let mut shape = x.shape.clone();
        shape[self.first..self.last].fill(1);
        vec![Tensor::new(shape, data)]
    }
}

/// Sums or drops axes until the shape is `target`, to which the value once was broadcast.
pub(crate) fn sum_to(
    graph: &mut crate::Graph,
    mut value: crate::ValueId,
    target: &[usize],
) -> Result<crate::ValueId, GraphError> {
    let shape = graph.shape(value).to_vec();
    let skip = shape.len() - target.len();
    let was_broadcast = |axis: usize| axis < skip || (target[axis - skip] == 1 && shape[axis] != 1);
    let mut axis = 0;
    while axis < shape.len() {
        let first = axis;
        while axis < shape.len() && was_broadcast(axis) {
            axis += 1;
        }
        if axis > first {
            value = graph.apply1(Reduce { reduction: Reduction::Sum, first, last: axis }, &[value])?;
        }
        axis += 1;
    }
    if graph.shape(value) != target {
        value = graph.apply1(Reshape { shape: target.to_vec() }, &[value])?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
            for (first, last) in [(0, 1), (1, 2), (1, 3), (0, 3), (2, 3)] {
                check(&[&[2, 3, 4]], |g, x| g.apply1(Reduce { reduction, first, last }, x));
            }
        }
    }
}
