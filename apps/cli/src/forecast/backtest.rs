//! `bessemer forecast backtest`.

use std::path::PathBuf;

use bessemer::forecast::configuration::{self, Validation};
use bessemer::forecast::{
    Backtest, Baseline, Configuration, Error, FitOptions, Frame, Model, ScalerKind, Series, Split, backtest,
};

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
use crate::report::{self, Material};
use crate::results::Results;
use crate::run::RunArgs;
use crate::runs::{KeptRun, RunFolderArgs};
use crate::table;
use bessemer::plan::Pool;

/// Fit models on the earlier rows of a file and score them on the last, beside simple baselines
#[derive(clap::Args, Debug)]
#[command(
    name = "backtest",
    allow_negative_numbers = true,
    after_help = "\
Examples:
  bessemer forecast backtest sales.csv --models nhits,nlinear --horizon 12 --test-rows 36
  bessemer forecast backtest ETTh1.csv --models dlinear --horizon 96 --protocol ltsf

With --json:
  {\"data\", \"protocol\", \"horizon\", \"lookback\", \"windows\", \"threads\", \"seed\",
   \"models\": [{\"name\", \"baseline\", \"mse\", \"mae\", \"smape\", \"mase\", \"seconds_fit\",
               \"seconds_predict\", \"parameters\", \"losses\"}]}
Models are sorted, best first. Errors that are not defined are null."
)]
pub struct BacktestCommand {
    #[command(flatten)]
    read: ReadArgs,
    /// Models to fit, separated by commas: mlp, nlinear, dlinear, nhits, patchtst
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    models: Vec<String>,
    /// Steps to forecast
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    horizon: usize,
    /// Steps to look back on [default: two horizons or two seasons, whichever is longer; ltsf: 336]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "STEPS")]
    lookback: Option<usize>,
    /// How the data is divided and errors are measured
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Rows of each series to test on, in every window that fits [default: the horizon]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "ROWS")]
    test_rows: Option<usize>,
    /// Leave out the last test windows that fill no batch of N, as published figures once did
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    drop_last: Option<usize>,
    /// Write a report with charts, as a single HTML page
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    train: TrainArgs,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    /// Go on with the run in --run, which was interrupted: models that were trained are not trained again, and the
    /// scores are those that they would have been
    #[arg(long, requires = "run", conflicts_with = "tune", help_heading = "Run folder")]
    resume: bool,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What is trained and scored.
struct Trained {
    frame: Frame,
    splits: Vec<Split>,
    rows: Rows,
    lookback: usize,
    test: Backtest,
    models: Vec<Model>,
    options: Vec<FitOptions>,
    validation: Option<Validation>,
}

impl BacktestCommand {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let progress = Progress::new(self.run.quiet, &self.watch)?;
        let configuration = self.train.configuration()?;
        let models = configuration.models(&self.models)?;
        let validation = self.train.validation(&configuration);
        self.check(&configuration, validation)?;
        self.report.iter().try_for_each(|path| output::check_file(path))?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        let places =
            [("the data", Some(&*self.read.data)), ("--report", self.report.as_deref()), ("--json", json)];
        output::check_distinct(&places)?;
        let frame = self.read.read(&self.run)?;

        let season = frame.frequency.seasonality();
        let (horizon, protocol) = (self.horizon, self.protocol);
        let lookback = self.lookback.unwrap_or_else(|| defaults::lookback(protocol, horizon, season));
        let splits = self.splits(&frame, validation)?;
        let standardised = protocol == Protocol::Ltsf;
        let test = backtest(&frame, &splits, lookback, horizon, standardised, self.drop_last)?;
        if test.windows == 0 {
            return Err(CliError::argument(
                format!("--horizon {horizon}"),
                "no window of that length fits into the test rows",
                "test on more rows, shorten the horizon or drop --drop-last",
            ));
        }
        let unused = matches!(validation, Some(Validation::Rows(0)));
        let has_validation = !unused && splits.iter().any(|split| !split.validation.is_empty());
        let rows = Rows {
            training: splits.iter().map(|split| split.train.clone()).collect(),
            validation: has_validation.then(|| splits.iter().map(|split| split.validation.clone()).collect()),
        };
        // All options first, so that nothing wrong with the last model costs the training of the others.
        let options = models.iter().map(|model| self.options(&configuration, model, lookback, &frame, &rows));
        let options = options.collect::<Result<Vec<FitOptions>>>()?;
        if self.train.print_config && models.len() > 1 {
            let problem = "a configuration is for one model";
            return Err(CliError::argument("--print-config", problem, "name one with --models"));
        }
        if self.train.print_config {
            let all = models.iter().zip(&options);
            let texts = all.map(|(model, options)| configuration::render(model, options, validation));
            return output::print(&texts.collect::<Vec<_>>().join("\n"));
        }

        let arguments = interrupt::arguments("");
        let seed = options[0].train.seed;
        let mut kept =
            self.run_folder.begin("backtest", arguments, seed, &pool, self.resume, &[&self.read.data])?;
        let trained = Trained { frame, splits, rows, lookback, test, models, options, validation };
        let result = self.work(trained, &progress, &pool, &mut kept);
        kept.end(result)
    }

    fn work(&self, trained: Trained, progress: &Progress, pool: &Pool, kept: &mut KeptRun) -> Result<()> {
        let Trained { frame, splits, rows, lookback, test, models, options, validation } = trained;
        kept.keep_given(self.train.config.as_deref())?;
        let (horizon, protocol) = (self.horizon, self.protocol);
        let mut scores: Vec<_> = Baseline::ALL.map(|baseline| test.score_baseline(baseline)).into();
        let mut fitted = Vec::with_capacity(models.len());
        for (model, options) in models.iter().zip(&options) {
            let (options, tuned) = self.train.tuned(model, options.clone(), pool, &self.run)?;
            if let Some(tuning) = tuned {
                self.run.print(&format!("{}\n{}\n", model.name(), tuning.render()))?;
            }
            let name = model.name();
            kept.write(&format!("{name}/config.toml"), &configuration::render(model, &options, validation))?;
            // Several divisions by the clock can't be asked for again in one command.
            let checkpoints = kept.checkpoints(name, self.resume)?.filter(|_| !self.train.tunes());
            let checkpoints = checkpoints.as_ref();
            let forecaster =
                fitting::fit(&frame, &rows, model, &options, checkpoints, pool, progress, kept, name)?;
            kept.save(name, &forecaster)?;
            scores.push(test.score(&forecaster, pool)?);
            fitted.push(forecaster);
        }
        let mut results = Results {
            data: self.read.name(),
            protocol: protocol.name(),
            horizon,
            lookback,
            windows: test.windows,
            threads: pool.threads(),
            seed: options[0].train.seed,
            models: scores,
        };
        results.rank(protocol.rank_by());
        results.keep(kept)?;

        if let Some(json) = &self.run.json {
            json.write(&results)?;
        }
        self.run.print(&table::render(&results, protocol.rank_by(), "the unit of the data"))?;
        if self.report.is_none() && kept.path().is_none() {
            return Ok(());
        }
        let fitted = &mut fitted;
        let material = Material { results: &results, frame: &frame, splits: &splits, fitted, pool };
        let page = report::backtest(material, protocol.rank_by())?;
        kept.report(&page)?;
        if let Some(path) = &self.report {
            report::write(&page, path)?;
        }
        match &self.report {
            Some(path) => self.run.print(&format!("Report: {}\n", path.display())),
            None => kept.print_report(&self.run),
        }
    }

    fn check(&self, configuration: &Configuration, validation: Option<Validation>) -> Result<()> {
        self.train.check()?;
        let ltsf = self.protocol == Protocol::Ltsf;
        if self.horizon == 0 {
            return Err(Error::TooSmall { what: "horizon", value: 0, minimum: 1 }.into());
        }
        if self.drop_last == Some(0) {
            return Err(Error::TooSmall { what: "drop-last", value: 0, minimum: 1 }.into());
        }
        let scaler = match &self.train.scaler {
            Some(kind) => kind.parse::<ScalerKind>()?,
            None => configuration.options(FitOptions::new(1, 1))?.scaler,
        };
        if ltsf && scaler != ScalerKind::Standard {
            return Err(CliError::argument(
                "--scaler",
                "with --protocol ltsf every series is standardised",
                "leave it out, or use --protocol holdout",
            ));
        }
        let divides = !matches!(validation, None | Some(Validation::Rows(0)));
        if ltsf && (self.test_rows.is_some() || divides) {
            return Err(CliError::argument(
                "--test-rows and --validation",
                "--protocol ltsf has its own division of the rows",
                "leave them out (`--validation 0` trains without validating), or use --protocol holdout",
            ));
        }
        Ok(())
    }

    fn splits(&self, frame: &Frame, validation: Option<Validation>) -> Result<Vec<Split>> {
        if self.protocol == Protocol::Ltsf {
            return Ok(Split::ltsf(frame));
        }
        let test = self.test_rows.unwrap_or(self.horizon);
        let split = |series: &Series| {
            let rows = series.len();
            let validation = validation.map_or(0, |v| v.rows(rows.saturating_sub(test)));
            Split::holdout(rows, validation, test).map_err(|_| Error::SeriesTooShort {
                series: series.id.clone(),
                rows,
                needs: format!("holding out {validation} rows for validation and {test} for test"),
                minimum: validation.saturating_add(test).saturating_add(1),
            })
        };
        Ok(frame.series.iter().map(split).collect::<std::result::Result<_, Error>>()?)
    }

    fn options(
        &self,
        configuration: &Configuration,
        model: &Model,
        lookback: usize,
        frame: &Frame,
        rows: &Rows,
    ) -> Result<FitOptions> {
        let defaults = defaults::of(self.protocol, model.name());
        let shape = (self.horizon, lookback);
        let validates = rows.validation.is_some();
        let options =
            self.train.options(configuration, &defaults, shape, frame, &rows.training, validates)?;
        preflight::check(model, &options)?;
        Ok(options)
    }
}
