//! `bessemer bench predict`: times forecasts of one series with a saved model.

use std::path::PathBuf;
use std::time::Instant;

use bessemer::forecast::Forecaster;
use bessemer::kernels::isa;
use clap::Args;
use serde::Serialize;

use super::{Spread, check_seconds};
use crate::error::Result;
use crate::forecast::reading::ReadArgs;
use crate::number;
use crate::run::RunArgs;

/// Time forecasts of one series with a saved model
///
/// The model and the data are read once; then the steps after the end of the first series are forecast
/// again and again.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Example:
  bessemer bench predict sales-model sales.csv --threads 2 --json -

With --json:
  {\"model\", \"threads\", \"isa\", \"parameters\", \"lookback\", \"horizon\", \"forecasts\",
   \"predict_ms\": {\"median\", \"min\", \"max\"}}"
)]
pub struct PredictArgs {
    /// Folder that `forecast fit` wrote
    #[arg(value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// Seconds to measure for
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct PredictResult {
    model: &'static str,
    threads: usize,
    isa: &'static str,
    parameters: usize,
    lookback: usize,
    horizon: usize,
    forecasts: usize,
    predict_ms: Spread,
}

impl PredictArgs {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        check_seconds(self.seconds)?;
        let mut forecaster = Forecaster::load(&self.model)?;
        let mut frame = self.read.read(&self.run)?;
        frame.series.truncate(1);

        // The first forecast compiles the model, and caches fill.
        let warm = Instant::now();
        while warm.elapsed().as_secs_f64() < 0.2 * self.seconds {
            forecaster.predict(&frame, &pool)?;
        }
        let mut times = Vec::new();
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < self.seconds || times.len() < 5 {
            let one = Instant::now();
            forecaster.predict(&frame, &pool)?;
            times.push(one.elapsed().as_secs_f64() * 1e3);
        }
        let result = PredictResult {
            model: forecaster.model().name(),
            threads: pool.threads(),
            isa: isa().name(),
            parameters: forecaster.parameter_count(),
            lookback: forecaster.options().lookback,
            horizon: forecaster.options().horizon,
            forecasts: times.len(),
            predict_ms: Spread::of(times),
        };
        if let Some(json) = &self.run.json {
            json.write(&result)?;
        }
        self.run.print(&format!(
            "{}, {} lags to {} steps, {} parameters, {}, {}\n  forecast  {:.3} ms median of {} ({:.3} to {:.3})\n",
            result.model,
            result.lookback,
            result.horizon,
            number::count(result.parameters),
            number::counted(result.threads, "thread"),
            result.isa,
            result.predict_ms.median,
            number::count(result.forecasts),
            result.predict_ms.min,
            result.predict_ms.max,
        ))
    }
}
