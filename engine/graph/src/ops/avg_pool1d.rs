//! 1-D average pooling.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Number of windows of a pooling over `length` positions, if its settings make sense.
///
/// With `ceil_mode` a last window that starts inside the axis (or its left padding) is kept though it
/// is not full, as PyTorch does.
pub fn windows(
    length: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    ceil_mode: bool,
) -> Option<usize> {
    if kernel == 0 || stride == 0 || padding * 2 > kernel || length == 0 {
        return None;
    }
    let room = length + 2 * padding;
    if !ceil_mode {
        return Some(room.checked_sub(kernel)? / stride + 1);
    }
    let count = room.saturating_sub(kernel).div_ceil(stride) + 1;
    let starts_inside = (count - 1) * stride < length + padding;
    Some(if starts_inside { count } else { count - 1 })
}

/// Mean of every window of the last axis, padding counted as zeros: `[.., length]` to `[.., windows]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool1d {
    /// Length of a window.
    pub kernel: usize,
    /// Distance between starts.
    pub stride: usize,
    /// Zeros added on both sides.
    pub padding: usize,
    /// Keep a last window that isn't full; it is divided by what it covers.
    pub ceil_mode: bool,
}

/// Gradient of [`AvgPool1d`]: `[.., windows]` to `[.., length]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool1dGrad {
    /// The pooling differentiated.
    pub pool: AvgPool1d,
    /// Length of the pooled axis.
    pub length: usize,
}

impl AvgPool1d {
    /// Calls `f(window, position, weight)` for every element of every window of a row.
    fn each(&self, length: usize, mut f: impl FnMut(usize, usize, f64)) {
        let count =
            windows(length, self.kernel, self.stride, self.padding, self.ceil_mode).expect("inferred");
        for w in 0..count {
            let start = w * self.stride;
            let end = (start + self.kernel).min(length + 2 * self.padding);
            let weight = 1.0 / (end - start) as f64;
            for padded in start.max(self.padding)..end.min(length + self.padding) {
                f(w, padded - self.padding, weight);
            }
        }
    }
}

impl Operation for AvgPool1d {
    fn name(&self) -> &'static str {
        "avg_pool1d"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x] = inputs else { return Err("wants one operand".into()) };
        let count = windows(x.last(), self.kernel, self.stride, self.padding, self.ceil_mode)
            .filter(|_| !x.shape.is_empty())
            .ok_or_else(|| format!("{self:?} of shape {:?}", x.shape))?;
        let mut shape = x.shape.clone();
        *shape.last_mut().expect("not a scalar") = count;
        Ok(vec![Type::f32(shape)])
    }

    fn flops(&self, _: &[Type], outputs: &[Type]) -> f64 {
        (outputs[0].len() * self.kernel) as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let length = b.graph.ty(b.inputs[0]).last();
        let dy = b.grad();
        let dx = b.apply(AvgPool1dGrad { pool: *self, length }, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let length = inputs[0].matrix().1;
        let types = [Type::f32(inputs[0].shape.clone())];
        let mut y = Tensor::full(self.infer(&types).expect("inferred")[0].shape.clone(), 0.0);
        let count = y.matrix().1;
        for (to, from) in y.data.chunks_exact_mut(count).zip(inputs[0].rows()) {
            self.each(length, |w, position, weight| to[w] += from[position] * weight);
        }
        vec![y]
    }
}

impl Operation for AvgPool1dGrad {
    fn name(&self) -> &'static str {
        "avg_pool1d_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [dy] = inputs else { return Err("wants dy".into()) };
        let mut shape = dy.shape.clone();
        *shape.last_mut().ok_or("dy is a scalar")? = self.length;
        Ok(vec![Type::f32(shape)])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        (inputs[0].len() * self.pool.kernel) as f64
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let mut shape = inputs[0].shape.clone();
        *shape.last_mut().expect("not a scalar") = self.length;
        let mut dx = Tensor::full(shape, 0.0);
        for (to, from) in dx.data.chunks_exact_mut(self.length).zip(inputs[0].rows()) {
            self.pool.each(self.length, |w, position, weight| to[position] += from[w] * weight);
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
            [(2, 2, 0, false), (3, 2, 1, false), (3, 2, 1, true), (4, 3, 0, true), (5, 1, 0, false)]
        {
            check(&[&[2, 2, 9]], |g, x| g.apply1(AvgPool1d { kernel, stride, padding, ceil_mode }, x));
        }
    }

    #[test]
    fn windows_count_as_in_pytorch() {
        for ((length, kernel, stride, padding, ceil), count) in [
            ((9, 2, 2, 0, false), Some(4)),
            ((9, 2, 2, 0, true), Some(5)),
            ((9, 3, 2, 1, true), Some(5)),
            ((4, 2, 3, 1, true), Some(2)),
            ((1, 2, 2, 0, false), None),
            ((1, 2, 2, 0, true), Some(1)),
            ((5, 2, 1, 2, false), None),
        ] {
            assert_eq!(windows(length, kernel, stride, padding, ceil), count);
        }
    }
}
