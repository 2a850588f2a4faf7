//! 1-D convolution (cross-correlation, as neural networks define it).

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::reshape::Reshape;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Inputs: x `[batch, channels, length]`, weight `[out, channels / groups, kernel]` and, if `bias`,
/// `[out]`; output `[batch, out, (length + 2 padding - dilation (kernel - 1) - 1) / stride + 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1d {
    /// Distance between neighbouring outputs.
    pub stride: usize,
    /// Zeros added on both sides.
    pub padding: usize,
    /// Distance between neighbouring taps.
    pub dilation: usize,
    /// Channels are split into this many independent groups.
    pub groups: usize,
    /// There is a bias.
    pub bias: bool,
}

/// Gradient of [`Conv1d`] by x: inputs weight, dy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1dInputGrad {
    /// The convolution differentiated.
    pub conv: Conv1d,
    /// Length of x.
    pub length: usize,
}

/// Gradient of [`Conv1d`] by its weight: inputs x, dy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1dWeightGrad {
    /// The convolution differentiated.
    pub conv: Conv1d,
    /// Taps of the kernel.
    pub kernel: usize,
}

impl Conv1d {
    /// Length of the output for a length and a kernel, if there is any.
    pub fn output_length(&self, length: usize, kernel: usize) -> Option<usize> {
        let span = self.dilation * (kernel.checked_sub(1)?) + 1;
        Some((length + 2 * self.padding).checked_sub(span)? / self.stride.max(1) + 1)
    }

    /// Calls `f(y position, x position, weight position)` for every product of the convolution.
    fn each_product(&self, x: &[usize], w: &[usize], mut f: impl FnMut(usize, usize, usize)) {
        let (batch, channels, length) = (x[0], x[1], x[2]);
        let (out, group_channels, kernel) = (w[0], w[1], w[2]);
        let out_length = self.output_length(length, kernel).expect("inferred");
        for b in 0..batch {
            for o in 0..out {
                let group = o / (out / self.groups);
                for t in 0..out_length {
                    for c in 0..group_channels {
                        for k in 0..kernel {
                            let from = (t * self.stride + k * self.dilation).wrapping_sub(self.padding);
                            if from < length {
                                f(
                                    (b * out + o) * out_length + t,
                                    (b * channels + group * group_channels + c) * length + from,
                                    (o * group_channels + c) * kernel + k,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Operation for Conv1d {
    fn name(&self) -> &'static str {
        "conv1d"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let problem = || format!("{self:?} of {inputs:?}");
        if inputs.len() != 2 + usize::from(self.bias)
            || self.stride == 0
            || self.dilation == 0
            || self.groups == 0
        {
            return Err(problem());
        }
        let (x, w) = (&inputs[0].shape, &inputs[1].shape);
        let fits = x.len() == 3
            && w.len() == 3
            && x[1] == w[1] * self.groups
            && w[0] % self.groups == 0
            && (!self.bias || inputs[2].shape == [w[0]]);
        if !fits {
            return Err(problem());
        }
        let length = self.output_length(x[2], w[2]).ok_or_else(problem)?;
        Ok(vec![Type::f32([x[0], w[0], length])])
    }

    fn flops(&self, inputs: &[Type], outputs: &[Type]) -> f64 {
        let w = &inputs[1].shape;
        2.0 * outputs[0].len() as f64 * (w[1] * w[2]) as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (x, w, dy) = (b.inputs[0], b.inputs[1], b.grad());
        let (length, kernel) = (b.graph.shape(x)[2], b.graph.shape(w)[2]);
        if b.needs(0) {
            let dx = b.apply(Conv1dInputGrad { conv: *self, length }, &[w, dy])?;
            b.give(0, dx);
        }
        if b.needs(1) {
            let dw = b.apply(Conv1dWeightGrad { conv: *self, kernel }, &[x, dy])?;
            b.give(1, dw);
        }
        if self.bias && b.needs(2) {
            let over_time = b.apply(Reduce { reduction: Reduction::Sum, first: 2, last: 3 }, &[dy])?;
            let db = b.apply(Reduce { reduction: Reduction::Sum, first: 0, last: 1 }, &[over_time])?;
            let shape = b.graph.shape(b.inputs[2]).to_vec();
            let db = b.apply(Reshape { shape }, &[db])?;
            b.give(2, db);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (x, w) = (inputs[0], inputs[1]);
        let length = self.output_length(x.shape[2], w.shape[2]).expect("inferred");
        let shape = [x.shape[0], w.shape[0], length];
        let mut y = Tensor::from_fn(shape, |i| if self.bias { inputs[2].data[i[1]] } else { 0.0 });
        self.each_product(&x.shape, &w.shape, |to, from, tap| y.data[to] += x.data[from] * w.data[tap]);
        vec![y]
    }
}

impl Operation for Conv1dInputGrad {
    fn name(&self) -> &'static str {
        "conv1d_input_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [w, dy] = inputs else { return Err("wants weight and dy".into()) };
        Ok(vec![Type::f32([dy.shape[0], w.shape[1] * self.conv.groups, self.length])])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        let w = &inputs[0].shape;
        2.0 * inputs[1].len() as f64 * (w[1] * w[2]) as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (w, dy) = (inputs[0], inputs[1]);
        let mut dx = Tensor::full([dy.shape[0], w.shape[1] * self.conv.groups, self.length], 0.0);
        let shape = dx.shape.clone();
        self.conv.each_product(&shape, &w.shape, |to, from, tap| dx.data[from] += dy.data[to] * w.data[tap]);
        vec![dx]
    }
}

impl Operation for Conv1dWeightGrad {
    fn name(&self) -> &'static str {
        "conv1d_weight_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x, dy] = inputs else { return Err("wants x and dy".into()) };
        Ok(vec![Type::f32([dy.shape[1], x.shape[1] / self.conv.groups, self.kernel])])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        2.0 * inputs[1].len() as f64 * (inputs[0].shape[1] / self.conv.groups * self.kernel) as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (x, dy) = (inputs[0], inputs[1]);
        let mut dw = Tensor::full([dy.shape[1], x.shape[1] / self.conv.groups, self.kernel], 0.0);
        let shape = dw.shape.clone();
        self.conv.each_product(&x.shape, &shape, |to, from, tap| dw.data[tap] += dy.data[to] * x.data[from]);
        vec![dw]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for (stride, padding, dilation, groups) in [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 1), (3, 0, 1, 2)] {
            let conv = Conv1d { stride, padding, dilation, groups, bias: true };
            check(&[&[2, 4, 7], &[4, 4 / groups, 3], &[4]], |g, x| g.apply1(conv, x));
        }
    }
}
