//! `bessemer forecast fit`.

use std::path::PathBuf;

use bessemer::forecast::{Error, Frame};
use bessemer::train::{Checkpoints, GradScalerState};
use serde::Serialize;

use super::defaults;
use super::protocol::Protocol;
use super::reading::ReadArgs;
use super::settings::{self, Setting};
use super::training::TrainArgs;
use crate::error::{CliError, Result};
use crate::fitting::{self, Rows};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::preflight;
use crate::progress::{Progress, WatchArgs};
use crate::recomputed::Dropped;
use crate::run::RunArgs;
use crate::tuning::Tuning;

/// Fit a model to all series of a file and save it in a folder
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer forecast fit sales.csv --model nhits --horizon 12 --lookback 36 --out sales-model

The folder holds model.toml and weights.safetensors. With --json:
  {\"data\", \"model\", \"out\", \"horizon\", \"lookback\", \"series\", \"steps\", \"skipped\",
   \"best_step\", \"loss\", \"validation_loss\", \"seconds_fit\", \"parameters\", \"threads\", \"seed\"}
  With --activations also \"recomputed\": {\"share\", \"values\": [{\"operation\", \"layer\", \"mb\", \"gflop\"}]}.
  With --tune also \"tuned\": {\"micro_batch\", \"lanes\", \"candidates\": [{\"micro_batch\", \"lanes\", \"seconds\"}]}.
  With --precision f16 also \"grad_scaler\": {\"scale\", \"good_steps\", \"updates\", \"overflows\"}."
)]
pub struct Fit {
    #[command(flatten)]
    read: ReadArgs,
    /// mlp, nlinear, dlinear, nhits or patchtst
    #[arg(long, alias = "models", value_name = "NAME")]
    model: String,
    /// Steps to forecast
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    horizon: usize,
    /// Steps to look back on [default: two horizons or two seasons, whichever is longer]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    lookback: Option<usize>,
    /// Folder to write the model to
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// A setting of the model, such as hidden=256; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = Setting::parse)]
    settings: Vec<Setting>,
    /// Folder for checkpoints: with them, Ctrl-C and SIGTERM lose nothing, and `--resume` goes on from there
    #[arg(long, value_name = "FOLDER", help_heading = "Checkpoints")]
    checkpoints: Option<PathBuf>,
    /// Steps from one checkpoint to the next; 0 for one at the end or where training is stopped only
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 500, requires = "checkpoints", help_heading = "Checkpoints")]
    checkpoint_every: u64,
    /// Checkpoints that stay
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 2, requires = "checkpoints", help_heading = "Checkpoints")]
    keep: usize,
    /// Go on from the latest checkpoint; the result has the same bits as without the interruption
    #[arg(long, requires = "checkpoints", conflicts_with = "tune", help_heading = "Checkpoints")]
    resume: bool,
    #[command(flatten)]
    train: TrainArgs,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Fitted {
    data: String,
    model: &'static str,
    out: String,
    horizon: usize,
    lookback: usize,
    series: usize,
    steps: usize,
    skipped: u64,
    best_step: Option<u64>,
    loss: Option<f64>,
    validation_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grad_scaler: Option<GradScalerState>,
    seconds_fit: f64,
    parameters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    recomputed: Option<Dropped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tuned: Option<Tuning>,
    threads: usize,
    seed: u64,
}

impl Fit {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let progress = Progress::new(self.run.quiet, &self.watch)?;
        self.train.check()?;
        let models = settings::models(std::slice::from_ref(&self.model), &self.settings)?;
        let model = &models[0];
        output::check_folder(&self.out)?;
        self.checkpoints.iter().try_for_each(|folder| output::check_folder(folder))?;
        if self.keep == 0 {
            return Err(CliError::argument("--keep 0", "it must be at least 1", "leave it out for 2"));
        }
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("the data", Some(&*self.read.data)), ("--json", json)])?;
        let frame = self.read.read(&self.run)?;

        let season = frame.frequency.seasonality();
        let lookback =
            self.lookback.unwrap_or_else(|| defaults::lookback(Protocol::Holdout, self.horizon, season));
        let rows = self.rows(&frame)?;
        let defaults = defaults::of(Protocol::Holdout, model.name());
        let shape = (self.horizon, lookback);
        let validates = rows.validation.is_some();
        let options = self.train.options(&defaults, shape, &frame, &rows.training, validates)?;
        preflight::check(model, &options)?;
        let (options, tuned) = self.train.tuned(model, options, &pool, &self.run)?;
        if let Some(tuning) = &tuned {
            self.run.print(&tuning.render())?;
        }
        let checkpoints = self.checkpoints();
        let forecaster =
            fitting::fit(&frame, &rows, model, &options, checkpoints.as_ref(), &pool, &progress)?;
        {
            let _hold = interrupt::writing();
            forecaster.save(&self.out)?;
        }

        let history = &forecaster.history;
        let validation_loss = history.validations.iter().map(|(_, loss)| *loss).reduce(f64::min);
        let fitted = Fitted {
            data: self.read.name(),
            model: model.name(),
            out: self.out.display().to_string(),
            horizon: self.horizon,
            lookback,
            series: frame.series.len(),
            steps: history.losses.len(),
            skipped: history.skipped,
            best_step: history.best_step,
            loss: history.losses.last().copied(),
            validation_loss,
            grad_scaler: history.grad_scaler,
            seconds_fit: history.elapsed.as_secs_f64(),
            parameters: forecaster.parameter_count(),
            recomputed: forecaster.recomputing.as_ref().map(Dropped::of),
            tuned,
            threads: pool.threads(),
            seed: options.train.seed,
        };
        if let Some(json) = &self.run.json {
            json.write(&fitted)?;
        }
        if self.run.quiet {
            return Ok(());
        }
        self.run.print(&format!(
            "{} with {} fitted to {} in {}, saved in {}\n",
            fitted.model,
            number::counted(fitted.parameters, "parameter"),
            number::counted_as(fitted.series, "series", "series"),
            number::seconds(fitted.seconds_fit),
            fitted.out,
        ))?;
        if let Some(GradScalerState { scale, updates, overflows, .. }) = fitted.grad_scaler {
            let taken = number::count(updates as usize);
            self.run.print(&format!(
                "gradients scaled by {scale} at the end; {taken} updates, {overflows} skipped as gradients overflowed\n"
            ))?;
        }
        if let (Some(dropped), Some(percent)) = (&fitted.recomputed, options.activations) {
            self.run.print(&format!("{}\n", dropped.render(percent)))?;
        }
        Ok(())
    }

    fn checkpoints(&self) -> Option<Checkpoints> {
        let folder = self.checkpoints.clone()?;
        Some(Checkpoints {
            folder,
            every: self.checkpoint_every,
            keep: self.keep,
            resume: self.resume,
            about: String::new(),
        })
    }

    /// All rows train, less the last ones if they validate.
    fn rows(&self, frame: &Frame) -> Result<Rows> {
        let Some(validation) = self.train.validation else {
            return Ok(Rows {
                training: frame.series.iter().map(|s| 0..s.len()).collect(),
                validation: None,
            });
        };
        let mut rows = Rows { training: Vec::new(), validation: None };
        let mut held_back = Vec::new();
        for series in &frame.series {
            let (len, held) = (series.len(), validation.rows(series.len()));
            let Some(end) = len.checked_sub(held).filter(|end| *end > 0) else {
                return Err(Error::SeriesTooShort {
                    series: series.id.clone(),
                    rows: len,
                    needs: format!("holding out {held} rows for validation"),
                    minimum: held.saturating_add(1),
                }
                .into());
            };
            rows.training.push(0..end);
            held_back.push(end..len);
        }
        let any = held_back.iter().any(|range| !range.is_empty());
        rows.validation = any.then_some(held_back);
        Ok(rows)
    }
}
