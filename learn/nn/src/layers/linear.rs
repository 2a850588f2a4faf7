//! Affine map of the last axis.

use bessemer_graph::GraphError;

use crate::init::Init;
use crate::trace::{Trace, Value};

/// y = x·Wᵀ + b over the last axis; `weight` `[outputs, inputs]` and `bias` `[outputs]` start as in
/// PyTorch, uniform in ±1/√inputs.
///
/// ```
/// use bessemer_nn::{Trace, layers::Linear};
///
/// let mut t = Trace::new(32, 32, true);
/// let x = t.input("x", &[8]);
/// let y = t.scope("head", |t| Linear::new(8, 3).forward(t, x))?;
/// assert_eq!(t.graph.shape(y), [32, 3]);
/// assert_eq!(t.graph.parameters()[0].name, "head.weight");
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
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
        self.forward_from(t, x, init, init)
    }

    /// As [`Linear::forward`], with other initial values.
    pub fn forward_from(
        &self,
        t: &mut Trace,
        x: Value,
        weight: Init,
        bias: Init,
    ) -> Result<Value, GraphError> {
        let weight = t.parameter("weight", &[self.outputs, self.inputs], weight)?;
        let bias = if self.bias { Some(t.parameter("bias", &[self.outputs], bias)?) } else { None };
        t.graph.linear(x, weight, bias)
    }
}
