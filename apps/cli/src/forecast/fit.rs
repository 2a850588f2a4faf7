//! `bessemer forecast fit`.

use std::path::PathBuf;

use bessemer::forecast::configuration::{self, Validation};
use bessemer::forecast::{Configuration, Error, FitOptions, Frame, Model};
use bessemer::plan::Pool;
use bessemer::train::{Checkpoints, GradScalerState};
use serde::Serialize;

use super::defaults;
use super::protocol::Protocol;
use super::reading::ReadArgs;
use super::training::TrainArgs;
use crate::error::{CliError, Result};
use crate::fitting::{self, Rows};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::preflight;
use crate::progress::{Progress, WatchArgs};
use crate::recomputed::Dropped;
use crate::report;
use crate::run::RunArgs;
use crate::runs::{KeptRun, RunFolderArgs};
use crate::tuning::Tuning;

/// Fit a model to all series of a file and save it in a folder
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer forecast fit sales.csv --model nhits --horizon 12 --lookback 36 --out sales-model

The model's folder holds model.toml and weights.safetensors. With --json:
  {\"data\", \"model\", \"out\", \"horizon\", \"lookback\", \"series\", \"steps\", \"skipped\",
   \"best_step\", \"loss\", \"validation_loss\", \"seconds_fit\", \"seconds_waited\", \"parameters\",
   \"threads\", \"seed\"}
  seconds_waited is the part of seconds_fit in which steps waited for their windows.
  With --activations also \"recomputed\": {\"share\", \"values\": [{\"operation\", \"layer\", \"mb\", \"gflop\"}]}.
  With --tune also \"tuned\": {\"micro_batch\", \"lanes\", \"candidates\": [{\"micro_batch\", \"lanes\", \"seconds\"}]}.
  With --precision f16 also \"grad_scaler\": {\"scale\", \"good_steps\", \"updates\", \"overflows\"}."
)]
pub struct Fit {
    #[command(flatten)]
    read: ReadArgs,
    /// mlp, nlinear, dlinear, nhits or patchtst
    #[arg(long, alias = "models", value_name = "NAME", required_unless_present = "config")]
    model: Option<String>,
    /// Steps to forecast
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS", required_unless_present = "config")]
    horizon: Option<usize>,
    /// Steps to look back on [default: two horizons or two seasons, whichever is longer]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    lookback: Option<usize>,
    /// Folder to write the model to [default: `model` in the run's folder]
    #[arg(long, value_name = "FOLDER", required_if_eq("no_run", "true"))]
    out: Option<PathBuf>,
    /// Folder for checkpoints: with them, Ctrl-C and SIGTERM lose nothing, and `--resume` goes on from there
    /// [default: `checkpoints` in the run's folder]
    #[arg(long, value_name = "FOLDER", help_heading = "Checkpoints")]
    checkpoints: Option<PathBuf>,
    /// Steps from one checkpoint to the next; with them there is one at the end and at every best validation,
    /// with 0 only where training is stopped [default: 0; with --checkpoints 500]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", help_heading = "Checkpoints")]
    checkpoint_every: Option<u64>,
    /// Checkpoints that stay, besides that of the best validation
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 2, help_heading = "Checkpoints")]
    keep: usize,
    /// Go on from the latest checkpoint of --run or --checkpoints; the result has the same bits as without the
    /// interruption
    #[arg(long, conflicts_with = "tune", help_heading = "Checkpoints")]
    resume: bool,
    #[command(flatten)]
    train: TrainArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
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
    seconds_waited: f64,
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
        let configuration = self.train.configuration()?;
        let model = &match &self.model {
            Some(name) => configuration.models(&[name])?.remove(0),
            None => configuration.model()?,
        };
        let horizon = self.length(self.horizon, "horizon", &configuration)?.ok_or_else(|| {
            CliError::argument("--horizon", "it is not given", "say how many steps to forecast")
        })?;
        let folders = [self.out.as_deref(), self.checkpoints.as_deref(), self.run_folder.named()];
        folders.into_iter().flatten().try_for_each(output::check_folder)?;
        self.check()?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("the data", Some(&*self.read.data)), ("--json", json)])?;
        let frame = self.read.read(&self.run)?;

        let season = frame.frequency.seasonality();
        let lookback = self.length(self.lookback, "lookback", &configuration)?;
        let lookback = lookback.unwrap_or_else(|| defaults::lookback(Protocol::Holdout, horizon, season));
        let validation = self.train.validation(&configuration);
        let rows = rows(&frame, validation)?;
        let defaults = defaults::of(Protocol::Holdout, model.name());
        let shape = (horizon, lookback);
        let validates = rows.validation.is_some();
        let options =
            self.train.options(&configuration, &defaults, shape, &frame, &rows.training, validates)?;
        preflight::check(model, &options)?;
        if self.train.print_config {
            return output::print(&configuration::render(model, &options, validation));
        }
        let (options, tuned) = self.train.tuned(model, options, &pool, &self.run)?;
        if let Some(tuning) = &tuned {
            self.run.print(&tuning.render())?;
        }
        // A folder within that of the run is locked with it, and that must be empty when the run begins.
        let apart = self.out.as_deref().filter(|out| !self.run_folder.holds(out));
        let _lock = apart.map(output::lock_folder).transpose()?;
        let arguments = interrupt::arguments(&fitting::division(&options));
        let what = format!("fit-{}", model.name());
        let seed = options.train.seed;
        let mut kept =
            self.run_folder.begin(&what, arguments, seed, &pool, self.resume, &[&self.read.data])?;
        let trained = Trained { frame, rows, model, options, validation, tuned };
        let result = self.work(trained, &progress, &pool, &mut kept);
        kept.end(result)
    }

    fn work(&self, trained: Trained, progress: &Progress, pool: &Pool, kept: &mut KeptRun) -> Result<()> {
        let Trained { frame, rows, model, options, validation, tuned } = trained;
        kept.write("config.toml", &configuration::render(model, &options, validation))?;
        kept.keep_given(self.train.config.as_deref())?;
        let checkpoints = self.checkpoints(kept);
        let mut forecaster =
            fitting::fit(&frame, &rows, model, &options, checkpoints.as_ref(), pool, progress, kept, "")?;
        kept.write("config.toml", &configuration::render(model, &options, validation))?;
        let out = self.out.clone().or_else(|| kept.place("model")).unwrap_or_else(|| "model".into());
        {
            let _hold = interrupt::writing();
            forecaster.save(&out)?;
        }
        let scores = fitting::validate(&frame, &rows, &forecaster, &self.read.name(), pool)?;
        if let Some(scores) = &scores {
            scores.keep(kept)?;
        }
        if let Some(folder) = kept.path() {
            let page = report::fit(&frame, &rows, &mut forecaster, scores.as_ref(), folder, pool)?;
            kept.report(&page)?;
        }

        let history = &forecaster.history;
        let validation_loss = history.validations.iter().map(|(_, loss)| *loss).reduce(f64::min);
        let fitted = Fitted {
            data: self.read.name(),
            model: model.name(),
            out: out.display().to_string(),
            horizon: options.horizon,
            lookback: options.lookback,
            series: frame.series.len(),
            steps: history.losses.len(),
            skipped: history.skipped,
            best_step: history.best_step,
            loss: history.losses.last().copied(),
            validation_loss,
            grad_scaler: history.grad_scaler,
            seconds_fit: history.elapsed.as_secs_f64(),
            seconds_waited: history.waited.as_secs_f64(),
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
        if let Some(scores) = scores {
            self.run.print(&scores.sentence())?;
        }
        kept.print_report(&self.run)?;
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

    fn check(&self) -> Result<()> {
        if self.keep == 0 {
            return Err(CliError::argument("--keep 0", "it must be at least 1", "leave it out for 2"));
        }
        if self.resume && self.checkpoints.is_none() && self.run_folder.named().is_none() {
            return Err(CliError::argument(
                "--resume",
                "it is not said which training is to go on",
                "name its folder with --run or --checkpoints",
            ));
        }
        if self.checkpoint_every.is_some() && self.checkpoints.is_none() && !self.run_folder.keeps() {
            return Err(CliError::argument(
                "--checkpoint-every",
                "there is no folder for checkpoints",
                "name one with --checkpoints, or leave out --no-run",
            ));
        }
        Ok(())
    }

    /// A length, as given on the command line or in the configuration file.
    fn length(
        &self,
        given: Option<usize>,
        name: &str,
        configuration: &Configuration,
    ) -> Result<Option<usize>> {
        if given.is_some() || !configuration.has(&[name]) {
            return Ok(given);
        }
        let options = configuration.options(FitOptions::new(0, 0))?;
        Ok(Some(if name == "horizon" { options.horizon } else { options.lookback }))
    }

    fn checkpoints(&self, kept: &KeptRun) -> Option<Checkpoints> {
        let folder = self.checkpoints.clone().or_else(|| kept.place("checkpoints"))?;
        let default = if self.checkpoints.is_some() { 500 } else { 0 };
        Some(Checkpoints {
            folder,
            every: self.checkpoint_every.unwrap_or(default),
            keep: self.keep,
            resume: self.resume,
            about: String::new(),
        })
    }
}

/// What is trained.
struct Trained<'a> {
    frame: Frame,
    rows: Rows,
    model: &'a Model,
    options: FitOptions,
    validation: Option<Validation>,
    tuned: Option<Tuning>,
}

/// All rows train, less the last ones if they validate.
fn rows(frame: &Frame, validation: Option<Validation>) -> Result<Rows> {
    let Some(validation) = validation else {
        return Ok(Rows { training: frame.series.iter().map(|s| 0..s.len()).collect(), validation: None });
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
