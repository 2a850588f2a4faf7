//! 1-D maximum pooling.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::avg_pool1d::windows;
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// The largest element of every window of the last axis; the first of equals.
///
/// `[.., length]` to `[.., windows]`, with a second output of the same shape that holds where in its
/// row each maximum stood. Padding never wins. With `ceil_mode` a last, shorter window is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool1d {
    /// Length of a window.
    pub kernel: usize,
    /// Distance between starts.
    pub stride: usize,
    /// Positions added on both sides.
    pub padding: usize,
    /// Keep a last window that isn't full.
    pub ceil_mode: bool,
}

/// Sends every gradient to where the maximum stood: inputs positions, dy; output `[.., length]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool1dGrad {
    /// Length of the pooled axis.
    pub length: usize,
}

impl Operation for MaxPool1d {
    fn name(&self) -> &'static str {
        "max_pool1d"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        let count = windows(x.last(), self.kernel, self.stride, self.padding, self.ceil_mode)
            .filter(|_| !x.shape.is_empty())
            .ok_or_else(|| format!("{self:?} of shape {:?}", x.shape))?;
        let mut shape = x.shape.clone();
        *shape.last_mut().expect("not a scalar") = count;
        Ok(vec![Type::f32(shape.clone()), Type { shape, dtype: DType::I32 }])
    }

    fn flops(&self, _: &[Type], outputs: &[Type]) -> f64 {
        (outputs[0].len() * self.kernel) as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let length = b.graph.ty(b.inputs[0]).last();
        let dy = b.grad();
        let dx = b.apply(MaxPool1dGrad { length }, &[b.outputs[1], dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let length = x.matrix().1;
        let count =
            windows(length, self.kernel, self.stride, self.padding, self.ceil_mode).expect("inferred");
        let (mut values, mut positions) = (Vec::new(), Vec::new());
        for row in x.rows() {
            for w in 0..count {
                let start = (w * self.stride).saturating_sub(self.padding);
                let end = (w * self.stride + self.kernel - self.padding.min(w * self.stride + self.kernel))
                    .min(length);
                let best =
                    (start..end).reduce(|a, b| if row[b] > row[a] { b } else { a }).expect("not empty");
                values.push(row[best]);
                positions.push(best as f64);
            }
        }
        let mut shape = x.shape.clone();
        *shape.last_mut().expect("not a scalar") = count;
        vec![Tensor::new(shape.clone(), values), Tensor::new(shape, positions)]
    }
}

impl Operation for MaxPool1dGrad {
    fn name(&self) -> &'static str {
        "max_pool1d_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [_, dy] = inputs else { return Err("wants positions and dy".into()) };
        let mut shape = dy.shape.clone();
        *shape.last_mut().ok_or("dy is a scalar")? = self.length;
        Ok(vec![Type::f32(shape)])
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (positions, dy) = (inputs[0], inputs[1]);
        let mut shape = dy.shape.clone();
        *shape.last_mut().expect("not a scalar") = self.length;
        let mut dx = Tensor::full(shape, 0.0);
        for ((row, p), d) in dx.data.chunks_exact_mut(self.length).zip(positions.rows()).zip(dy.rows()) {
            for (p, d) in p.iter().zip(d) {
                row[*p as usize] += d;
            }
        }
        vec![dx]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for (kernel, stride, padding, ceil_mode) in
            [(2, 2, 0, false), (3, 2, 1, false), (3, 2, 0, true), (4, 4, 0, true)]
        {
            check(&[&[2, 2, 9]], |g, x| g.apply1(MaxPool1d { kernel, stride, padding, ceil_mode }, x));
        }
    }
}
