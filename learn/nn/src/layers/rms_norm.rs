//! Root-mean-square normalisation.

use bessemer_graph::{GraphError, ops};

use crate::init::Init;
use crate::trace::{Trace, Value};

/// x / √(mean x² + eps) · weight over the last axis (Zhang & Sennrich 2019); `weight` `[width]`
/// starts at 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// Length of the last axis.
    pub width: usize,
    /// Added to the mean square.
    pub eps: f32,
}

impl RmsNorm {
    /// With eps 1e-6, as in T5 and LLaMA.
    pub fn new(width: usize) -> RmsNorm {
        RmsNorm { width, eps: 1e-6 }
    }

    /// The shape `[.., width]` stays.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let weight = t.parameter("weight", &[self.width], Init::ONES)?;
        t.apply(ops::rms_norm::RmsNorm { eps: self.eps }, &[x, weight])
    }
}
