//! Condition ? a : b, element by element, with NumPy's broadcasting.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::{Type, broadcast};
use crate::tensor::Tensor;

/// `inputs[1]` where `inputs[0]` is not zero, else `inputs[2]`. The condition has no gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Select;

impl Operation for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [c, a, b] = inputs else { return Err("wants a condition and two operands".into()) };
        broadcast(&c.shape, &a.shape)
            .and_then(|s| broadcast(&s, &b.shape))
            .map(|s| vec![Type::f32(s)])
            .ok_or_else(|| format!("shapes {:?}, {:?}, {:?} don't broadcast", c.shape, a.shape, b.shape))
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (condition, dy) = (b.inputs[0], b.grad());
        let zero = b.graph.scalar(0.0);
        for (input, order) in [(1, [condition, dy, zero]), (2, [condition, zero, dy])] {
            if b.needs(input) {
                let grad = b.apply(Select, &order)?;
                let grad = b.unbroadcast(grad, input)?;
                b.give(input, grad);
            }
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let shape =
            broadcast(&inputs[0].shape, &inputs[1].shape).and_then(|s| broadcast(&s, &inputs[2].shape));
        let pick = |i: &[usize]| if inputs[0].at(i) != 0.0 { inputs[1].at(i) } else { inputs[2].at(i) };
        vec![Tensor::from_fn(shape.expect("inferred"), pick)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[3, 4], &[4], &[3, 1]], |g, x| {
            let condition = g.constant(&[3, 4], [1., 0., 0., 1., 0., 1., 1., 0., 1., 1., 0., 0.].as_slice());
            let picked = g.apply1(Select, &[condition, x[1], x[2]])?;
            g.add(picked, x[0])
        });
    }
}
