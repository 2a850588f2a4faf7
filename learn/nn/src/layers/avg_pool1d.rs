//! 1-D average pooling.

use bessemer_graph::{GraphError, ops};

use crate::trace::{Trace, Value};

/// Mean of every window of the last axis, padding counted as zeros.
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

impl AvgPool1d {
    /// Windows side by side, without padding; a rest is left out.
    pub fn new(kernel: usize) -> AvgPool1d {
        AvgPool1d { kernel, stride: kernel, padding: 0, ceil_mode: false }
    }

    /// `[.., length]` to `[.., windows]`.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let AvgPool1d { kernel, stride, padding, ceil_mode } = *self;
        t.apply(ops::avg_pool1d::AvgPool1d { kernel, stride, padding, ceil_mode }, &[x])
    }
}
