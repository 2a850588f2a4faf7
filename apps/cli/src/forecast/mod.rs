//! `bessemer forecast`.

mod backtest;
pub mod config;
mod defaults;
mod fit;
mod predict;
mod protocol;
mod quantize;
pub mod reading;
pub mod settings;
mod training;

use crate::error::Result;
use crate::run::RunArgs;

/// Fit forecasting models, forecast with them, and score them
#[derive(clap::Subcommand)]
#[command(after_help = "\
Example:
  bessemer forecast fit sales.csv --model nhits --horizon 12 --out sales-model
  bessemer forecast predict sales-model sales.csv --out forecast.csv")]
pub enum Forecast {
    Fit(fit::Fit),
    Predict(predict::Predict),
    Backtest(backtest::BacktestCommand),
    Quantize(quantize::Quantize),
}

impl Forecast {
    /// Whether the command trains.
    pub fn trains(&self) -> bool {
        matches!(self, Forecast::Fit(_) | Forecast::Backtest(_))
    }

    /// How it runs.
    pub fn run_args(&self) -> &RunArgs {
        match self {
            Forecast::Fit(fit) => &fit.run,
            Forecast::Predict(predict) => &predict.run,
            Forecast::Backtest(backtest) => &backtest.run,
            Forecast::Quantize(quantize) => &quantize.run,
        }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        match self {
            Forecast::Fit(fit) => fit.run(),
            Forecast::Predict(predict) => predict.run(),
            Forecast::Backtest(backtest) => backtest.run(),
            Forecast::Quantize(quantize) => quantize.run(),
        }
    }
}
