//! `bessemer waves fit`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bessemer::plan::Pool;
use bessemer::train::{Checkpoints, Event, TrainError};
use bessemer::waves::models::Shape;
use bessemer::waves::{self, FitOptions, Greedy, Signal, Split, WaveFitter, write};
use serde::Serialize;

use super::scored::Scored;
use super::signal::{SignalArgs, SplitArgs};
use super::training::{Asked, SizeArgs, Steps, WaveTrainArgs};
use crate::error::{CliError, Result};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::pace::Pace;
use crate::progress::{Progress, WatchArgs};
use crate::report;
use crate::run::RunArgs;
use crate::runs::{KeptRun, RunFolderArgs};

/// Fit a compact model to a signal, score it on points held out, and save it
///
/// By default the model is a sum of packets: waves under a bell, each in a place of its own, found one after the
/// other and then trained together.
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  bessemer waves fit speech.wav --packets 400 --out speech-model
  bessemer waves fit photo.png --model siren --parameters 20000 --reconstruction again.png
  bessemer waves fit heights.csv --axes x,y --values height --extrapolate x:0.1
  bessemer waves fit glitchy-chirp --faithful --hold-out 0

With --json:
  {\"signal\", \"model\", \"points\", \"axes\", \"channels\", \"parameters\", \"bytes\", \"raw_bytes\", \"compression\",
   \"scores\": [{\"part\", \"points\", \"mse\", \"mae\", \"psnr\", \"mean_mse\"}], \"notes\",
   \"packets\": [{\"centre\", \"width\", \"frequency\", \"chirp\", \"velocity\", \"phase\", \"amplitude\", \"energy_share\"}],
   \"out\", \"steps\", \"best_step\", \"seconds_fit\", \"threads\", \"seed\"}
steps are those after packets were found, seconds_fit is the time of all. PSNR is in decibels and null where
there is no error, or the signal is constant; mean_mse is the error of predicting the mean of the training
values. Packets have frequencies in periods per unit of an axis."
)]
pub struct Fit {
    #[command(flatten)]
    signal: SignalArgs,
    /// packets, quasimoto, siren, rff, gaussian, wire-real, wire, finer, grid or interference
    #[arg(long, value_name = "NAME", default_value = "packets", conflicts_with = "faithful")]
    model: String,
    #[command(flatten)]
    size: SizeArgs,
    /// The packets of the Quasimoto reference, trained as there, on coordinates and values as they are
    #[arg(long, conflicts_with_all = ["packets", "parameters", "set", "rounds", "drop_below"])]
    faithful: bool,
    #[command(flatten)]
    split: SplitArgs,
    /// Folder for the model [default: `model` in the run's folder, else `model`]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write the signal as the model has it: .csv, and .wav of a sound, .png of an image
    #[arg(long, value_name = "FILE")]
    reconstruction: Option<PathBuf>,
    /// Go on with the training in --run that was stopped; the result has the same bits as without the
    /// interruption
    #[arg(long, requires = "run")]
    resume: bool,
    #[command(flatten)]
    train: WaveTrainArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Fitted {
    #[serde(flatten)]
    scored: Scored,
    out: String,
    steps: usize,
    best_step: Option<u64>,
    seconds_fit: f64,
    threads: usize,
    seed: u64,
}

impl Fit {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let progress = Progress::new(self.run.quiet, &self.watch)?;
        // Without a run's folder the model goes into the working folder.
        let default = (!self.run_folder.keeps()).then_some(Path::new("model"));
        let folders = [self.out.as_deref().or(default), self.run_folder.named()];
        folders.into_iter().flatten().try_for_each(output::check_folder)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        let written = self.reconstruction.as_deref();
        let places = [("the signal", self.signal.file()), ("--json", json), ("--reconstruction", written)];
        output::check_distinct(&places)?;
        written.map_or(Ok(()), output::check_file)?;
        let signal = self.signal.signal()?;
        written.map_or(Ok(()), |path| waves::check_writing(path, &signal))?;
        let split = self.split.split(&signal, self.train.seed)?;
        let asked = if self.faithful {
            self.train.faithful(&signal)?
        } else {
            let model = self.size.model(&self.model, &signal, self.train.seed)?;
            let options = self.train.options(&model, !split.validation.is_empty(), Steps::AfterRounds)?;
            Asked { model, options }
        };
        let _lock = self
            .out
            .as_deref()
            .filter(|out| !self.run_folder.holds(out))
            .map(output::lock_folder)
            .transpose()?;
        let what = format!("waves-{}", asked.model.name());
        let arguments = interrupt::arguments("");
        let data = self.signal.file();
        let mut kept =
            self.run_folder.begin(&what, arguments, self.train.seed, &pool, self.resume, data.as_slice())?;
        let result = self.work(&signal, &split, &asked, &progress, &pool, &mut kept);
        kept.end(result)
    }

    /// Refuses to go on with a run of other settings.
    fn check_same(&self, config: &str, kept: &KeptRun) -> Result<()> {
        let (Some(folder), true) = (kept.path(), kept.goes_on()) else { return Ok(()) };
        let path = folder.join("config.toml");
        if !path.exists() {
            return Ok(());
        }
        let saved = std::fs::read_to_string(&path).map_err(CliError::input(&path))?;
        let (folder, about) = (folder.to_path_buf(), settings_by_name(config));
        let checkpoints = Checkpoints { folder, every: 0, keep: 1, resume: true, about };
        Ok(checkpoints.check_about(&settings_by_name(&saved))?)
    }

    fn work(
        &self,
        signal: &Signal,
        split: &Split,
        asked: &Asked,
        progress: &Progress,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        let settings = toml::to_string(&asked.model).unwrap_or_default();
        let options = toml::to_string(&asked.options).unwrap_or_default();
        let of_points = [self.signal.settings(), self.split.settings()].concat();
        let points: String = of_points.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        let config = format!("# The model\n{settings}\n# Its training\n{options}\n[points]\n{points}");
        self.check_same(&config, kept)?;
        kept.write("config.toml", &config)?;
        let checkpoints = kept.checkpoints("", self.resume)?;
        let mut fitted = fit(signal, split, asked, checkpoints.as_ref(), progress, pool, kept)?;
        let out = self.out.clone().or_else(|| kept.place("model")).unwrap_or_else(|| "model".into());
        {
            let _hold = interrupt::writing();
            fitted.save(&out)?;
        }
        let outcome = fitted.evaluate(signal, split, pool)?;
        let again = fitted.reconstruct(signal, pool)?;
        if let Some(path) = &self.reconstruction {
            let _hold = interrupt::writing();
            write(path, &again)?;
        }
        let packets = fitted.packets(signal);
        let mut scored = Scored::new(self.signal.name(), signal.len(), &fitted, &outcome, packets);
        let shape =
            Shape { axes: signal.axes().len(), channels: signal.channels().len(), seed: self.train.seed };
        scored.notes.extend(self.size.note(&asked.model, shape)?);
        for score in &scored.scores {
            let name = format!("mse, {}", score.part);
            kept.end_training(fitted.model().name(), &[(&name, Some(score.mse))])?;
        }
        let page = report::waves(&scored, signal, split, &again, &fitted, &kept.metrics(), pool);
        kept.report(&page)?;
        let history = &fitted.history;
        let fitted = Fitted {
            scored,
            out: out.display().to_string(),
            steps: history.losses.len(),
            best_step: history.best_step,
            seconds_fit: history.elapsed.as_secs_f64(),
            threads: pool.threads(),
            seed: asked.options.train.seed,
        };
        if let Some(json) = &self.run.json {
            json.write(&fitted)?;
        }
        kept.write("results.json", &serde_json::to_string_pretty(&fitted).unwrap_or_default())?;
        if self.run.quiet {
            return Ok(());
        }
        self.run.print(&format!(
            "{}\n{} fitted in {}, saved in {}\n",
            fitted.scored.render(),
            fitted.scored.model,
            number::seconds(fitted.seconds_fit),
            fitted.out
        ))?;
        kept.print_report(&self.run)
    }
}

/// How many steps there are, those of the rounds among them, on batches of at most so many points.
fn pace_of(options: &FitOptions, points: usize) -> Pace {
    let rounds = options.greedy.map_or(0, |greedy| greedy.rounds as u64 * greedy.steps);
    let samples = options.batch.unwrap_or(points).min(points) as u64;
    Pace { steps: rounds + options.train.steps, samples, first: 0 }
}

/// The settings of a configuration, each in a line with the tables it lies in: several may have one name.
fn settings_by_name(config: &str) -> String {
    fn add(within: &str, table: &toml::Table, text: &mut String) {
        for (name, value) in table {
            match value {
                toml::Value::Table(table) => add(&format!("{within}{name}."), table, text),
                value => *text += &format!("{within}{name} = {value}\n"),
            }
        }
    }
    let mut text = String::new();
    // What someone has written into it that is no TOML differs in any case.
    let table = config.parse().unwrap_or_default();
    add("", &table, &mut text);
    text
}

/// Fits a model while it is watched and can be interrupted.
fn fit(
    signal: &Signal,
    split: &Split,
    asked: &Asked,
    checkpoints: Option<&Checkpoints>,
    progress: &Progress,
    pool: &Pool,
    kept: &mut KeptRun,
) -> Result<WaveFitter> {
    let Asked { model, options } = asked;
    let before = options.greedy.map_or(0, |greedy| greedy.rounds as u64 * greedy.steps);
    let pace = pace_of(options, split.train.len());
    let mut shown = progress.model(model.name(), pace);
    let _hold = interrupt::training();
    kept.begin_training("")?;
    let mut watch = |event: Event| {
        shown.watch(event);
        if let Some(problem) = kept.watch(&event) {
            shown.watch(Event::Problem { problem: &problem });
        }
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match WaveFitter::fit_watched(signal, split, model, options, checkpoints, pool, &mut watch) {
        Ok(fitted) => {
            let found = if checkpoints.is_some_and(|checkpoints| checkpoints.resume) { 0 } else { before };
            shown.finish(found as usize + fitted.history.losses.len(), fitted.history.elapsed);
            let history = &fitted.history;
            let scores = [
                ("loss", history.losses.last().copied()),
                ("steps", Some(history.losses.len() as f64)),
                ("seconds_fit", Some(history.elapsed.as_secs_f64())),
                ("parameters", Some(fitted.parameter_count() as f64)),
            ];
            kept.end_training(model.name(), &scores)?;
            Ok(fitted)
        }
        Err(waves::Error::Train(TrainError::Stopped { step, checkpoint })) => {
            let kept_nothing = checkpoints.is_some() && checkpoint.is_none();
            let round = |greedy: Greedy| {
                let round = step.saturating_sub(1) / greedy.steps.max(1) + 1;
                let again = match (checkpoints, kept_nothing) {
                    (None, _) => "",
                    (_, true) => ", with which it begins anew",
                    (_, false) => ", which it begins again",
                };
                format!("in round {round} of {}{again}", greedy.rounds)
            };
            let doing = options.greedy.filter(|_| step <= before).map(round);
            let doing = doing.unwrap_or_else(|| format!("at training step {step}"));
            let doing = format!("{} was {doing}", model.name());
            Err(match checkpoint {
                None if !kept_nothing => {
                    CliError::Interrupted { doing, run: kept.path().map(Path::to_path_buf) }
                }
                _ => CliError::Paused { doing, command: interrupt::resume_command("", kept.path()) },
            })
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_learns_from_no_more_points_than_there_are() {
        for (batch, samples) in [(None, 800), (Some(64), 64), (Some(100_000), 800)] {
            let options = FitOptions { batch, ..FitOptions::default() };
            assert_eq!(pace_of(&options, 800).samples, samples, "{batch:?}");
        }
    }

    #[test]
    fn settings_of_one_name_are_told_apart() {
        let config = "count = 3\n[greedy]\nlearning_rate = 0.1\n[train]\nlearning_rate = 0.2\n";
        assert_eq!(
            settings_by_name(config),
            "count = 3\ngreedy.learning_rate = 0.1\ntrain.learning_rate = 0.2\n"
        );
    }
}
