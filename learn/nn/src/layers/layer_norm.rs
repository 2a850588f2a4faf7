//! Layer normalisation.

use bessemer_graph::{GraphError, ops};

use crate::init::Init;
use crate::trace::{Trace, Value};

/// (x - mean) / √(variance + eps) · weight + bias over the last axis (Ba, Kiros & Hinton 2016);
/// `weight` and `bias` `[width]` start at 1 and 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// Length of the last axis.
    pub width: usize,
    /// Added to the variance.
    pub eps: f32,
}

impl LayerNorm {
    /// With eps 1e-5, as in PyTorch.
    pub fn new(width: usize) -> LayerNorm {
        LayerNorm { width, eps: 1e-5 }
    }

    /// The shape `[.., width]` stays.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let weight = t.parameter("weight", &[self.width], Init::ONES)?;
        let bias = t.parameter("bias", &[self.width], Init::ZEROS)?;
        t.apply(ops::layer_norm::LayerNorm { eps: self.eps }, &[x, weight, bias])
    }
}
