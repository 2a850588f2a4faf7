//! DLinear (Zeng et al., "Are Transformers Effective for Time Series Forecasting?", 2023).

use bessemer_nn::layers::{Linear, SeriesDecomposition};
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::{Network, too_large};

/// A linear map of the moving average and another of what remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DLinear {
    /// Lags that the moving average spans; odd.
    pub moving_average: usize,
}

impl Default for DLinear {
    fn default() -> Self {
        DLinear { moving_average: 25 }
    }
}

impl Network for DLinear {
    fn forward(&self, t: &mut Trace, lags: Value, horizon: usize) -> Result<Value, GraphError> {
        let lookback = t.graph.ty(lags).last();
        let decomposition = SeriesDecomposition { kernel: self.moving_average };
        let (trend, remainder) = decomposition.forward(t, lags)?;
        let linear = Linear::new(lookback, horizon);
        let trend = t.scope("trend", |t| linear.forward(t, trend))?;
        let remainder = t.scope("remainder", |t| linear.forward(t, remainder))?;
        t.graph.add(trend, remainder)
    }

    fn check(&self, _: usize, _: usize) -> Option<String> {
        if self.moving_average.is_multiple_of(2) {
            return Some(format!("moving_average is {}, but must be odd", self.moving_average));
        }
        too_large(&[("moving_average", self.moving_average)])
    }
}
