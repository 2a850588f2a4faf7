//! SIREN (Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020).

use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Init, Trace, Value};
use serde::{Deserialize, Serialize};

use super::layers::{sine_init, stack};
use super::{MAX_LAYERS, MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// Layers sin(w0 (W x + b)), and a linear map to the channels, whose weights start as those of a hidden layer.
/// Biases start as PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Siren {
    /// Width of the layers; the model's size.
    pub width: usize,
    /// Layers with a sine.
    pub layers: usize,
    /// The factor w0 of every layer's angle.
    pub w0: f32,
}

impl Default for Siren {
    fn default() -> Self {
        Siren { width: 64, layers: 2, w0: 30.0 }
    }
}

impl Network for Siren {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let x = stack(t, points, self.layers, |t, x, inputs, number| {
            let weight = sine_init(inputs, number == 0, self.w0);
            let z = Linear::new(inputs, self.width).forward_from(t, x, weight, Init::fan_in(inputs))?;
            let angle = t.graph.scale(z, self.w0)?;
            t.apply(Unary::Sin, &[angle])
        })?;
        let (weight, bias) = (sine_init(self.width, false, self.w0), Init::fan_in(self.width));
        let head = Linear::new(self.width, shape.channels);
        t.scope("head", |t| head.forward_from(t, x, weight, bias))
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("width", self.width, MAX_WIDTH), ("layers", self.layers, MAX_LAYERS)])
            .or_else(|| not_positive(&[("w0", self.w0)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.width
    }
}
