//! NLinear (Zeng et al., "Are Transformers Effective for Time Series Forecasting?", 2023).

use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Trace, Value};
use serde::{Deserialize, Serialize};

use super::Network;

/// One linear map of the lags less the last value, which is added back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NLinear {}

impl Network for NLinear {
    fn forward(&self, t: &mut Trace, lags: Value, horizon: usize) -> Result<Value, GraphError> {
        let lookback = t.graph.ty(lags).last();
        let last = t.graph.slice(lags, 1, lookback - 1, 1)?;
        let moved = t.graph.sub(lags, last)?;
        let forecast = t.scope("linear", |t| Linear::new(lookback, horizon).forward(t, moved))?;
        t.graph.add(forecast, last)
    }
}
