//! The HTML reports of `demo`, `forecast fit`, `forecast backtest` and `bench ladder`.

mod backtest;
mod course;
mod demo;
mod fit;
mod forecasts;
mod ladder;
mod losses;
mod scores;
mod settings;
mod unfinished;

use std::path::Path;

use bessemer::forecast::{Forecaster, Frame, Split};
use bessemer::plan::Pool;
use bessemer::train::report::Report;

pub use backtest::backtest;
pub use demo::demo;
pub use fit::fit;
pub use ladder::ladder;
pub use unfinished::unfinished;

use crate::error::{CliError, Result};
use crate::interrupt;
use crate::results::Results;

/// What a report is made from.
pub struct Material<'a> {
    /// The scores, best first.
    pub results: &'a Results,
    /// The data.
    pub frame: &'a Frame,
    /// Its division, one for each series.
    pub splits: &'a [Split],
    /// The models, in the order in which they were asked for, which is that of their colours.
    pub fitted: &'a mut [Forecaster],
    /// The threads to forecast with.
    pub pool: &'a Pool,
}

/// Writes the page, whole or not at all.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let _hold = interrupt::writing();
    report.write(path).map_err(CliError::output(path, "write the report"))
}

/// Where the page comes from.
fn footer() -> String {
    format!("Made by bessemer {}.", env!("CARGO_PKG_VERSION"))
}

/// The command line that was given, to be run again.
fn command_line() -> String {
    let words = interrupt::arguments("").iter().map(|word| interrupt::quoted(word)).collect::<Vec<_>>();
    format!("bessemer {}", words.join(" "))
}
