//! `bessemer forecast cross-validate`.

use bessemer::forecast::configuration::{self, Validation};
use bessemer::forecast::{
    Configuration, Contender, CrossScore, CrossValidation, Error, Frame, Split, Spread, cross_validate,
};
use bessemer::plan::Pool;
use bessemer::study::{Combination, TimeSeriesFolds};
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
use crate::progress::{Progress, WatchArgs};
use crate::run::RunArgs;
use crate::runs::{KeptRun, RunFolderArgs};
use crate::table::plain;

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

/// What `--json` writes.
#[derive(Serialize)]
struct CrossValidated {
    data: String,
    horizon: usize,
    lookback: usize,
    test_rows: usize,
    step: usize,
    gap: usize,
    train_rows: Option<usize>,
    threads: usize,
    seed: u64,
    #[serde(flatten)]
    scores: CrossValidation,
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
        let mut kept =
            self.run_folder.begin("cross-validate", arguments, seed, &pool, false, Some(&self.read.data))?;
        for Contender { model, options } in &contenders[0] {
            let name = format!("{}/config.toml", model.name());
            kept.write(&name, &configuration::render(model, options, validation))?;
        }
        let ensemble = self.ensemble.map(EnsembleName::get);
        let scores = parallel::trainings(&pool, &progress, |jobs| {
            cross_validate(&frame, &folds, &contenders, ensemble, jobs)
        });
        let result = scores.and_then(|scores| {
            let shape = (lookback, test, division.step);
            self.tell(shape, seed, scores, &pool, &mut kept)
        });
        kept.end(result)
    }

    /// Writes and prints the scores.
    fn tell(
        &self,
        (lookback, test, step): (usize, usize, usize),
        seed: u64,
        mut scores: CrossValidation,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<()> {
        kept.keep_given(self.train.config.as_deref())?;
        for model in &scores.models {
            let mase = model.mase.map(|mase| mase.mean);
            let of_folds = [("mse", Some(model.mse.mean)), ("mae", Some(model.mae.mean)), ("mase", mase)];
            kept.end_training(&model.name, &of_folds)?;
        }
        scores.models.sort_by(|a, b| a.mae.mean.total_cmp(&b.mae.mean));
        let validated = CrossValidated {
            data: self.read.name(),
            horizon: self.horizon,
            lookback,
            test_rows: test,
            step,
            gap: self.gap,
            train_rows: self.train_rows,
            threads: pool.threads(),
            seed,
            scores,
        };
        if let Some(json) = &self.run.json {
            json.write(&validated)?;
        }
        kept.write("results.json", &serde_json::to_string_pretty(&validated).unwrap_or_default())?;
        self.run.print(&render(&validated, &self.models))
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

/// Means and deviations, then each fold.
fn render(validated: &CrossValidated, names: &[String]) -> String {
    let CrossValidation { windows, models } = &validated.scores;
    let spread = |spread: Spread| match spread.deviation {
        Some(deviation) => format!("{} ± {}", number::digits(spread.mean), number::digits(deviation)),
        None => number::digits(spread.mean),
    };
    let name = |model: &CrossScore| match model.baseline {
        true => format!("{} (baseline)", model.name),
        false => model.name.clone(),
    };
    let summary = plain(
        vec!["model", "MAE", "sMAPE, %", "MASE", "fit, each", "parameters"],
        models.iter().map(|model| {
            let fits: f64 = model.folds.iter().map(|fold| fold.seconds_fit).sum();
            let trained = |text: String| if model.baseline { "-".to_string() } else { text };
            [
                name(model),
                spread(model.mae),
                spread(model.smape),
                model.mase.map_or("n/a".into(), spread),
                trained(number::seconds(fits / model.folds.len() as f64)),
                trained(number::count(model.parameters)),
            ]
        }),
    );
    let header = ["MAE of fold", "windows"].into_iter().chain(models.iter().map(|model| &*model.name));
    let folds = windows.iter().enumerate().map(|(fold, windows)| {
        let errors = models.iter().map(|model| number::digits(model.folds[fold].mae));
        [(fold + 1).to_string(), number::count(*windows)].into_iter().chain(errors).collect::<Vec<String>>()
    });
    let weights = models.iter().find(|model| model.folds.iter().all(|fold| fold.weights.is_some()));
    let weights = weights.map_or(String::new(), |ensemble| {
        let mean = |place: usize| {
            let of_folds = ensemble.folds.iter().flat_map(|fold| &fold.weights).map(|weights| weights[place]);
            of_folds.sum::<f64>() / ensemble.folds.len() as f64
        };
        let named =
            names.iter().enumerate().map(|(place, name)| format!("{} {:.2}", name.trim(), mean(place)));
        format!("Weights, mean over folds: {}.\n", named.collect::<Vec<_>>().join(", "))
    });
    format!(
        "{summary}\n{}, {} ahead from {} back; mean ± standard deviation over folds, MAE in the unit of the data.\n\
         {weights}\n{}\n",
        number::counted(windows.len(), "fold"),
        number::counted(validated.horizon, "step"),
        validated.lookback,
        plain(header.collect(), folds),
    )
}
