//! The HTML reports of `demo`, of trainings and studies, and of `bench ladder`.

mod backtest;
mod course;
mod cross_validate;
mod demo;
mod fit;
mod forecasts;
mod ladder;
mod losses;
mod phase;
mod picture;
mod scores;
mod search;
mod settings;
mod spectrum;
mod unfinished;
mod waves;

use std::path::Path;

use bessemer::forecast::{Forecaster, Frame, Split};
use bessemer::plan::Pool;
use bessemer::train::report::Report;

pub use backtest::backtest;
pub use cross_validate::{Folds, cross_validate};
pub use demo::demo;
pub use fit::fit;
pub use ladder::ladder;
pub use phase::phase;
pub use search::{Tried, search};
pub use unfinished::unfinished;
pub use waves::{waves, waves_compared};

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

/// The name of a file without its folders.
fn file_name(data: &str) -> String {
    Path::new(data).file_name().map_or(data.to_string(), |name| name.to_string_lossy().into())
}

/// The command line that was given, to be run again from the beginning.
fn command_line() -> String {
    let words = interrupt::arguments("").into_iter().filter(|word| word != "--resume");
    let words = words.map(|word| interrupt::quoted(&word)).collect::<Vec<_>>();
    format!("bessemer {}", words.join(" "))
}
