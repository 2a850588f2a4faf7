//! How data is divided and errors are measured.

use clap::ValueEnum;

use crate::results::RankBy;

/// A way of scoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// The last rows of each series are the test; errors are in the unit of the data
    #[default]
    Holdout,
    /// The long-horizon benchmarks: ETT months or 70/10/20 %, errors of standardised values
    Ltsf,
}

impl Protocol {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Holdout => "holdout",
            Protocol::Ltsf => "ltsf",
        }
    }

    /// By which error models are ranked.
    pub fn rank_by(self) -> RankBy {
        match self {
            Protocol::Holdout => RankBy::Mae,
            Protocol::Ltsf => RankBy::Mse,
        }
    }
}
