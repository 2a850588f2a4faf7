//! `bessemer phase train`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bessemer::phase::baselines::{Baseline, baselines};
use bessemer::phase::data::{Table, read, read_like};
use bessemer::phase::{Classifier, Error, Event};
use bessemer::plan::Pool;
use bessemer::train::data::Split;
use bessemer::train::{self, Checkpoints, TrainError};
use serde::Serialize;

use super::data::DataArgs;
use super::settings::{Config, ConfigArgs};
use crate::error::{CliError, Result};
use crate::output::{self, JsonTarget};
use crate::run::RunArgs;
use crate::runs::{KeptRun, RunFolderArgs};
use crate::{interrupt, number, report, table};

/// Train a phase graph, score it on samples held out, and save it in a folder
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer phase train optdigits.tra --test optdigits.tes --out digits-model

The model's folder holds model.toml and graph.phase. With --json:
  {\"data\", \"out\", \"test_accuracy\", \"validation_accuracy\", \"seconds\", \"epochs\", \"best_epoch\",
   \"bytes\", \"samples\": {\"train\", \"validation\", \"test\"}, \"threads\", \"seed\",
   \"baselines\": {NAME: {\"name\", \"validation_accuracy\", \"test_accuracy\", \"bytes\"}}}
An accuracy is null where there are no such samples."
)]
pub struct Train {
    #[command(flatten)]
    data: DataArgs,
    /// File of samples to test on [default: a part of the data, drawn at random]
    #[arg(long, value_name = "DATA", help_heading = "Data")]
    test: Option<PathBuf>,
    /// Part of the samples that validates
    #[arg(long, value_name = "PART", default_value_t = 0.1, value_parser = number::decimal::<f64>, help_heading = "Data")]
    validation_part: f64,
    /// Samples that validate after an epoch, at most [default: all of that part]
    #[arg(long, value_name = "N", value_parser = number::whole::<usize>, help_heading = "Data")]
    eval_samples: Option<usize>,
    /// Part of the samples that tests, if they have no file of their own
    #[arg(long, value_name = "PART", default_value_t = 0.2, value_parser = number::decimal::<f64>, conflicts_with = "test", help_heading = "Data")]
    test_part: f64,
    /// Folder to write the model to [default: `model` in the run's folder]
    #[arg(long, value_name = "FOLDER", required_if_eq("no_run", "true"))]
    out: Option<PathBuf>,
    /// Compare with no other models
    #[arg(long)]
    no_baselines: bool,
    /// Epochs from one checkpoint to the next, in the run's folder; there is one at the end, too, and with 0 only
    /// where training is stopped [default: 1]
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", help_heading = "Checkpoints")]
    checkpoint_every: Option<u64>,
    /// Go on with the training in --run that was stopped or killed; the result has the same bits as without the
    /// interruption
    #[arg(long, requires = "run", conflicts_with = "no_run", help_heading = "Checkpoints")]
    resume: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What `--json` writes.
#[derive(Serialize)]
pub struct Trained {
    pub data: String,
    pub out: String,
    /// None where there are no such samples.
    pub test_accuracy: Option<f64>,
    pub validation_accuracy: Option<f64>,
    pub seconds: f64,
    pub epochs: usize,
    pub best_epoch: usize,
    pub bytes: u64,
    pub samples: Parts,
    pub threads: usize,
    pub seed: u64,
    pub baselines: BTreeMap<String, Baseline>,
}

/// Samples for what they are for.
#[derive(Serialize)]
pub struct Parts {
    pub train: usize,
    pub validation: usize,
    pub test: usize,
}

impl Train {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let config = self.config.config()?;
        let folders = [self.out.as_deref(), self.run_folder.named()];
        folders.into_iter().flatten().try_for_each(output::check_folder)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("the data", Some(&*self.data.data)), ("--json", json)])?;
        if self.checkpoint_every.is_some() && !self.run_folder.keeps() {
            let (problem, remedy) = ("there is no folder for checkpoints", "leave out --no-run");
            return Err(CliError::argument("--checkpoint-every", problem, remedy));
        }
        self.check()?;
        let (table, split) = self.samples(config.fit.seed)?;
        let _lock = self
            .out
            .as_deref()
            .filter(|out| !self.run_folder.holds(out))
            .map(output::lock_folder)
            .transpose()?;
        let (arguments, seed) = (interrupt::arguments(""), config.fit.seed);
        let data: Vec<&Path> = [&self.data.data].into_iter().chain(&self.test).map(|path| &**path).collect();
        let mut kept = self.run_folder.begin("phase", arguments, seed, &pool, self.resume, &data)?;
        let same = kept.check_data(&data);
        let result = same.and_then(|()| self.work(&config, &table, &split, &pool, &mut kept));
        kept.end(result)
    }

    /// Refuses what would be for nothing, or worse.
    fn check(&self) -> Result<()> {
        if self.eval_samples == Some(0) {
            let problem = "nothing would validate, and what is set apart for it would be for nothing";
            let remedy = "use --validation-part 0 to learn from all of it";
            return Err(CliError::argument("--eval-samples 0", problem, remedy));
        }
        let Some(test) = &self.test else { return Ok(()) };
        let place = |path: &Path| path.canonicalize().ok();
        if place(test).is_some_and(|test| Some(test) == place(&self.data.data)) {
            return Err(CliError::argument(
                format!("--test {}", test.display()),
                "it is the file that is learned from: what was learned by heart would look like skill",
                "name another file, or leave it out to have a part of the samples drawn",
            ));
        }
        Ok(())
    }

    /// The part of the samples that tests, without a file of its own.
    fn test_part(&self) -> f64 {
        if self.test.is_some() { 0.0 } else { self.test_part }
    }

    /// The samples, and which of them are for what.
    fn samples(&self, seed: u64) -> Result<(Table, Split)> {
        let mut table = read(&self.data.data, &self.data.options())?;
        let count = table.len();
        let parts = [self.validation_part, self.test_part()];
        let mut split = Split::by_fraction(count, parts[0], parts[1], seed).map_err(|error| {
            let place = match (&self.test, &error) {
                (_, TrainError::Setting { name: "validation fraction", .. }) | (Some(_), _) => {
                    format!("--validation-part {}", parts[0])
                }
                (None, TrainError::Setting { .. }) => format!("--test-part {}", parts[1]),
                (None, _) => format!("--validation-part {} and --test-part {}", parts[0], parts[1]),
            };
            match error {
                TrainError::Setting { remedy, .. } => CliError::argument(place, "it is no such part", remedy),
                TrainError::Data { problem, .. } => {
                    let none = problem.split(';').next().unwrap_or(&problem);
                    let problem = format!("of {} {none}", number::counted(count, "sample"));
                    let remedy = "choose other parts, 0 for none, or give more samples";
                    CliError::argument(place, problem, remedy)
                }
                error => error.into(),
            }
        })?;
        split.validation.truncate(self.eval_samples.unwrap_or(count));
        if let Some(test) = &self.test {
            let others = read_like(test, &self.data.options(), &table.columns)?;
            table.append(others, &format!("`{}`", test.display()))?;
            split.test = (count..table.len()).collect();
        }
        Ok((table, split))
    }

    fn work(
        &self,
        config: &Config,
        table: &Table,
        split: &Split,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        let settings = toml::to_string(config).unwrap_or_default();
        kept.write("config.toml", &settings)?;
        kept.keep_given(self.config.config.as_deref())?;
        kept.begin_training("")?;
        let checkpoints = kept.checkpoints("", self.resume)?.map(|checkpoints| Checkpoints {
            every: self.checkpoint_every.unwrap_or(1),
            about: self.about(),
            ..checkpoints
        });
        let watch = &mut |event: Event| {
            self.watch(event, kept);
            if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let (graph, fit) = (&config.graph, &config.fit);
        let fitted = Classifier::fit_watched(table, split, graph, fit, checkpoints.as_ref(), pool, watch);
        let (classifier, history) = fitted.map_err(|error| match error.of_file(&self.data.data) {
            Error::Stopped { epochs, checkpoint } => {
                stopped(format!("training, after {}", number::counted(epochs, "epoch")), checkpoint, kept)
            }
            error => error.into(),
        })?;
        let out = self.out.clone().or_else(|| kept.place("model")).unwrap_or_else(|| "model".into());
        {
            let _hold = interrupt::writing();
            classifier.save(&out)?;
        }
        let accuracy = |rows: &[usize]| -> Result<Option<f64>> {
            let (_, tally) = classifier.classify(table, rows, pool)?;
            Ok((!rows.is_empty()).then(|| tally.accuracy()))
        };
        let (validation, test) = (accuracy(&split.validation)?, accuracy(&split.test)?);
        let scores = [("validation_accuracy", validation), ("test_accuracy", test)];
        kept.end_training("phase-graph", &scores)?;
        let bytes = classifier.export().len() as u64;
        let others = match self.no_baselines {
            true => Vec::new(),
            false => {
                let go_on = &mut || match interrupt::requested() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                let others = baselines(table, split, bytes, fit.epochs, fit.seed, pool, go_on);
                others.map_err(|error| match error {
                    Error::Train(TrainError::Stopped { .. }) => {
                        let checkpoint = checkpoints.and_then(|c| c.files().ok()?.into_iter().next());
                        stopped("training what it is compared with".into(), checkpoint, kept)
                    }
                    error => error.into(),
                })?
            }
        };
        let trained = Trained {
            data: self.data.data.display().to_string(),
            out: out.display().to_string(),
            test_accuracy: test,
            validation_accuracy: validation,
            seconds: history.elapsed.as_secs_f64(),
            epochs: history.epochs.len(),
            best_epoch: history.best_epoch,
            bytes,
            samples: Parts {
                train: split.train.len(),
                validation: split.validation.len(),
                test: split.test.len(),
            },
            threads: pool.threads(),
            seed: config.fit.seed,
            baselines: others.into_iter().map(|baseline| (baseline.name.clone(), baseline)).collect(),
        };
        if let Some(json) = &self.run.json {
            json.write(&trained)?;
        }
        kept.write("results.json", &serde_json::to_string_pretty(&trained).unwrap_or_default())?;
        kept.report(&report::phase(&trained, &history, &settings, pool))?;
        if self.run.quiet {
            return Ok(());
        }
        self.run.print(&render(&trained))?;
        kept.print_report(&self.run)
    }

    /// What decides which samples are for what, for checkpoints; what is tested on, the run's record has.
    fn about(&self) -> String {
        let most = self.eval_samples.map_or("\"all\"".to_string(), |most| most.to_string());
        let (validation, test) = (self.validation_part, self.test_part());
        format!("\nvalidation-part = {validation:?}\ntest-part = {test:?}\neval-samples = {most}")
    }

    /// Tells of an event, and keeps it.
    fn watch(&self, event: Event, kept: &mut KeptRun) {
        let mut keep = |event: &train::Event| {
            if let Some(problem) = kept.watch(event) {
                self.run.note(&format!("warning: {problem}"));
            }
        };
        match event {
            Event::Step => {}
            Event::Epoch(epoch) => {
                let validation = epoch
                    .validation
                    .map_or(String::new(), |tally| format!(", validation {:.1} %", 100.0 * tally.accuracy()));
                self.run.note(&format!(
                    "epoch {} of {}: loss {}, {:.1} % right{validation}",
                    epoch.epoch,
                    epoch.epochs,
                    number::digits(epoch.train.mean_loss()),
                    100.0 * epoch.train.accuracy(),
                ));
                // An epoch is what other trainings call a step; what it has no number for is left out.
                let (step, steps, loss) = (epoch.epoch as u64, epoch.epochs as u64, epoch.train.mean_loss());
                let (grad_norm, learning_rate) = (f64::NAN, f64::NAN);
                keep(&train::Event::Step { step, steps, loss, grad_norm, learning_rate });
                if let Some(tally) = &epoch.validation {
                    keep(&train::Event::Validation { step, loss: tally.mean_loss(), best: epoch.best });
                }
            }
            Event::Checkpoint { epochs } => keep(&train::Event::Checkpoint { step: epochs as u64 }),
            Event::Resumed { epochs } => {
                self.run.note(&format!("goes on after {}", number::counted(epochs, "epoch")));
                keep(&train::Event::Resumed { step: epochs as u64 });
            }
            Event::Problem { problem } => {
                self.run.note(&format!("warning: {problem}"));
                keep(&train::Event::Problem { problem });
            }
        }
    }
}

/// What ends a command that was interrupted.
fn stopped(doing: String, checkpoint: Option<PathBuf>, kept: &KeptRun) -> CliError {
    match checkpoint {
        None => CliError::Interrupted { doing, run: kept.path().map(PathBuf::from) },
        Some(_) => CliError::Paused { doing, command: interrupt::resume_command("", kept.path()) },
    }
}

/// A part that was right as percent, if there was anything to get right.
pub fn percent(part: Option<f64>) -> String {
    part.map_or("n/a".into(), |part| format!("{:.1}", 100.0 * part))
}

fn render(trained: &Trained) -> String {
    let row = |name: &str, validation, test, bytes: u64| {
        vec![name.to_string(), percent(test), percent(validation), number::bytes(bytes.into())]
    };
    let ours = row("phase graph", trained.validation_accuracy, trained.test_accuracy, trained.bytes);
    let others =
        trained.baselines.values().map(|b| row(&b.name, b.validation_accuracy, b.test_accuracy, b.bytes));
    format!(
        "{}\n{} to test; trained on {} in {}, epoch {} kept, saved in {}\n",
        table::plain(vec!["model", "test, %", "validation, %", "size"], std::iter::once(ours).chain(others)),
        number::counted(trained.samples.test, "sample"),
        number::counted(trained.samples.train, "sample"),
        number::seconds(trained.seconds),
        trained.best_epoch,
        trained.out,
    )
}
