//! WIRE with real wavelets (Saragadam et al., "WIRE: Wavelet Implicit Neural Representations", 2023).

use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::gaussian::bell;
use super::layers::{head, stack};
use super::{MAX_LAYERS, MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// Layers cos(w0 (W x + b)) exp(-(s0 (V x + c))²) and a linear map to the channels, from PyTorch's initial
/// values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WireReal {
    /// Width of the layers; the model's size.
    pub width: usize,
    /// Layers with a wavelet.
    pub layers: usize,
    /// The factor w0 of the angle.
    pub w0: f32,
    /// The factor s0 of the envelope: how narrow it is.
    pub s0: f32,
}

impl Default for WireReal {
    fn default() -> Self {
        WireReal { width: 46, layers: 2, w0: 10.0, s0: 10.0 }
    }
}

impl Network for WireReal {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let x = stack(t, points, self.layers, |t, x, inputs, _| {
            let linear = Linear::new(inputs, self.width);
            let angle = t.scope("frequency", |t| linear.forward(t, x))?;
            let angle = t.graph.scale(angle, self.w0)?;
            let wave = t.apply(Unary::Cos, &[angle])?;
            let width = t.scope("envelope", |t| linear.forward(t, x))?;
            let width = t.graph.scale(width, self.s0)?;
            let envelope = bell(t, width)?;
            t.graph.mul(wave, envelope)
        })?;
        head(t, x, shape.channels)
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("width", self.width, MAX_WIDTH), ("layers", self.layers, MAX_LAYERS)])
            .or_else(|| not_positive(&[("w0", self.w0), ("s0", self.s0)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.width
    }
}
