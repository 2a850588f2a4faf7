//! `bessemer forecast cross-validate`.

mod table;

use bessemer::forecast::configuration::{self, Validation};
use bessemer::forecast::{
    Configuration, Contender, CrossValidation, CrossValidator, Error, FoldTraining, Frame, Member, Split,
};
use bessemer::plan::Pool;
use bessemer::study::{Combination, Job, TimeSeriesFolds};
use clap::ValueEnum;
use serde::Serialize;

use super::defaults;
use super::protocol::Protocol;
use super::reading::ReadArgs;
use super::training::TrainArgs;
use crate::error::{CliError, Result};
use crate::interrupt;
use crate::number;
use crate::output::{self, JsonTarget};
use crate::parallel;
use crate::preflight;
use crate::progress::{Progress, Trainings, WatchArgs};
use crate::report::{self, Folds};
use crate::run::RunArgs;
use crate::runs::{KeptRun, KeptStudy, Part, RunFolderArgs, Trained};

/// Fit models several times, each time up to a later row, and score them on the rows that follow
///
/// Every fold has test rows of its own, and no model sees its test rows or anything after them. Trainings run
/// side by side, one on each thread, with the same results on any number of them.
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  bessemer forecast cross-validate sales.csv --models nhits,nlinear --horizon 12
  bessemer forecast cross-validate sales.csv --models nhits,nlinear,dlinear --horizon 12 --folds 8 \\
    --step 6 --train-rows 120 --validation 12 --ensemble weights

With --json:
  {\"data\", \"horizon\", \"lookback\", \"test_rows\", \"step\", \"gap\", \"train_rows\", \"threads\", \"seed\",
   \"windows\": [for each fold],
   \"models\": [{\"name\", \"baseline\", \"mse\", \"mae\", \"smape\", \"mase\": {\"mean\", \"deviation\"} each,
               \"parameters\",
               \"folds\": [{\"mse\", \"mae\", \"smape\", \"mase\", \"seconds_fit\", \"weights\"}]}]}
Models are sorted by their mean MAE, folds are in the order of time. Errors that are not defined are
null; only an ensemble by weights has these, in the order of --models."
)]
pub struct CrossValidate {
    #[command(flatten)]
    read: ReadArgs,
    /// Models to fit, separated by commas: mlp, nlinear, dlinear, nhits, patchtst
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    models: Vec<String>,
    /// Steps to forecast
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    horizon: usize,
    /// Steps to look back on [default: two horizons or two seasons, whichever is longer]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    lookback: Option<usize>,
    /// Folds, the last of which ends with the last row
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 5)]
    folds: usize,
    /// Rows of each series that a fold is scored on, in every window that fits [default: the horizon]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "ROWS")]
    test_rows: Option<usize>,
    /// Rows from one fold to the next [default: the test rows]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "ROWS")]
    step: Option<usize>,
    /// Rows between those that are learned from and those that are scored on; forecasts still look back on them
    #[arg(long, value_parser = number::whole::<usize>, value_name = "ROWS", default_value_t = 0)]
    gap: usize,
    /// Learn from so many rows before each fold's test [default: from all of them]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "ROWS")]
    train_rows: Option<usize>,
    /// Score all models together, too
    #[arg(long, value_enum, value_name = "KIND")]
    ensemble: Option<EnsembleName>,
    #[command(flatten)]
    train: TrainArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    /// Go on with the run in --run, which was interrupted: models that were trained are not trained again, those
    /// that were being trained begin anew, and the scores are those that they would have been
    #[arg(long, requires = "run", conflicts_with = "tune", help_heading = "Run folder")]
    resume: bool,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// Ensembles by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EnsembleName {
    /// The mean of all models
    Mean,
    /// Their median
    Median,
    /// A weighted mean, by weights fitted on each fold's validation rows
    Weights,
}

/// What is validated, on what.
struct Validating<'a> {
    frame: &'a Frame,
    contenders: &'a [Vec<Contender>],
    folds: &'a [Vec<Split>],
    division: TimeSeriesFolds,
    lookback: usize,
    validation: Option<Validation>,
    validator: CrossValidator<'a>,
}

/// What a run that goes on must have in common with the one that was interrupted.
#[derive(Serialize)]
struct About {
    horizon: usize,
    lookback: usize,
    folds: usize,
    test_rows: usize,
    step: usize,
    gap: usize,
    train_rows: Option<usize>,
    validation: Option<String>,
    models: Vec<&'static str>,
    ensemble: Option<String>,
}

/// What `--json` writes.
#[derive(Serialize)]
pub struct CrossValidated {
    /// The file, or the name of the built-in series.
    pub data: String,
    /// Steps forecast.
    pub horizon: usize,
    /// Steps looked back on.
    pub lookback: usize,
    /// Rows of each series that a fold is scored on.
    pub test_rows: usize,
    /// Rows from one fold to the next.
    pub step: usize,
    /// Rows between those that are learned from and those that are scored on.
    pub gap: usize,
    /// Rows that a fold learns from, if not all.
    pub train_rows: Option<usize>,
    /// Threads worked with.
    pub threads: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Models and baselines, best first.
    #[serde(flatten)]
    pub scores: CrossValidation,
}

impl CrossValidate {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let progress = Progress::new(self.run.quiet, &self.watch)?;
        let configuration = self.train.configuration()?;
        let validation = self.train.validation(&configuration);
        self.check(validation)?;
        let models = configuration.models(&self.models)?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("the data", Some(&*self.read.data)), ("--json", json)])?;
        let frame = self.read.read(&self.run)?;

        let season = frame.frequency.seasonality();
        let lookback =
            self.lookback.unwrap_or_else(|| defaults::lookback(Protocol::Holdout, self.horizon, season));
        let test = self.test_rows.unwrap_or(self.horizon);
        let division = TimeSeriesFolds {
            folds: self.folds,
            test,
            step: self.step.unwrap_or(test),
            gap: self.gap,
            train: self.train_rows,
        };
        let held = |rows| validation.map_or(0, |validation| validation.rows(rows));
        let folds = Split::time_series(&frame, &division, &held)?;
        let contender =
            |model, splits: &Vec<Split>| self.contender(&configuration, model, lookback, &frame, splits);
        let contenders =
            folds.iter().map(|splits| models.iter().map(|model| contender(model, splits)).collect());
        let contenders = contenders.collect::<Result<Vec<Vec<Contender>>>>()?;
        preflight::check_side_by_side(&contenders.concat(), pool.threads())?;
        for Contender { model, options } in &contenders[0] {
            self.train.tuned(model, options.clone(), &pool, &self.run)?; // only says how precise it will be
        }

        if self.train.print_config && models.len() > 1 {
            let problem = "a configuration is for one model";
            return Err(CliError::argument("--print-config", problem, "name one with --models"));
        }
        if self.train.print_config {
            let all = contenders[0].iter();
            let texts =
                all.map(|Contender { model, options }| configuration::render(model, options, validation));
            return output::print(&texts.collect::<Vec<_>>().join("\n"));
        }
        let seed = contenders[0][0].options.train.seed;
        let arguments = interrupt::arguments("");
        let validator =
            CrossValidator::new(&frame, &folds, &contenders, self.ensemble.map(EnsembleName::get))?;
        let data = &[&*self.read.data];
        let mut kept = self.run_folder.begin("cross-validate", arguments, seed, &pool, self.resume, data)?;
        let validating = Validating {
            frame: &frame,
            contenders: &contenders,
            folds: &folds,
            division,
            lookback,
            validation,
            validator,
        };
        let result = self.work(&validating, &progress, &pool, &mut kept);
        kept.end(result)
    }

    fn work(
        &self,
        validating: &Validating,
        progress: &Progress,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        let Validating { frame, contenders, validation, validator, .. } = validating;
        let trainings = validator.trainings();
        let parts = trainings.iter().map(|FoldTraining { fold, contender, splits }| {
            let name = format!("fold-{}/{}", fold + 1, contender.model.name());
            Part { name, contender, splits }
        });
        let about = self.about(validating);
        let study = KeptStudy::begin(kept, "cross-validate", &about, &contenders[0], frame, parts.collect())?;
        study.run().keep_given(self.train.config.as_deref())?;
        for Contender { model, options } in &contenders[0] {
            let name = format!("{}/config.toml", model.name());
            study.run().write(&name, &configuration::render(model, options, *validation))?;
        }
        let members = parallel::trainings(pool, progress, &study, |jobs, shown| {
            let train =
                |training: &FoldTraining, job: &Job| train_one(training, job, validating, &study, shown);
            jobs.run(&trainings, train).map_err(Box::new)
        })?;
        let scores = validator.conclude(&members, pool)?;
        self.tell(validating, scores, pool, kept)
    }

    /// What a run that goes on must have in common with this one, beside the settings of its models.
    fn about(&self, validating: &Validating) -> About {
        let TimeSeriesFolds { folds, test, step, gap, train } = validating.division;
        About {
            horizon: self.horizon,
            lookback: validating.lookback,
            folds,
            test_rows: test,
            step,
            gap,
            train_rows: train,
            validation: validating.validation.map(|validation| validation.to_string()),
            models: validating.contenders[0].iter().map(|contender| contender.model.name()).collect(),
            ensemble: self.ensemble.and_then(|name| Some(name.to_possible_value()?.get_name().to_string())),
        }
    }

    /// Writes and prints the scores.
    fn tell(
        &self,
        validating: &Validating,
        mut scores: CrossValidation,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        for model in &scores.models {
            let mase = model.mase.map(|mase| mase.mean);
            let of_folds = [("mse", Some(model.mse.mean)), ("mae", Some(model.mae.mean)), ("mase", mase)];
            kept.end_training(&model.name, &of_folds)?;
        }
        scores.models.sort_by(|a, b| a.mae.mean.total_cmp(&b.mae.mean));
        let validated = CrossValidated {
            data: self.read.name(),
            horizon: self.horizon,
            lookback: validating.lookback,
            test_rows: validating.division.test,
            step: validating.division.step,
            gap: self.gap,
            train_rows: self.train_rows,
            threads: pool.threads(),
            seed: validating.contenders[0][0].options.train.seed,
            scores,
        };
        if let Some(json) = &self.run.json {
            json.write(&validated)?;
        }
        kept.write("results.json", &serde_json::to_string_pretty(&validated).unwrap_or_default())?;
        self.run.print(&table::render(&validated, &self.models))?;
        let Some(run) = kept.path() else { return Ok(()) };
        let Validating { frame, contenders, folds, .. } = validating;
        let contenders = &contenders[0];
        kept.report(&report::cross_validate(&Folds {
            validated: &validated,
            contenders,
            frame,
            folds,
            run,
        }))?;
        kept.print_report(&self.run)
    }

    fn check(&self, validation: Option<Validation>) -> Result<()> {
        self.train.check()?;
        self.train.check_untuned()?;
        if self.horizon == 0 {
            return Err(Error::TooSmall { what: "horizon", value: 0, minimum: 1 }.into());
        }
        if let Some(rows) = self.test_rows.filter(|rows| *rows < self.horizon) {
            return Err(CliError::argument(
                format!("--test-rows {rows}"),
                format!("no window of {} steps fits into them", self.horizon),
                "test on more rows, or shorten the horizon",
            ));
        }
        let unused = matches!(validation, None | Some(Validation::Rows(0)));
        let unused = unused || matches!(validation, Some(Validation::Fraction(share)) if share == 0.0);
        if self.ensemble == Some(EnsembleName::Weights) && unused {
            return Err(CliError::argument(
                "--ensemble weights",
                "there are no validation rows to fit weights on",
                "give some with --validation, such as a horizon or two, or take the mean",
            ));
        }
        if self.ensemble.is_some() && self.models.len() < 2 {
            return Err(CliError::argument(
                "--ensemble",
                "an ensemble of one model is that model",
                "name two or more with --models",
            ));
        }
        Ok(())
    }

    fn contender(
        &self,
        configuration: &Configuration,
        model: &bessemer::forecast::Model,
        lookback: usize,
        frame: &Frame,
        splits: &[Split],
    ) -> Result<Contender> {
        let defaults = defaults::of(Protocol::Holdout, model.name());
        let training: Vec<_> = splits.iter().map(|split| split.train.clone()).collect();
        let validates = splits.iter().any(|split| !split.validation.is_empty());
        let shape = (self.horizon, lookback);
        let options = self.train.options(configuration, &defaults, shape, frame, &training, validates)?;
        Ok(Contender { model: model.clone(), options })
    }
}

impl EnsembleName {
    fn get(self) -> Combination {
        match self {
            EnsembleName::Mean => Combination::Mean,
            EnsembleName::Median => Combination::Median,
            EnsembleName::Weights => Combination::Weights,
        }
    }
}

/// Fits a model to a fold, unless it was before.
fn train_one(
    training: &FoldTraining,
    job: &Job,
    validating: &Validating,
    study: &KeptStudy,
    shown: &Trainings,
) -> Result<Member> {
    let Validating { frame, validator, .. } = validating;
    if let Some(trained) = study.before(job.number) {
        let forecaster = study.model(job.number, trained)?;
        return Ok(validator.score(training.fold, &forecaster, &job.pool)?);
    }
    let mut metrics = study.begin_training(job.number)?;
    let forecaster = training.contender.fit(frame, training.splits, job, &mut |event| {
        metrics.watch(event).iter().for_each(|problem| shown.warn(problem));
    })?;
    let member = validator.score(training.fold, &forecaster, &job.pool)?;
    let (mae, seconds) = (member.score.mae, member.score.seconds_fit);
    let trained = Trained { seconds, mae: Some(mae), problem: None, weights: None };
    if let Err(problem) = study.end_training(job.number, metrics, trained, Some(&forecaster)) {
        shown.warn(&problem);
    }
    let (fold, model) = (training.fold + 1, &member.score.name);
    let gave = format!("fold {fold}, {model}: MAE {} in {}", number::digits(mae), number::seconds(seconds));
    study.run().log(&gave);
    shown.ended(&gave, false);
    Ok(member)
}
