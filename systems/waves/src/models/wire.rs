//! WIRE (Saragadam et al., "WIRE: Wavelet Implicit Neural Representations", 2023).

use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Init, Trace, Value};
use serde::{Deserialize, Serialize};

use super::{MAX_LAYERS, MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// Layers of complex Gabor wavelets, exp(i w0 z - |s0 z|²) with z = W x + b, and the real part of a complex
/// linear map to the channels. Weights are complex, but for those of the first layer; each of their parts
/// starts uniform in ±1/√inputs.
///
/// A complex weight `[outputs, inputs]` is the parameter `weight` `[2 outputs, inputs]`: the rows of the real
/// part and then those of the imaginary part. Biases likewise. The real part of the last map is one of the
/// real and the imaginary parts side by side: `[channels, 2 inputs]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wire {
    /// Complex width of the layers; the model's size.
    pub width: usize,
    /// Layers with a wavelet.
    pub layers: usize,
    /// The factor w0 of the angle.
    pub w0: f32,
    /// The factor s0 of the envelope: how narrow it is.
    pub s0: f32,
}

impl Default for Wire {
    fn default() -> Self {
        Wire { width: 45, layers: 2, w0: 10.0, s0: 10.0 }
    }
}

/// The real and the imaginary part.
type Complex = (Value, Value);

impl Wire {
    /// exp(i w0 z - |s0 z|²): from z = a + ib the size exp(-w0 b - s0² (a² + b²)) and the angle w0 a.
    fn wavelet(&self, t: &mut Trace, (a, b): (Value, Option<Value>)) -> Result<Complex, GraphError> {
        let mut square = t.apply(Unary::Square, &[a])?;
        if let Some(b) = b {
            let other = t.apply(Unary::Square, &[b])?;
            square = t.graph.add(square, other)?;
        }
        let mut exponent = t.graph.scale(square, -self.s0 * self.s0)?;
        if let Some(b) = b {
            let shrinks = t.graph.scale(b, -self.w0)?;
            exponent = t.graph.add(exponent, shrinks)?;
        }
        let size = t.apply(Unary::Exp, &[exponent])?;
        let angle = t.graph.scale(a, self.w0)?;
        let (cos, sin) = (t.apply(Unary::Cos, &[angle])?, t.apply(Unary::Sin, &[angle])?);
        Ok((t.graph.mul(size, cos)?, t.graph.mul(size, sin)?))
    }
}

/// W x + b for complex W, x and b.
fn complex_linear(t: &mut Trace, (re, im): Complex, outputs: usize) -> Result<Complex, GraphError> {
    let inputs = t.graph.ty(re).last();
    let init = Init::fan_in(inputs);
    let weight = t.parameter("weight", &[2 * outputs, inputs], init)?;
    let bias = t.parameter("bias", &[2 * outputs], init)?;
    // Each part of x by both parts of W at once.
    let by_real = t.graph.linear(re, weight, Some(bias))?;
    let by_imaginary = t.graph.linear(im, weight, None)?;
    let mut part = |of, number| t.graph.slice(of, 1, number * outputs, outputs);
    let [rr, ir] = [part(by_real, 0)?, part(by_real, 1)?];
    let [ri, ii] = [part(by_imaginary, 0)?, part(by_imaginary, 1)?];
    Ok((t.graph.sub(rr, ii)?, t.graph.add(ir, ri)?))
}

impl Network for Wire {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let mut x = t.scope("layer0", |t| {
            let z = Linear::new(shape.axes, self.width).forward(t, points)?;
            self.wavelet(t, (z, None))
        })?;
        for number in 1..self.layers {
            x = t.scope(&format!("layer{number}"), |t| {
                let (a, b) = complex_linear(t, x, self.width)?;
                self.wavelet(t, (a, Some(b)))
            })?;
        }
        let parts = t.apply(Concat { axis: 1 }, &[x.0, x.1])?;
        let (head, init) = (Linear::new(2 * self.width, shape.channels), Init::fan_in(self.width));
        t.scope("head", |t| head.forward_from(t, parts, init, init))
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("width", self.width, MAX_WIDTH), ("layers", self.layers, MAX_LAYERS)])
            .or_else(|| not_positive(&[("w0", self.w0), ("s0", self.s0)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.width
    }
}
