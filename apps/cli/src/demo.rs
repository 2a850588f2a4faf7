//! `bessemer demo`: models and baselines on a built-in series, with a report.

use std::path::PathBuf;

use bessemer::forecast::{
    Backtest, Baseline, FitOptions, Forecaster, Model, ScalerKind, Split, air_passengers, backtest,
};
use bessemer::plan::Pool;

use crate::error::Result;
use crate::fitting::{self, Rows};
use crate::output;
use crate::progress::Progress;
use crate::report;
use crate::results::{RankBy, Results};
use crate::run::RunArgs;
use crate::table;

const HORIZON: usize = 12;
const LOOKBACK: usize = 24;
/// The last year before the test chooses the weights.
const VALIDATION_ROWS: usize = 12;
/// The last two years, with a forecast from every month that has a whole year after it.
const TEST_ROWS: usize = 24;

/// Train four models on a built-in series and compare them with simple baselines
///
/// Forecasts a year of monthly airline passengers (1949 to 1960) from the two years before, from each
/// of 13 months in 1958 and 1959, and writes a report with charts.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer demo --report demo.html

With --json:
  {\"data\", \"protocol\", \"horizon\", \"lookback\", \"windows\", \"threads\", \"seed\",
   \"models\": [{\"name\", \"baseline\", \"mse\", \"mae\", \"smape\", \"mase\", \"seconds_fit\",
               \"seconds_predict\", \"parameters\"}]}")]
pub struct Demo {
    /// Where to write the report, a single HTML page
    #[arg(long, value_name = "FILE", default_value = "bessemer-demo.html")]
    report: PathBuf,
    /// Optimiser steps for each model
    #[arg(long, value_name = "N", default_value_t = 400)]
    max_steps: u64,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    run: RunArgs,
}

impl Demo {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        output::check_file(&self.report)?;
        let frame = air_passengers::frame();
        let splits = Split::holdout_each(&frame, VALIDATION_ROWS, TEST_ROWS)?;
        let test = backtest(&frame, &splits, LOOKBACK, HORIZON, false, None)?;
        let mut fitted = self.fit(&splits, &pool)?;
        let results = self.score(&test, &fitted, &pool)?;

        if let Some(json) = &self.run.json {
            json.write(&results)?;
        }
        self.run.print(&table::render(&results, RankBy::Mae))?;
        report::demo(&results, &frame, &splits, &mut fitted, &pool, &self.report)?;
        self.run.print(&format!("Report: {}\n", self.report.display()))
    }

    fn fit(&self, splits: &[Split], pool: &Pool) -> Result<Vec<Forecaster>> {
        let frame = air_passengers::frame();
        let rows = Rows {
            training: splits.iter().map(|split| split.train.clone()).collect(),
            validation: Some(splits.iter().map(|split| split.validation.clone()).collect()),
        };
        let progress = Progress::new(self.run.quiet);
        let fit = |(name, learning_rate): (&str, f64)| {
            let model = Model::by_name(name)?;
            fitting::fit(&frame, &rows, &model, &self.options(learning_rate), pool, &progress)
        };
        [("nhits", 1e-3), ("mlp", 1e-3), ("nlinear", 1e-2), ("dlinear", 1e-2)].map(fit).into_iter().collect()
    }

    /// The settings of all models. Each window is standardised by its own two years, since the passengers
    /// and their seasonal swing both grow.
    fn options(&self, learning_rate: f64) -> FitOptions {
        let mut options = FitOptions::new(HORIZON, LOOKBACK);
        options.window_scaler = ScalerKind::Standard;
        options.train.steps = self.max_steps;
        options.train.validate_every = 10;
        options.train.learning_rate = learning_rate;
        options.train.seed = self.seed;
        options
    }

    fn score(&self, test: &Backtest, fitted: &[Forecaster], pool: &Pool) -> Result<Results> {
        let mut scores =
            vec![test.score_baseline(Baseline::Naive), test.score_baseline(Baseline::SeasonalNaive)];
        for forecaster in fitted {
            scores.push(test.score(forecaster, pool)?);
        }
        let mut results = Results {
            data: "air_passengers".into(),
            protocol: "holdout",
            horizon: HORIZON,
            lookback: LOOKBACK,
            windows: test.windows,
            threads: pool.threads(),
            seed: self.seed,
            models: scores,
        };
        results.rank(RankBy::Mae);
        Ok(results)
    }
}
