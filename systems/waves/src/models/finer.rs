//! FINER (Liu et al., "FINER: Flexible Spectral-bias Tuning in Implicit NEural Representation by Variable-periodic
//! Activation Functions", 2024).

use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Init, Trace, Value};
use serde::{Deserialize, Serialize};

use super::layers::{sine_init, stack};
use super::{MAX_LAYERS, MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// Layers sin(w0 (|z| + 1) z) with z = W x + b, and a linear map to the channels. As in the authors' code, the
/// factor |z| + 1 is taken as given by the gradient. Weights start as SIREN's, the first bias uniform in ±k,
/// others as PyTorch's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Finer {
    /// Width of the layers; the model's size.
    pub width: usize,
    /// Layers with a sine.
    pub layers: usize,
    /// The factor w0 of every layer's angle.
    pub w0: f32,
    /// The largest first bias k: the larger, the higher the frequencies.
    pub k: f32,
}

impl Default for Finer {
    fn default() -> Self {
        Finer { width: 64, layers: 2, w0: 30.0, k: 5.0 }
    }
}

impl Network for Finer {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let x = stack(t, points, self.layers, |t, x, inputs, number| {
            let weight = sine_init(inputs, number == 0, self.w0);
            let bias = if number == 0 { Init::Uniform { bound: self.k } } else { Init::fan_in(inputs) };
            let z = Linear::new(inputs, self.width).forward_from(t, x, weight, bias)?;
            let size = t.apply(Unary::Abs, &[z])?;
            let more = t.graph.add_scalar(size, 1.0)?;
            let given = t.apply(Unary::Detach, &[more])?;
            let stretched = t.graph.mul(given, z)?;
            let angle = t.graph.scale(stretched, self.w0)?;
            t.apply(Unary::Sin, &[angle])
        })?;
        let (weight, bias) = (sine_init(self.width, false, self.w0), Init::fan_in(self.width));
        let head = Linear::new(self.width, shape.channels);
        t.scope("head", |t| head.forward_from(t, x, weight, bias))
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("width", self.width, MAX_WIDTH), ("layers", self.layers, MAX_LAYERS)])
            .or_else(|| not_positive(&[("w0", self.w0), ("k", self.k)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.width
    }
}
