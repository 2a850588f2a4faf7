//! `bessemer forecast predict`.

use std::path::PathBuf;
use std::time::Instant;

use bessemer::forecast::{Error, Forecaster, Predictions, write_predictions};
use serde::Serialize;

use super::reading::ReadArgs;
use crate::error::Result;
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::run::RunArgs;

/// Forecast the steps after the end of every series with a saved model
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer forecast predict sales-model sales.csv --out forecast.csv

The file holds unique_id, ds and a column named after the model; with --samples two columns, MODEL-mean
and MODEL-deviation. With --json:
  {\"data\", \"model\", \"out\", \"horizon\", \"series\", \"seconds_predict\", \"threads\"}
  With --samples also \"samples\" and \"seed\"."
)]
pub struct Predict {
    /// Folder that `fit` wrote
    #[arg(value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// File to write, ending in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Series to forecast at a time: many are faster, and may have other last digits than one by one
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Forecast so many times with dropout (Monte-Carlo dropout), and write the mean and the standard deviation
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", conflicts_with = "batch")]
    samples: Option<usize>,
    /// Seed of the dropout
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 1, requires = "samples")]
    seed: u64,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Predicted {
    data: String,
    model: &'static str,
    out: String,
    horizon: usize,
    series: usize,
    seconds_predict: f64,
    threads: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

impl Predict {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let extension = self.out.extension().unwrap_or_default().to_ascii_lowercase();
        if extension != "csv" && extension != "parquet" {
            return Err(Error::UnknownFormat { file: self.out.display().to_string() }.into());
        }
        output::check_file(&self.out)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        let places = [("the data", Some(&*self.read.data)), ("--out", Some(&*self.out)), ("--json", json)];
        output::check_distinct(&places)?;
        let mut forecaster = Forecaster::load(&self.model)?;
        let frame = self.read.read(&self.run)?;

        let begun = Instant::now();
        let series = match self.samples {
            Some(samples) => forecaster.predict_samples(&frame, samples, self.seed, &pool)?,
            None if self.batch == 1 => forecaster.predict(&frame, &pool)?,
            None => forecaster.predict_batches(&frame, self.batch, &pool)?,
        };
        let seconds_predict = begun.elapsed().as_secs_f64();
        let model = forecaster.model().name();
        let predictions = Predictions {
            columns: match self.samples {
                Some(_) => vec![format!("{model}-mean"), format!("{model}-deviation")],
                None => vec![model.to_string()],
            },
            series,
            frequency: frame.frequency,
            time: frame.time,
        };
        {
            let _hold = interrupt::writing();
            write_predictions(&self.out, &predictions)?;
        }

        let predicted = Predicted {
            data: self.read.name(),
            model,
            out: self.out.display().to_string(),
            horizon: forecaster.options().horizon,
            series: frame.series.len(),
            seconds_predict,
            threads: pool.threads(),
            samples: self.samples,
            seed: self.samples.map(|_| self.seed),
        };
        if let Some(json) = &self.run.json {
            json.write(&predicted)?;
        }
        if self.run.quiet {
            return Ok(());
        }
        self.run.print(&format!(
            "{} of {} forecast in {}, written to {}\n",
            number::counted(predicted.horizon, "step"),
            number::counted_as(predicted.series, "series", "series"),
            number::seconds(seconds_predict),
            predicted.out,
        ))
    }
}
