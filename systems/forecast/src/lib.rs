//! Time-series forecasting: frames, windows, models, backtests.
//!
//! The data layer reads a file into a [`Frame`] of series on a regular grid (gaps are masked, never
//! invented), splits it, scales it with statistics of the training rows only, and indexes its windows
//! lazily, so that memory stays that of the data whatever the lookback and horizon.
//!
//! ```
//! use bessemer_forecast::{Split, WindowIndex, WindowOptions, air_passengers};
//!
//! let frame = air_passengers::frame();
//! let split = Split::holdout(frame.series[0].len(), 12, 12).unwrap();
//! let options = WindowOptions { lookback: 24, horizon: 12, ..WindowOptions::default() };
//! let windows = WindowIndex::new(&frame, &[split.train], &options).unwrap();
//! assert_eq!(windows.len(), 120 - 24 - 12 + 1);
//! ```

#![forbid(unsafe_code)]

pub mod air_passengers;
mod backtest;
pub mod baselines;
pub mod configuration;
mod contender;
mod cross_validate;
mod ensemble;
mod error;
mod folder;
mod forecaster;
mod frame;
mod frequency;
mod last_window;
pub mod metrics;
pub mod models;
mod monte_carlo;
mod options;
mod predict_batches;
mod predictor;
mod read;
mod scaler;
mod search;
mod split;
mod task;
mod time;
mod window;
mod write;

pub use backtest::{Backtest, Baseline, Score, backtest};
pub use bessemer_study::Spread;
pub use configuration::Configuration;
pub use contender::Contender;
pub use cross_validate::{
    CrossScore, CrossValidation, CrossValidator, FoldScore, FoldTraining, Member, cross_validate,
};
pub use ensemble::predict_ensemble;
pub use error::{Error, Result};
pub use forecaster::Forecaster;
pub use frame::{Frame, History, Note, Series};
pub use frequency::Frequency;
pub use models::Model;
pub use options::{FitOptions, Loss, Sampling};
pub use read::{Layout, ReadOptions, read};
pub use scaler::{Scaler, ScalerKind, fit_scalers, scale_frame};
pub use search::{run_trial, search};
pub use split::Split;
pub use time::{Precision, TimeKind, TimeStyle, Timestamp};
pub use window::{Window, WindowIndex, WindowOptions};
pub use write::{Predictions, SeriesPredictions, write_predictions};
