//! `bessemer forecast`.

mod backtest;
mod cross_validate;
mod defaults;
mod fit;
mod predict;
mod protocol;
mod quantize;
pub mod reading;
mod search;
mod training;

pub use cross_validate::CrossValidated;

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
    CrossValidate(cross_validate::CrossValidate),
    Search(search::SearchCommand),
    Quantize(quantize::Quantize),
}

impl Forecast {
    /// Whether the command trains models one after the other, so that a profile says something.
    pub fn trains(&self) -> bool {
        matches!(self, Forecast::Fit(_) | Forecast::Backtest(_))
    }

    /// How it runs.
    pub fn run_args(&self) -> &RunArgs {
        match self {
            Forecast::Fit(fit) => &fit.run,
            Forecast::Predict(predict) => &predict.run,
            Forecast::Backtest(backtest) => &backtest.run,
            Forecast::CrossValidate(command) => &command.run,
            Forecast::Search(command) => &command.run,
            Forecast::Quantize(quantize) => &quantize.run,
        }
    }

    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        match self {
            Forecast::Fit(fit) => fit.run(),
            Forecast::Predict(predict) => predict.run(),
            Forecast::Backtest(backtest) => backtest.run(),
            Forecast::CrossValidate(command) => command.run(),
            Forecast::Search(command) => command.run(),
            Forecast::Quantize(quantize) => quantize.run(),
        }
    }
}
