//! A multilayer perceptron over the lags.

use bessemer_nn::layers::{Activation, Linear};
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::{Network, too_deep, too_large};

/// Layers of one width with ReLU between them, then a linear map to the horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mlp {
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Hidden layers.
    pub layers: usize,
}

impl Default for Mlp {
    fn default() -> Self {
        Mlp { hidden: 512, layers: 2 }
    }
}

impl Network for Mlp {
    fn forward(&self, t: &mut Trace, lags: Value, horizon: usize) -> Result<Value, GraphError> {
        let mut x = lags;
        let mut width = t.graph.ty(lags).last();
        for layer in 0..self.layers {
            x = t.scope(&format!("hidden{layer}"), |t| Linear::new(width, self.hidden).forward(t, x))?;
            x = Activation::Relu.forward(t, x)?;
            width = self.hidden;
        }
        t.scope("out", |t| Linear::new(width, horizon).forward(t, x))
    }

    fn check(&self, _: usize, _: usize) -> Option<String> {
        if self.hidden == 0 {
            return Some("hidden is 0, but layers need a width".into());
        }
        too_large(&[("hidden", self.hidden)]).or_else(|| too_deep(self.layers))
    }
}
