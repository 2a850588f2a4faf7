//! What a comparison of models found, as it is written to JSON.

use bessemer::forecast::Score;
use serde::Serialize;

use crate::error::Result;
use crate::number;
use crate::runs::KeptRun;

/// The result of `demo` and `forecast backtest`.
#[derive(Serialize)]
pub struct Results {
    /// The file, or the name of the built-in series.
    pub data: String,
    /// `holdout` or `ltsf`.
    pub protocol: &'static str,
    /// Steps forecast.
    pub horizon: usize,
    /// Steps looked back on.
    pub lookback: usize,
    /// Windows scored.
    pub windows: usize,
    /// Threads worked with.
    pub threads: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Models and baselines, best first.
    pub models: Vec<Score>,
}

/// The error by which models are ranked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RankBy {
    /// Mean absolute error, in the unit of the data.
    Mae,
    /// Mean squared error of standardised values.
    Mse,
}

impl Results {
    /// Has the run remember all scores.
    pub fn keep(&self, kept: &mut KeptRun) -> Result<()> {
        self.models.iter().try_for_each(|score| {
            let of_data = [("mse", Some(score.mse)), ("mae", Some(score.mae)), ("mase", score.mase)];
            kept.end_training(&score.name, &of_data)
        })
    }

    /// Puts the best first; errors that are no numbers come last.
    pub fn rank(&mut self, by: RankBy) {
        self.models.sort_by(|a, b| match by {
            RankBy::Mae => a.mae.total_cmp(&b.mae),
            RankBy::Mse => a.mse.total_cmp(&b.mse),
        });
    }

    /// What a fit says of the rows that chose its weights.
    pub fn sentence(&self) -> String {
        let (Some(model), Some(baseline)) = (self.best_model(), self.best_baseline()) else {
            return String::new();
        };
        format!(
            "On the validation rows, which chose the weights, the MAE is {}; that of {}, the best baseline, is {}.\n",
            number::digits(model.mae),
            baseline.name,
            number::digits(baseline.mae)
        )
    }

    /// The best that was trained.
    pub fn best_model(&self) -> Option<&Score> {
        self.models.iter().find(|score| !score.baseline)
    }

    /// The best that was not.
    pub fn best_baseline(&self) -> Option<&Score> {
        self.models.iter().find(|score| score.baseline)
    }
}
