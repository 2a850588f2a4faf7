//! 1-D convolution.

use bessemer_graph::{GraphError, ops};

use crate::init::Init;
use crate::trace::{Trace, Value};

/// Cross-correlation along the last axis.
///
/// `weight` `[outputs, inputs / groups, kernel]` and `bias` `[outputs]` start as in PyTorch, uniform
/// in ±1/√(inputs / groups · kernel).
///
/// ```
/// use bessemer_nn::{Trace, layers::Conv1d};
///
/// let mut t = Trace::new(4, 4, true);
/// let x = t.input("x", &[3, 24]);
/// let conv = Conv1d { padding: 1, ..Conv1d::new(3, 8, 3) };
/// let y = conv.forward(&mut t, x)?;
/// assert_eq!(t.graph.shape(y), [4, 8, 24]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1d {
    /// Channels of x.
    pub inputs: usize,
    /// Channels of y.
    pub outputs: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Distance between neighbouring outputs.
    pub stride: usize,
    /// Zeros added on both sides.
    pub padding: usize,
    /// Distance between neighbouring taps.
    pub dilation: usize,
    /// Independent groups of channels.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Conv1d {
    /// Dense, of stride 1, without padding, with a bias.
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Conv1d {
        Conv1d { inputs, outputs, kernel, stride: 1, padding: 0, dilation: 1, groups: 1, bias: true }
    }

    /// `[batch, inputs, length]` to `[batch, outputs, (length + 2 padding - dilation (kernel - 1) - 1)
    /// / stride + 1]`.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let Conv1d { stride, padding, dilation, groups, bias, .. } = *self;
        let channels = self.inputs / groups.max(1);
        let init = Init::fan_in(channels * self.kernel);
        let mut operands = vec![x, t.parameter("weight", &[self.outputs, channels, self.kernel], init)?];
        if bias {
            operands.push(t.parameter("bias", &[self.outputs], init)?);
        }
        t.apply(ops::conv1d::Conv1d { stride, padding, dilation, groups, bias }, &operands)
    }
}
