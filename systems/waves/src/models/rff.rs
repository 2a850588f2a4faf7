//! Random Fourier features (Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in Low
//! Dimensional Domains", 2020).

use std::f32::consts::TAU;

use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::unary::Unary;
use bessemer_kernels::random::{Stream, fill_normal};
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::layers::head;
use super::{MAX_WIDTH, Network, Shape, not_positive, out_of_bounds};

/// What the frequencies are drawn for, apart from other uses of a seed.
const SITE: u32 = 0x5246_4620;

/// Features sin(x B) and cos(x B) for a fixed matrix B of normal numbers, and a linear map to the channels.
///
/// B is not learned and not saved: it is a function of the training's seed, which is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rff {
    /// Columns of B, each of which gives a sine and a cosine; the model's size.
    pub features: usize,
    /// The standard deviation of B.
    pub sigma: f32,
    /// Whether angles are 2π x B, as in the paper, so that `sigma` is in periods.
    pub two_pi: bool,
}

impl Default for Rff {
    fn default() -> Self {
        Rff { features: 128, sigma: 5.0, two_pi: false }
    }
}

impl Rff {
    /// B, `[axes, features]`.
    fn frequencies(&self, shape: Shape) -> Vec<f32> {
        let mut b = vec![0.0; shape.axes * self.features];
        fill_normal(Stream { seed: shape.seed, step: 0, site: SITE }, 0, &mut b);
        let factor = self.sigma * if self.two_pi { TAU } else { 1.0 };
        b.iter_mut().for_each(|b| *b *= factor);
        b
    }
}

impl Network for Rff {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let b = t.graph.constant(&[shape.axes, self.features], self.frequencies(shape));
        let angle = t.graph.matmul(points, b)?;
        let (sin, cos) = (t.apply(Unary::Sin, &[angle])?, t.apply(Unary::Cos, &[angle])?);
        let features = t.apply(Concat { axis: 1 }, &[sin, cos])?;
        head(t, features, shape.channels)
    }

    fn check(&self, _: Shape) -> Option<String> {
        out_of_bounds(&[("features", self.features, MAX_WIDTH)])
            .or_else(|| not_positive(&[("sigma", self.sigma)]))
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.features
    }
}

/// B in f64.
#[cfg(test)]
pub(super) fn frequencies_of(rff: &Rff, shape: Shape) -> Vec<f64> {
    rff.frequencies(shape).into_iter().map(f64::from).collect()
}
