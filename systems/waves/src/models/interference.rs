//! The complex interference basis: waves under one moving envelope.

use bessemer_graph::ops::binary::Binary;
use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Init, Trace, Value};
use serde::{Deserialize, Serialize};

use super::{MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// The narrowest envelope.
const SIGMA_MIN: f32 = 1e-3;

/// ψ_f = A_f e^(i (k_f·x - ω_f t)) E(x, t) sin(φ_f + ε_f cos(λ_f·x)) for each field f, and a linear map without
/// bias from all Re ψ and Im ψ to the channels. The envelope, which all fields share, is that of a normal
/// distribution of d axes: with z = (x - v t) / σ, E = exp(-½ z·z) / (Πσ (2π)^(d/2)), where σ is at least 0.001.
///
/// The last axis of the signal is the time t. A signal of one axis has no time, and so neither ω nor v.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interference {
    /// How many fields there are; the model's size.
    pub fields: usize,
    /// Standard deviation of the first k, ω and λ, in radians for a unit of the scaled axes.
    pub frequency: f32,
}

impl Default for Interference {
    fn default() -> Self {
        Interference { fields: 8, frequency: 1.0 }
    }
}

impl Network for Interference {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let (fields, has_time) = (self.fields, shape.axes > 1);
        let d = if has_time { shape.axes - 1 } else { 1 };
        let normal = Init::Normal { std: self.frequency };
        let x = t.graph.slice(points, 1, 0, d)?;
        let time = if has_time { Some(t.graph.slice(points, 1, d, 1)?) } else { None };

        let log_sigma = t.parameter("log_sigma", &[d], Init::ZEROS)?;
        let sigma = t.apply(Unary::Exp, &[log_sigma])?;
        let least = t.graph.scalar(SIGMA_MIN);
        let sigma = t.apply(Binary::Max, &[sigma, least])?;
        let mut away = x;
        if let Some(time) = time {
            let v = t.parameter("v", &[d], Init::Normal { std: 1.0 })?;
            let moved = t.graph.mul(time, v)?;
            away = t.graph.sub(x, moved)?;
        }
        let z = t.graph.div(away, sigma)?;
        let square = t.apply(Unary::Square, &[z])?;
        let halves = t.graph.scale(square, 0.5)?;
        // Of all factors the logarithms, so that none is out of range by itself.
        let log_widths = t.apply(Unary::Log, &[sigma])?;
        let exponents = t.graph.add(halves, log_widths)?;
        let sum = t.graph.sum_to(exponents, &[t.samples(), 1])?;
        let norm = 0.5 * d as f32 * std::f32::consts::TAU.ln();
        let negative = t.graph.scale(sum, -1.0)?;
        let exponent = t.graph.add_scalar(negative, -norm)?;
        let envelope = t.apply(Unary::Exp, &[exponent])?;

        let k = t.parameter("k", &[fields, d], normal)?;
        let mut angle = t.graph.linear(x, k, None)?;
        if let Some(time) = time {
            let omega = t.parameter("omega", &[fields], normal)?;
            let turned = t.graph.mul(time, omega)?;
            angle = t.graph.sub(angle, turned)?;
        }
        let lambda = t.parameter("lambda", &[fields, d], normal)?;
        let phi = t.parameter("phi", &[fields], Init::ZEROS)?;
        let epsilon = t.parameter("epsilon", &[fields], Init::Constant(0.1))?;
        let modulation = t.graph.linear(x, lambda, None)?;
        let modulation = t.apply(Unary::Cos, &[modulation])?;
        let modulation = t.graph.mul(modulation, epsilon)?;
        let modulation = t.graph.add(modulation, phi)?;
        let modulation = t.apply(Unary::Sin, &[modulation])?;

        let a = t.parameter("a", &[fields], Init::ONES)?;
        let size = t.graph.mul(modulation, a)?;
        let size = t.graph.mul(size, envelope)?;
        let parts = [Unary::Cos, Unary::Sin].map(|part| {
            let part = t.apply(part, &[angle])?;
            t.graph.mul(size, part)
        });
        let [real, imaginary] = parts;
        let features = t.apply(Concat { axis: 1 }, &[real?, imaginary?])?;
        let head = Linear { bias: false, ..Linear::new(2 * fields, shape.channels) };
        t.scope("head", |t| head.forward(t, features))
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("fields", self.fields, MAX_WIDTH)])
            .or_else(|| not_positive(&[("frequency", self.frequency)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.fields
    }
}
