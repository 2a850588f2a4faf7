//! 1-D maximum pooling.

use bessemer_graph::{GraphError, ops};

use crate::trace::{Trace, Value};

/// Largest element of every window of the last axis; the first of equals gets the gradient, and
/// padding never wins.
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

impl MaxPool1d {
    /// Windows side by side, without padding; a rest is left out.
    pub fn new(kernel: usize) -> MaxPool1d {
        MaxPool1d { kernel, stride: kernel, padding: 0, ceil_mode: false }
    }

    /// `[.., length]` to `[.., windows]`.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let MaxPool1d { kernel, stride, padding, ceil_mode } = *self;
        t.apply(ops::max_pool1d::MaxPool1d { kernel, stride, padding, ceil_mode }, &[x])
    }
}
