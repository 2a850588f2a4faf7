//! What networks of several layers are made of.

use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Init, Trace, Value};

/// Layers `layer0`, `layer1`, …, each given its input, the width of that and its own number.
pub(super) fn stack(
    t: &mut Trace,
    mut x: Value,
    layers: usize,
    layer: impl Fn(&mut Trace, Value, usize, usize) -> Result<Value, GraphError>,
) -> Result<Value, GraphError> {
    for number in 0..layers {
        let inputs = t.graph.ty(x).last();
        x = t.scope(&format!("layer{number}"), |t| layer(t, x, inputs, number))?;
    }
    Ok(x)
}

/// The linear map to the channels, `head`, from PyTorch's initial values.
pub(super) fn head(t: &mut Trace, x: Value, channels: usize) -> Result<Value, GraphError> {
    let inputs = t.graph.ty(x).last();
    t.scope("head", |t| Linear::new(inputs, channels).forward(t, x))
}

/// Initial weights of layers of sines (Sitzmann et al. 2020): uniform in ±1/inputs in the first layer, and in
/// ±√(6/inputs)/w0 in others.
pub(super) fn sine_init(inputs: usize, is_first: bool, w0: f32) -> Init {
    let inputs = inputs as f32;
    Init::Uniform { bound: if is_first { 1.0 / inputs } else { (6.0 / inputs).sqrt() / w0 } }
}
