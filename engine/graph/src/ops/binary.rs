//! Functions of two operands, element by element, with NumPy's broadcasting.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::select::Select;
use crate::ops::unary::Unary;
use crate::shape::{DType, Type, broadcast};
use crate::tensor::Tensor;

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a b
    Mul,
    /// a / b
    Div,
    /// The smaller; at a tie the gradient goes to b.
    Min,
    /// The larger; at a tie the gradient goes to b.
    Max,
    /// 1 where a < b, else 0
    Less,
}

impl Binary {
    /// The function in f64.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Min => a.min(b),
            Binary::Max => a.max(b),
            Binary::Less => f64::from(a < b),
        }
    }
}

impl Operation for Binary {
    fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Min => "min",
            Binary::Max => "max",
            Binary::Less => "less",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [a, b] if a.dtype == DType::F32 && b.dtype == DType::F32 => broadcast(&a.shape, &b.shape)
                .map(|shape| vec![Type::f32(shape)])
                .ok_or_else(|| format!("shapes {:?} and {:?} don't broadcast", a.shape, b.shape)),
            _ => Err(format!("wants two operands of floats, got {inputs:?}")),
        }
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (x, y, out, dout) = (b.inputs[0], b.inputs[1], b.outputs[0], b.grad());
        let zero = b.graph.scalar(0.0);
        for input in [0, 1] {
            if !b.needs(input) {
                continue;
            }
            let grad = match (self, input) {
                (Binary::Add, _) | (Binary::Sub, 0) => dout,
                (Binary::Sub, _) => b.apply(Unary::Neg, &[dout])?,
                (Binary::Mul, 0) => b.apply(Binary::Mul, &[dout, y])?,
                (Binary::Mul, _) => b.apply(Binary::Mul, &[dout, x])?,
                (Binary::Div, 0) => b.apply(Binary::Div, &[dout, y])?,
                (Binary::Div, _) => {
                    let scaled = b.apply(Binary::Mul, &[dout, out])?;
                    let ratio = b.apply(Binary::Div, &[scaled, y])?;
                    b.apply(Unary::Neg, &[ratio])?
                }
                (Binary::Min | Binary::Max, _) => {
                    let first = match self {
                        Binary::Min => b.apply(Binary::Less, &[x, y])?,
                        _ => b.apply(Binary::Less, &[y, x])?,
                    };
                    let order = if input == 0 { [first, dout, zero] } else { [first, zero, dout] };
                    b.apply(Select, &order)?
                }
                (Binary::Less, _) => b.apply(Binary::Mul, &[dout, zero])?,
            };
            let grad = b.unbroadcast(grad, input)?;
            b.give(input, grad);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let shape = broadcast(&inputs[0].shape, &inputs[1].shape).expect("inferred");
        vec![Tensor::from_fn(shape, |i| self.eval(inputs[0].at(i), inputs[1].at(i)))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients_with_every_kind_of_broadcast() {
        let shapes: [[&[usize]; 2]; 5] =
            [[&[3, 4], &[3, 4]], [&[3, 4], &[4]], [&[3, 4], &[3, 1]], [&[2, 3, 4], &[3, 1]], [&[3, 4], &[]]];
        for op in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Min, Binary::Max] {
            for [a, b] in shapes {
                check(&[a, b], |g, x| g.apply1(op, &[x[0], x[1]]));
                check(&[b, a], |g, x| g.apply1(op, &[x[0], x[1]]));
            }
        }
        for [a, b] in shapes {
            check(&[a, b], |g, x| {
                let positive = g.apply1(Unary::Exp, &[x[1]])?;
                g.apply1(Binary::Div, &[x[0], positive])
            });
        }
    }
}
