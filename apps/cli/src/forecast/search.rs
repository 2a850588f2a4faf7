//! `bessemer forecast search`.

mod trial;

use std::sync::Mutex;

use bessemer::forecast::configuration::{self, Setting, Validation};
use bessemer::forecast::{
    Baseline, Configuration, Contender, Error, FitOptions, Forecaster, Frame, Model, Split, backtest,
};
use bessemer::plan::Pool;
use bessemer::study::{Dimension, Findings, Job, Outcome, Search, Space, TimeSeriesFolds, Trial, Value};
use serde::Serialize;

use super::defaults::{self, Defaults};
use super::protocol::Protocol;
use super::reading::ReadArgs;
use super::training::TrainArgs;
use crate::error::{CliError, Result};
use crate::fitting::{self, Rows};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::parallel;
use crate::preflight;
use crate::progress::{Progress, WatchArgs};
use crate::report::{self, Material, Tried};
use crate::results::Results;
use crate::run::RunArgs;
use crate::runs::{KeptRun, KeptStudy, Part, RunFolderArgs};
use crate::table::{self, plain};

/// Trials that the table shows.
const SHOWN: usize = 10;

/// Try settings of a model and of its training, and score the best on rows that didn't choose it
///
/// Every trial is fitted to the training rows and scored on the validation rows. The best is then scored on the
/// test rows, beside the baselines: its validation error is flattered by having been chosen. Trials run side by
/// side, one on each thread, with the same results on any number of them.
#[derive(clap::Args, Debug)]
#[command(
    name = "search",
    allow_negative_numbers = true,
    after_help = "\
Examples:
  bessemer forecast search sales.csv --model mlp --horizon 12 --vary hidden=64,128,256 \\
    --vary learning-rate=log:1e-4..1e-2
  bessemer forecast search sales.csv --model nhits --horizon 12 --trials 40 --vary layers=1..4 \\
    --vary lookback=24..96 --vary optimizer=adam,adamw --vary pool=[2,2,1],[4,2,1]

With --json:
  {\"data\", \"model\", \"horizon\", \"search\", \"settings\": [names],
   \"trials\": [{\"number\", \"values\", \"score\", \"problem\"}], \"options\",
   \"test\": {\"data\", \"protocol\", \"horizon\", \"lookback\", \"windows\", \"threads\", \"seed\", \"models\"}}
Trials are sorted, best first; score is the MAE on the validation rows, null with a problem where
training diverged. test has the form of `forecast backtest`, with the best trial as the only model."
)]
pub struct SearchCommand {
    #[command(flatten)]
    read: ReadArgs,
    /// mlp, nlinear, dlinear, nhits or patchtst
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Steps to forecast
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    horizon: usize,
    /// Steps to look back on [default: two horizons or two seasons, whichever is longer]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    lookback: Option<usize>,
    /// NAME=VALUES: a setting of the model, an option of the training without its dashes, or lookback, and its
    /// values, such as 16,32 or 16..512 or log:1e-4..1e-2; may be repeated
    #[arg(long, value_name = "SETTING", value_parser = Varied::parse, required = true)]
    vary: Vec<Varied>,
    /// Draw so many trials at random instead of trying every combination
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    trials: Option<usize>,
    /// Values of each range, where every combination is tried
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 3, conflicts_with = "trials")]
    points: usize,
    /// Rows of each series that the best is scored on, in every window that fits [default: the horizon]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "ROWS")]
    test_rows: Option<usize>,
    #[command(flatten)]
    train: TrainArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    /// Go on with the run in --run, which was interrupted: trials that came to their end are not repeated, those
    /// that were being trained begin anew, and the scores are those that they would have been
    #[arg(long, requires = "run", conflicts_with = "tune", help_heading = "Run folder")]
    resume: bool,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// `name=values`.
#[derive(Clone, Debug)]
struct Varied {
    name: String,
    /// As given.
    values: String,
    dimension: Dimension,
}

impl Varied {
    /// For clap.
    fn parse(text: &str) -> std::result::Result<Varied, String> {
        let (name, values) = text.split_once('=').ok_or("it must be name=values, such as hidden=64,128")?;
        let name = name.trim().trim_start_matches("--").replace('_', "-");
        let dimension = values.parse().map_err(|error: bessemer::study::StudyError| error.to_string())?;
        Ok(Varied { name, values: values.trim().to_string(), dimension })
    }
}

/// What was tried, on what.
struct Searching {
    frame: Frame,
    splits: Vec<Split>,
    rows: Rows,
    space: Space,
    trials: Vec<Trial>,
    contenders: Vec<Contender>,
    seed: u64,
    validation: Option<Validation>,
}

/// What a run that goes on must have in common with the one that was interrupted.
#[derive(Serialize)]
struct About {
    horizon: usize,
    vary: Vec<String>,
    trials: Option<usize>,
    points: Option<usize>,
    test_rows: usize,
    validation: Option<String>,
    seed: u64,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Searched<'a> {
    data: String,
    model: &'static str,
    horizon: usize,
    search: &'static str,
    #[serde(flatten)]
    found: &'a Findings,
    /// Of `forecast fit`, beside those that didn't vary.
    options: String,
    test: Results,
}

impl SearchCommand {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        self.train.check()?;
        self.train.check_untuned()?;
        let progress = Progress::new(self.run.quiet, &self.watch)?;
        let configuration = self.train.configuration()?;
        let validation = self.train.validation(&configuration);
        let model = configuration.models(std::slice::from_ref(&self.model))?.remove(0);
        let defaults = defaults::of(Protocol::Holdout, model.name());
        let dimensions = self.vary.iter().map(|v| (v.name.clone(), v.dimension.clone())).collect();
        let space = Space::new(dimensions).map_err(Error::from)?;
        let seed = self.train.seed.unwrap_or(defaults.seed);
        let how = match self.trials {
            Some(trials) => Search::Random { seed, trials },
            None => Search::Grid { points: self.points },
        };
        let trials = space.trials(&how).map_err(Error::from)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("the data", Some(&*self.read.data)), ("--json", json)])?;
        let frame = self.read.read(&self.run)?;
        let splits = self.splits(&frame, validation)?;
        let rows = Rows {
            training: splits.iter().map(|split| split.train.clone()).collect(),
            validation: Some(splits.iter().map(|split| split.validation.clone()).collect()),
        };
        // All of them first, so that nothing wrong with the last trial costs the training of the others.
        let contenders = trials
            .iter()
            .map(|trial| self.contender(&configuration, &model, &defaults, &space, trial, &frame, &rows));
        let contenders = contenders.collect::<Result<Vec<Contender>>>()?;
        for (number, contender) in contenders.iter().enumerate() {
            let same =
                |other: &&Contender| other.model == contender.model && other.options == contender.options;
            if trials[..number]
                .iter()
                .zip(&contenders)
                .any(|(trial, other)| trial.values != trials[number].values && same(&other))
            {
                return Err(CliError::argument(
                    "--vary",
                    "trials of different values are the same training, as another option fixes what varies",
                    "vary something else, or leave out that option",
                ));
            }
        }
        preflight::check_side_by_side(&contenders, pool.threads())?;
        let longest = contenders.iter().map(|contender| contender.options.lookback).max().unwrap_or(1);
        backtest(&frame, &splits, longest, self.horizon, false, None)?;

        if self.train.print_config {
            let Contender { model, options } = &contenders[0];
            return output::print(&configuration::render(model, options, validation));
        }
        let what = format!("search-{}", model.name());
        let (arguments, data) = (interrupt::arguments(""), &[&*self.read.data]);
        let mut kept = self.run_folder.begin(&what, arguments, seed, &pool, self.resume, data)?;
        let searching = Searching { frame, splits, rows, space, trials, contenders, seed, validation };
        let result = self.work(&searching, &progress, &pool, &mut kept);
        kept.end(result)
    }

    fn work(
        &self,
        searching: &Searching,
        progress: &Progress,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        let Searching { frame, splits, space, trials, contenders, .. } = searching;
        let parts = contenders.iter().enumerate().map(|(number, contender)| {
            let name = format!("trial-{}", number + 1);
            Part { name, contender, splits }
        });
        let about = self.about(searching);
        let study = KeptStudy::begin(kept, "search", &about, &contenders[..1], frame, parts.collect())?;
        study.run().keep_given(self.train.config.as_deref())?;
        let best = (0..trials.len()).filter_map(|number| study.before(number)?.mae);
        let best = Mutex::new(best.fold(f64::INFINITY, f64::min));
        let found = parallel::trainings(pool, progress, &study, |jobs, shown| {
            let train =
                |tried: &Trial, job: &Job| trial::try_one(tried, job, searching, &study, shown, &best);
            space.search(jobs, trials, train).map_err(Box::new)
        })?;
        self.tell(searching, &found, progress, pool, kept)
    }

    /// What a run that goes on must have in common with this one, beside the settings of its first trial.
    fn about(&self, searching: &Searching) -> About {
        About {
            horizon: self.horizon,
            vary: self.vary.iter().map(|varied| format!("{}={}", varied.name, varied.values)).collect(),
            trials: self.trials,
            points: self.trials.is_none().then_some(self.points),
            test_rows: self.test_rows.unwrap_or(self.horizon),
            validation: searching.validation.map(|validation| validation.to_string()),
            seed: searching.seed,
        }
    }

    /// Scores the best, writes and prints.
    fn tell(
        &self,
        searching: &Searching,
        found: &Findings,
        progress: &Progress,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        let Searching { frame, splits, rows, space, contenders, validation, .. } = searching;
        let Some(best) = found.best() else {
            return Err(CliError::argument(
                "--vary",
                format!("no trial has a score: {}", found.trials[0].problem.as_deref().unwrap_or("none")),
                "try other values",
            ));
        };
        let Contender { model, options } = &contenders[best.number];
        kept.write("config.toml", &configuration::render(model, options, *validation))?;
        let (test, mut fitted) = self.test(frame, splits, rows, model, options, pool, progress, kept)?;
        test.keep(kept)?;
        let searched = Searched {
            data: self.read.name(),
            model: model.name(),
            horizon: self.horizon,
            search: if self.trials.is_some() { "random" } else { "grid" },
            found,
            options: self.options_of(space, best),
            test,
        };
        if let Some(json) = &self.run.json {
            json.write(&searched)?;
        }
        kept.write("results.json", &serde_json::to_string_pretty(&searched).unwrap_or_default())?;
        self.run.print(&render(&searched))?;
        if kept.path().is_none() {
            return Ok(());
        }
        let (results, fitted) = (&searched.test, std::slice::from_mut(&mut fitted));
        let material = Material { results, frame, splits, fitted, pool };
        let tried = Tried { space, found, options: &searched.options };
        kept.report(&report::search(&tried, material)?)?;
        kept.print_report(&self.run)
    }

    /// Rows for training, validation and test; as many validate as are tested on, unless others are given.
    fn splits(&self, frame: &Frame, validation: Option<Validation>) -> Result<Vec<Split>> {
        let test = self.test_rows.unwrap_or(self.horizon);
        let validation = validation.unwrap_or(Validation::Rows(test));
        if validation.rows(usize::MAX) == 0 {
            return Err(CliError::argument(
                "--validation 0",
                "trials are scored on validation rows",
                "leave it out for as many as are tested on",
            ));
        }
        let mut folds =
            Split::time_series(frame, &TimeSeriesFolds::new(1, test), &|rows| validation.rows(rows))?;
        Ok(folds.remove(0))
    }

    /// What is fitted for a trial.
    fn contender(
        &self,
        configuration: &Configuration,
        model: &Model,
        defaults: &Defaults,
        space: &Space,
        trial: &Trial,
        frame: &Frame,
        rows: &Rows,
    ) -> Result<Contender> {
        let season = frame.frequency.seasonality();
        let mut lookback =
            self.lookback.unwrap_or_else(|| defaults::lookback(Protocol::Holdout, self.horizon, season));
        let mut train = self.train.clone();
        let mut configuration = configuration.clone();
        for ((name, _), value) in space.dimensions().iter().zip(&trial.values) {
            let value = value.to_string();
            match train.with(name, &value) {
                _ if name == "lookback" => {
                    lookback = number::whole(&value).map_err(|problem| {
                        CliError::argument(
                            format!("--vary lookback={value}"),
                            problem,
                            "give numbers of steps",
                        )
                    })?;
                }
                Some(varied) => train = varied?,
                None => {
                    let place = format!("--vary {name}={value}");
                    configuration = configuration.and(Setting::new(place, name, &value));
                }
            }
        }
        let model = configuration.models(&[model.name()])?.remove(0);
        let shape = (self.horizon, lookback);
        let options = train.options(&configuration, defaults, shape, frame, &rows.training, true)?;
        Ok(Contender { model, options })
    }

    /// The best trial, fitted again with the same bits, on the test rows beside the baselines.
    fn test(
        &self,
        frame: &Frame,
        splits: &[Split],
        rows: &Rows,
        model: &Model,
        options: &FitOptions,
        pool: &Pool,
        progress: &Progress,
        kept: &mut KeptRun,
    ) -> Result<(Results, Forecaster)> {
        let test = backtest(frame, splits, options.lookback, self.horizon, false, None)?;
        let checkpoints = kept.checkpoints("", self.resume)?;
        let checkpoints = checkpoints.as_ref();
        let forecaster = fitting::fit(frame, rows, model, options, checkpoints, pool, progress, kept, "")?;
        kept.save("model", &forecaster)?;
        let mut scores: Vec<_> = Baseline::ALL.map(|baseline| test.score_baseline(baseline)).into();
        scores.push(test.score(&forecaster, pool)?);
        let mut results = Results {
            data: self.read.name(),
            protocol: Protocol::Holdout.name(),
            horizon: self.horizon,
            lookback: options.lookback,
            windows: test.windows,
            threads: pool.threads(),
            seed: options.train.seed,
            models: scores,
        };
        results.rank(Protocol::Holdout.rank_by());
        Ok((results, forecaster))
    }

    /// The options of `forecast fit` that ask for a trial, beside those that don't vary.
    fn options_of(&self, space: &Space, trial: &Outcome) -> String {
        let word = |((name, _), value): (&(String, Dimension), &Value)| {
            let is_option = name == "lookback" || self.train.with(name, &value.to_string()).is_some();
            if is_option { format!("--{name} {value}") } else { format!("--set {name}={value}") }
        };
        space.dimensions().iter().zip(&trial.values).map(word).collect::<Vec<_>>().join(" ")
    }
}

fn render(searched: &Searched) -> String {
    let Findings { settings, trials } = searched.found;
    let header = ["trial"].into_iter().chain(settings.iter().map(String::as_str)).chain(["validation MAE"]);
    let rows = trials.iter().take(SHOWN).map(|trial| {
        let score = trial.score.map_or("diverged".to_string(), number::digits);
        let number = (trial.number + 1).to_string();
        [number]
            .into_iter()
            .chain(trial.values.iter().map(|v| v.to_string()))
            .chain([score])
            .collect::<Vec<_>>()
    });
    let shown = match trials.len() {
        all if all > SHOWN => format!("The best {SHOWN} of {} trials.\n", number::count(all)),
        all => format!("{}.\n", number::counted(all, "trial")),
    };
    format!(
        "{}\n{shown}\nThe best on test rows that chose nothing:\n\n{}\nTo fit it: `forecast fit` with the options that were given, and {}\n",
        plain(header.collect(), rows),
        table::render(&searched.test, Protocol::Holdout.rank_by(), "the unit of the data"),
        searched.options,
    )
}
