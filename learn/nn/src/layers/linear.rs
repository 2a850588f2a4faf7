//! Affine map of the last axis.

use bessemer_graph::GraphError;

use crate::init::Init;
use crate::trace::{Trace, Value};

/// y = x·Wᵀ + b over the last axis; `weight` `[outputs, inputs]` and `bias` `[outputs]` start as in
/// PyTorch, uniform in ±1/√inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Length of the last axis of x.
    pub inputs: usize,
    /// Length of the last axis of y.
    pub outputs: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

impl Linear {
    /// With a bias.
    pub fn new(inputs: usize, outputs: usize) -> Linear {
        Linear { inputs, outputs, bias: true }
    }

    /// `[.., inputs]` to `[.., outputs]`.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let init = Init::fan_in(self.inputs);
        let weight = t.parameter("weight", &[self.outputs, self.inputs], init)?;
        let bias = if self.bias { Some(t.parameter("bias", &[self.outputs], init)?) } else { None };
        t.graph.linear(x, weight, bias)
    }
}
