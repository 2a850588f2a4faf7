//! The last rows of a series, which its forecast looks back on.

use crate::error::{Error, Result};
use crate::forecaster::Forecaster;
use crate::frame::{Frame, History, Series};
use crate::predictor::carry_on;
use crate::scaler::{Scaler, ScalerKind};
use crate::time::Timestamp;

/// What a series is forecast from.
pub(crate) struct LastWindow {
    /// The time of the first forecast.
    pub start: Timestamp,
    /// The scaling of the series.
    pub scaler: Scaler,
    /// Its last rows, in its own unit; missing ones carry the last observed value on.
    pub lags: Vec<f32>,
}

impl Forecaster {
    /// The last rows of a series of a frame.
    pub(crate) fn last_window(&self, frame: &Frame, series: &Series) -> Result<LastWindow> {
        let scaler = self.scaler_of(&series.id)?;
        let start = frame.time_of(series, series.len()).ok_or_else(|| Error::TimeOutOfRange {
            series: series.id.clone(),
            start: frame.time.format(series.start),
            step: series.len(),
        })?;
        let rows = series.len();
        let lookback = self.options.lookback;
        if rows < lookback {
            return Err(Error::SeriesTooShort {
                series: series.id.clone(),
                rows,
                needs: format!("lookback {lookback}"),
                minimum: lookback,
            });
        }
        let mut lags = series.values()[rows - lookback..].to_vec();
        if let Some(observed) = series.observed() {
            let mask: Vec<f32> =
                observed[rows - lookback..].iter().map(|&o| f32::from(u8::from(o))).collect();
            if mask.iter().all(|&m| m == 0.0) {
                let (series, start) = (series.id.clone(), rows - lookback);
                return Err(Error::NothingObserved { series, start, end: rows });
            }
            carry_on(&mut lags, &mask);
        }
        Ok(LastWindow { start, scaler, lags })
    }

    /// Scales lags by their series, and then by themselves if that is asked for; gives that second scaling.
    pub(crate) fn scale_lags(&self, scaler: Scaler, lags: &mut [f32]) -> Scaler {
        scaler.transform(lags);
        let window = match self.options.window_scaler {
            ScalerKind::None => Scaler::IDENTITY,
            kind => Scaler::fit(kind, History::complete(lags)).unwrap_or(Scaler::IDENTITY),
        };
        window.transform(lags);
        window
    }
}
