//! N-HiTS (Challu et al., "N-HiTS: Neural Hierarchical Interpolation for Time Series Forecasting",
//! 2023).

use bessemer_graph::ops::max_pool1d::MaxPool1d;
use bessemer_nn::layers::{Activation, Interpolate1d, Interpolation, Linear};
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::{Network, too_deep, too_large};

/// Stacks that each pool what is left of the lags, map it to a backcast, which is subtracted, and to
/// a few knots of the forecast, which are interpolated and added up. The forecast starts from the
/// last value. Defaults as in NeuralForecast, but that the last stack has no backcast, as nobody would
/// read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NHits {
    /// Lags pooled into one, by stack.
    pub pool: Vec<usize>,
    /// Steps of the horizon per knot, by stack.
    pub downsample: Vec<usize>,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Hidden layers, each with ReLU, after the first, linear one.
    pub layers: usize,
    /// How knots become a forecast.
    pub interpolation: Interpolation,
}

/// Stacks beyond which a model is a slip of the keyboard.
const MAX_STACKS: usize = 64;

/// Numbers in the matrices that spread knots over the horizon, at most: 256 MiB of them.
const MAX_SPREAD: usize = 1 << 26;

/// Knots of a stack.
fn knots(horizon: usize, downsample: usize) -> usize {
    (horizon / downsample).max(1)
}

impl Default for NHits {
    fn default() -> Self {
        NHits {
            pool: vec![2, 2, 1],
            downsample: vec![4, 2, 1],
            hidden: 512,
            layers: 3,
            interpolation: Interpolation::Linear,
        }
    }
}

impl Network for NHits {
    fn forward(&self, t: &mut Trace, lags: Value, horizon: usize) -> Result<Value, GraphError> {
        let lookback = t.graph.ty(lags).last();
        let mut forecast = t.graph.slice(lags, 1, lookback - 1, 1)?;
        let mut residual = lags;
        for (stack, (&pool, &downsample)) in self.pool.iter().zip(&self.downsample).enumerate() {
            let knots = knots(horizon, downsample);
            // Nothing is left to be explained after the last stack.
            let backcast = if stack + 1 < self.pool.len() { lookback } else { 0 };
            let theta = t.scope(&format!("stack{stack}"), |t| {
                let pooled = MaxPool1d { kernel: pool, stride: pool, padding: 0, ceil_mode: true };
                let mut x = if pool > 1 { t.apply(pooled, &[residual])? } else { residual };
                let width = t.graph.ty(x).last();
                x = t.scope("in", |t| Linear::new(width, self.hidden).forward(t, x))?;
                for layer in 0..self.layers {
                    let linear = Linear::new(self.hidden, self.hidden);
                    x = t.scope(&format!("hidden{layer}"), |t| linear.forward(t, x))?;
                    x = Activation::Relu.forward(t, x)?;
                }
                t.scope("out", |t| Linear::new(self.hidden, backcast + knots).forward(t, x))
            })?;
            if backcast > 0 {
                let explained = t.graph.slice(theta, 1, 0, backcast)?;
                residual = t.graph.sub(residual, explained)?;
            }
            let values = t.graph.slice(theta, 1, backcast, knots)?;
            let spread = Interpolate1d { size: horizon, mode: self.interpolation }.forward(t, values)?;
            forecast = t.graph.add(spread, forecast)?;
        }
        Ok(forecast)
    }

    fn check(&self, lookback: usize, horizon: usize) -> Option<String> {
        if self.pool.is_empty() || self.pool.len() != self.downsample.len() {
            return Some("pool and downsample must list one number per stack, and at least one".into());
        }
        if self.pool.contains(&0) || self.downsample.contains(&0) || self.hidden == 0 {
            return Some("pool, downsample and hidden must be at least 1".into());
        }
        if let Some(largest) = self.pool.iter().max().filter(|largest| **largest > lookback) {
            return Some(format!("pool {largest} is longer than the lookback {lookback}"));
        }
        let stacks = self.pool.len();
        if stacks > MAX_STACKS {
            return Some(format!("pool lists {stacks} stacks, but at most {MAX_STACKS} make sense"));
        }
        // Every stack holds the matrix that spreads its knots.
        let of_stack = |steps: &usize| knots(horizon, *steps).saturating_mul(horizon);
        let spread = self.downsample.iter().map(of_stack).fold(0, usize::saturating_add);
        if spread > MAX_SPREAD {
            return Some(format!(
                "spreading the knots of all stacks over the horizon {horizon} takes {spread} numbers, but at \
                 most {MAX_SPREAD} make sense; raise downsample"
            ));
        }
        too_large(&[("hidden", self.hidden)]).or_else(|| too_deep(self.layers))
    }
}
