//! `bessemer forecast predict`.

use std::path::PathBuf;
use std::time::Instant;

use bessemer::forecast::{Error, Forecaster, Predictions, predict_ensemble, write_predictions};
use bessemer::study::Ensemble;
use clap::ValueEnum;
use serde::Serialize;

use super::reading::FormArgs;
use crate::error::{CliError, Result};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::run::RunArgs;

/// Forecast the steps after the end of every series with a saved model
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    override_usage = "bessemer forecast predict [OPTIONS] --out <FILE> <FOLDER>... <DATA>",
    after_help = "\
Example:
  bessemer forecast predict sales-model sales.csv --out forecast.csv
  bessemer forecast predict nhits-model mlp-model sales.csv --ensemble mean --out forecast.csv

The file holds unique_id, ds and a column named after the model; with --samples two columns, MODEL-mean
and MODEL-deviation; with --ensemble one, ensemble-mean or ensemble-median. With --json:
  {\"data\", \"model\", \"out\", \"horizon\", \"series\", \"seconds_predict\", \"threads\"}
  With --samples also \"samples\" and \"seed\"; with --ensemble \"members\", the folders."
)]
pub struct Predict {
    /// Folder that `fit` wrote, or several with --ensemble, and then a CSV or Parquet file of series
    #[arg(value_name = "FOLDER... DATA", required = true, num_args = 1..)]
    places: Vec<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
    /// File to write, ending in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Series to forecast at a time: many are faster, and may have other last digits than one by one
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Forecast so many times with dropout (Monte-Carlo dropout), and write the mean and the standard deviation
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", conflicts_with = "batch")]
    samples: Option<usize>,
    /// Combine the forecasts of several models, which have one horizon
    #[arg(long, value_enum, conflicts_with = "samples")]
    ensemble: Option<EnsembleName>,
    /// Seed of the dropout
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 1, requires = "samples")]
    seed: u64,
    #[command(flatten)]
    pub run: RunArgs,
}

/// How forecasts are combined, by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EnsembleName {
    /// The mean of each step
    Mean,
    /// The median of each step
    Median,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Predicted {
    data: String,
    model: String,
    out: String,
    horizon: usize,
    series: usize,
    seconds_predict: f64,
    threads: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<String>>,
}

impl Predict {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        // Options may stand between them, which two positions, of which the first takes several, don't allow.
        let Some((data, models @ [first, ..])) = self.places.split_last() else {
            let problem = "a model's folder and a file of series are needed";
            return Err(CliError::argument(self.places[0].display().to_string(), problem, "give both"));
        };
        let extension = self.out.extension().unwrap_or_default().to_ascii_lowercase();
        if extension != "csv" && extension != "parquet" {
            return Err(Error::UnknownFormat { file: self.out.display().to_string() }.into());
        }
        output::check_file(&self.out)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        let places = [("the data", Some(&**data)), ("--out", Some(&*self.out)), ("--json", json)];
        output::check_distinct(&places)?;
        if models.len() > 1 && self.ensemble.is_none() {
            return Err(CliError::argument(
                format!("{} and so on", first.display()),
                "it is not said how the forecasts of several models are combined",
                "add --ensemble mean or --ensemble median, or name one model",
            ));
        }
        let load = |folder: &PathBuf| Ok((folder.display().to_string(), Forecaster::load(folder)?));
        let members = models.iter().map(load).collect::<Result<Vec<_>>>()?;
        let frame = self.form.read(data, &self.run)?;

        let begun = Instant::now();
        let combine = |ensemble| predict_ensemble(&members, &ensemble, &frame, self.batch, &pool);
        let (_, forecaster) = &members[0];
        let name = forecaster.model().name();
        let (series, model) = match (self.ensemble, self.samples) {
            (Some(EnsembleName::Mean), _) => (combine(Ensemble::Mean)?, "ensemble-mean"),
            (Some(EnsembleName::Median), _) => (combine(Ensemble::Median)?, "ensemble-median"),
            (None, Some(samples)) => (forecaster.predict_samples(&frame, samples, self.seed, &pool)?, name),
            (None, None) => (forecaster.predict_batches(&frame, self.batch, &pool)?, name),
        };
        let seconds_predict = begun.elapsed().as_secs_f64();
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
            data: data.display().to_string(),
            model: model.to_string(),
            out: self.out.display().to_string(),
            horizon: forecaster.options().horizon,
            series: frame.series.len(),
            seconds_predict,
            threads: pool.threads(),
            samples: self.samples,
            seed: self.samples.map(|_| self.seed),
            members: self.ensemble.map(|_| members.into_iter().map(|(folder, _)| folder).collect()),
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
