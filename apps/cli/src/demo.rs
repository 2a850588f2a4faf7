//! `bessemer demo`: models and baselines on a built-in series, with a report.

use std::path::PathBuf;

use bessemer::forecast::configuration::{self, Setting};
use bessemer::forecast::{
    Backtest, Baseline, Configuration, FitOptions, Forecaster, ScalerKind, Split, air_passengers, backtest,
};
use bessemer::plan::Pool;
use bessemer::train::Schedule;

use crate::error::Result;
use crate::fitting::{self, Rows};
use crate::interrupt;
use crate::number;
use crate::output;
use crate::progress::{Progress, WatchArgs};
use crate::report::{self, Material};
use crate::results::{RankBy, Results};
use crate::run::RunArgs;
use crate::runs::{KeptRun, RunFolderArgs};
use crate::table;

const HORIZON: usize = 12;
const LOOKBACK: usize = 24;
/// The last two years, with a forecast from every month that has a whole year after it.
const TEST_ROWS: usize = 24;

/// Train four models on a built-in series and compare them with simple baselines
///
/// Forecasts a year of monthly airline passengers (1949 to 1960) from the two years before, after each
/// of 13 months from December 1958 on, and writes a report with charts.
#[derive(clap::Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Example:
  bessemer demo --report demo.html

With --json:
  {\"data\", \"protocol\", \"horizon\", \"lookback\", \"windows\", \"threads\", \"seed\",
   \"models\": [{\"name\", \"baseline\", \"mse\", \"mae\", \"smape\", \"mase\", \"seconds_fit\",
               \"seconds_predict\", \"parameters\", \"losses\"}]}"
)]
pub struct Demo {
    /// Where to write the report, a single HTML page
    #[arg(long, value_name = "FILE", default_value = "bessemer-demo.html")]
    report: PathBuf,
    /// Optimiser steps for each model
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 400)]
    max_steps: u64,
    /// Seed of everything random
    #[arg(long, value_parser = number::whole::<u64>, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    run_folder: RunFolderArgs,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

impl Demo {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        output::check_file(&self.report)?;
        let progress = Progress::new(self.run.quiet, &self.watch)?;
        let arguments = interrupt::arguments("");
        let mut kept = self.run_folder.begin("demo", arguments, self.seed, &pool, false, &[])?;
        let result = self.work(&progress, &pool, &mut kept);
        kept.end(result)
    }

    fn work(&self, progress: &Progress, pool: &Pool, kept: &mut KeptRun) -> Result<()> {
        let frame = air_passengers::frame();
        let splits = Split::holdout_each(&frame, 0, TEST_ROWS)?;
        let test = backtest(&frame, &splits, LOOKBACK, HORIZON, false, None)?;
        let mut fitted = self.fit(&splits, progress, pool, kept)?;
        let results = self.score(&test, &fitted, pool)?;
        results.keep(kept)?;

        if let Some(json) = &self.run.json {
            json.write(&results)?;
        }
        self.run.print(&table::render(&results, RankBy::Mae, "thousand passengers"))?;
        let fitted = &mut fitted;
        let material = Material { results: &results, frame: &frame, splits: &splits, fitted, pool };
        let page = report::demo(material)?;
        report::write(&page, &self.report)?;
        kept.report(&page)?;
        self.run.print(&format!("Report: {}\n", self.report.display()))
    }

    /// Every model trains on all years before the test, for a fixed number of steps: with ten years of
    /// data, a year held back to choose the weights by would cost more than it tells.
    fn fit(
        &self,
        splits: &[Split],
        progress: &Progress,
        pool: &Pool,
        kept: &mut KeptRun,
    ) -> Result<Vec<Forecaster>> {
        let frame = air_passengers::frame();
        let training = splits.iter().map(|split| split.train.clone()).collect();
        let rows = Rows { training, validation: None };
        let plain = Configuration::default();
        let narrow = plain.clone().and(Setting::new("demo", "hidden", "128"));
        let mut fit = |(name, settings, learning_rate): (&str, &Configuration, f64)| {
            let model = &settings.models(&[name])?[0];
            let options = self.options(learning_rate);
            kept.write(&format!("{name}/config.toml"), &configuration::render(model, &options, None))?;
            fitting::fit(&frame, &rows, model, &options, None, pool, progress, kept, name)
        };
        let models: [(&str, &Configuration, f64); 4] = [
            ("nhits", &narrow, 1e-3),
            ("mlp", &narrow, 1e-3),
            ("nlinear", &plain, 1e-2),
            ("dlinear", &plain, 1e-2),
        ];
        models.into_iter().map(&mut fit).collect()
    }

    /// Each window is standardised by its own two years, since the passengers and their seasonal swing
    /// both grow.
    fn options(&self, learning_rate: f64) -> FitOptions {
        let mut options = FitOptions::new(HORIZON, LOOKBACK);
        options.window_scaler = ScalerKind::Standard;
        options.train.steps = self.max_steps;
        options.train.schedule = Schedule::Cosine { warmup: 0, total: self.max_steps, floor: 0.0 };
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
