//! `bessemer forecast quantize`.

use std::path::{Path, PathBuf};

use bessemer::forecast::configuration::Validation;
use bessemer::forecast::{Forecaster, Score, Series, Split, backtest};
use bessemer::plan::Precision;
use serde::Serialize;

use super::reading::ReadArgs;
use crate::error::{CliError, Result};
use crate::number;
use crate::output::{self, JsonTarget};
use crate::precision::PrecisionName;
use crate::run::RunArgs;
use crate::{interrupt, table};

/// Round a saved model's weights to 8-bit integers, and show what that does to its errors
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer forecast quantize sales-model sales.csv --out sales-model-int8

Weights of at least 32 by 32 get a scale for each output channel; forecasts are then made with 8-bit
products. Compare on rows the model was not fitted on. With --json:
  {\"data\", \"model\", \"out\", \"windows\", \"precision\", \"before\": {\"mse\", \"mae\", \"seconds_predict\", \"bytes\"},
   \"int8\": {likewise}, \"mse_change\", \"mae_change\", \"threads\"}
Changes are relative: 0.01 is 1 % worse."
)]
pub struct Quantize {
    /// Folder that `fit` wrote
    #[arg(value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    read: ReadArgs,
    /// Folder to write the rounded model to
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Rows at the end of each series to compare on: a count, or a fraction such as 0.2
    #[arg(long, value_name = "ROWS", default_value = "0.2", value_parser = str::parse::<Validation>)]
    test_rows: Validation,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Quantized {
    data: String,
    model: &'static str,
    out: String,
    windows: usize,
    /// Of the model before.
    precision: PrecisionName,
    before: Side,
    int8: Side,
    mse_change: f64,
    mae_change: f64,
    threads: usize,
}

/// One of the two models.
#[derive(Serialize)]
struct Side {
    mse: f64,
    mae: f64,
    seconds_predict: f64,
    bytes: u64,
}

impl Side {
    fn new(score: &Score, folder: &Path) -> Side {
        // Just written or just read: where the size can't be told after all, 0 says so.
        let bytes = std::fs::metadata(folder.join("weights.safetensors")).map_or(0, |file| file.len());
        Side { mse: score.mse, mae: score.mae, seconds_predict: score.seconds_predict, bytes }
    }
}

impl Quantize {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        output::check_folder(&self.out)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        let places = [
            ("the data", Some(&*self.read.data)),
            ("the model", Some(&*self.model)),
            ("--out", Some(&*self.out)),
            ("--json", json),
        ];
        output::check_distinct(&places)?;
        let whole = Forecaster::load(&self.model)?;
        if whole.options().precision == Precision::Int8 {
            let problem = "its weights are 8-bit integers already";
            let remedy = "give the model that `fit` wrote";
            return Err(CliError::argument(self.model.display().to_string(), problem, remedy));
        }
        let frame = self.read.read(&self.run)?;
        whole.check_frequency(&frame)?;
        let split = |series: &Series| {
            let test = self.test_rows.rows(series.len()).min(series.len());
            let start = series.len() - test;
            Split { train: 0..start, validation: start..start, test: start..series.len() }
        };
        let splits: Vec<Split> = frame.series.iter().map(split).collect();
        let (lookback, horizon) = (whole.options().lookback, whole.options().horizon);
        let test = backtest(&frame, &splits, lookback, horizon, false, None)?;
        if test.windows == 0 {
            return Err(CliError::argument(
                "--test-rows",
                format!("no window of {horizon} steps fits into them"),
                "compare on more rows",
            ));
        }
        let rounded = whole.quantize()?;
        let scores = [test.score(&whole, &pool)?, test.score(&rounded, &pool)?];
        {
            let _hold = interrupt::writing();
            let _lock = output::lock_folder(&self.out)?;
            rounded.save(&self.out)?;
        }

        let [before, int8] =
            [(&scores[0], &self.model), (&scores[1], &self.out)].map(|(s, p)| Side::new(s, p));
        let change = |before: f64, after: f64| after / before - 1.0;
        let quantized = Quantized {
            data: self.read.name(),
            model: whole.model().name(),
            out: self.out.display().to_string(),
            windows: test.windows,
            mse_change: change(before.mse, int8.mse),
            mae_change: change(before.mae, int8.mae),
            precision: whole.options().precision.into(),
            before,
            int8,
            threads: pool.threads(),
        };
        if let Some(json) = &self.run.json {
            json.write(&quantized)?;
        }
        if self.run.quiet {
            return Ok(());
        }
        self.run.print(&quantized.render())
    }
}

impl Quantized {
    /// A table of both models and their difference.
    fn render(&self) -> String {
        let side = |name: &str, side: &Side| {
            let size = number::bytes(side.bytes.into());
            [
                name.into(),
                number::digits(side.mse),
                number::digits(side.mae),
                number::seconds(side.seconds_predict),
                size,
            ]
        };
        let percent =
            |change: f64| if change.is_finite() { format!("{:+.2} %", 100.0 * change) } else { "n/a".into() };
        let times = |before: f64, after: f64| format!("1/{:.1}", before / after.max(f64::MIN_POSITIVE));
        let difference = [
            "difference".into(),
            percent(self.mse_change),
            percent(self.mae_change),
            times(self.before.seconds_predict, self.int8.seconds_predict),
            times(self.before.bytes as f64, self.int8.bytes as f64),
        ];
        let rows =
            vec![side(&self.precision.to_string(), &self.before), side("int8", &self.int8), difference];
        let header = vec![self.model, "MSE", "MAE", "predict", "weights"];
        format!(
            "{}\n{} of the last rows, in the unit of the data; saved in {}\n",
            table::plain(header, rows),
            number::counted(self.windows, "window"),
            self.out,
        )
    }
}
