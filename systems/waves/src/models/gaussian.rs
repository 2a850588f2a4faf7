//! Networks of Gaussian activations (Ramasinghe and Lucey, "Beyond Periodicity: Towards a Unifying Framework for
//! Activations in Coordinate-MLPs", 2022).

use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::layers::{head, stack};
use super::{MAX_LAYERS, MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// Layers exp(-(a (W x + b))²) and a linear map to the channels, from PyTorch's initial values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gaussian {
    /// Width of the layers; the model's size.
    pub width: usize,
    /// Layers with a Gaussian.
    pub layers: usize,
    /// The factor a: how narrow the bells are.
    pub a: f32,
}

impl Default for Gaussian {
    fn default() -> Self {
        Gaussian { width: 64, layers: 2, a: 10.0 }
    }
}

impl Network for Gaussian {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let x = stack(t, points, self.layers, |t, x, inputs, _| {
            let z = Linear::new(inputs, self.width).forward(t, x)?;
            let scaled = t.graph.scale(z, self.a)?;
            bell(t, scaled)
        })?;
        head(t, x, shape.channels)
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("width", self.width, MAX_WIDTH), ("layers", self.layers, MAX_LAYERS)])
            .or_else(|| not_positive(&[("a", self.a)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.width
    }
}

/// exp(-x²)
pub(super) fn bell(t: &mut Trace, x: Value) -> Result<Value, GraphError> {
    let square = t.apply(Unary::Square, &[x])?;
    let minus = t.apply(Unary::Neg, &[square])?;
    t.apply(Unary::Exp, &[minus])
}
