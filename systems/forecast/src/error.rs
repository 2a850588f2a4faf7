//! What can go wrong, each with the place, the value and the remedy.

use std::path::PathBuf;

use bessemer_study::Ended;
use bessemer_tables::TableError;

use crate::frequency::Frequency;

pub(crate) use bessemer_tables::shorten;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything the forecasting system refuses.
///
/// `row` is the line of a text file, counted from 1 with the header as line 1, or the record of a
/// Parquet file counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the message of each variant says what its fields are
pub enum Error {
    #[error("`{path}`: cannot {action}: {source}", path = path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },

    #[error(
        "the rows follow each other at the frequency `{found}`, but the model was fitted at `{fitted}`; give data of that frequency, or fit again"
    )]
    OtherFrequency { found: String, fitted: String },

    #[error("`{file}`: unknown extension; name the file `.csv` or `.parquet`")]
    UnknownFormat { file: String },

    #[error("`{file}`: there is no {role} column{wanted}; the columns are {columns}; {remedy}")]
    MissingColumn { file: String, role: &'static str, wanted: String, columns: String, remedy: String },

    #[error("`{file}`: the column `{column}` appears twice; rename one of them")]
    DuplicateColumn { file: String, column: String },

    #[error("`{file}`: row {row}, column `{column}`: {value:?} is not {wanted}; {remedy}")]
    BadTimestamp {
        file: String,
        row: usize,
        column: String,
        value: String,
        wanted: &'static str,
        remedy: &'static str,
    },

    #[error("`{file}`: row {row}, column `{column}`: the series has no name; fill in its id")]
    EmptyId { file: String, row: usize, column: String },

    #[error(
        "`{file}`: series `{series}`: {time} appears twice, in row {first} and row {second}; \
         remove one of the rows, or name the column that tells the series apart as the id"
    )]
    DuplicateTimestamp { file: String, series: String, time: String, first: usize, second: usize },

    #[error(
        "`{file}`: row {row}: series `{series}`: {time} is not a whole number of steps of `{frequency}` \
         after {start}; correct it, resample to a regular grid, or give the frequency"
    )]
    OffGrid { file: String, row: usize, series: String, time: String, start: Box<str>, frequency: Frequency },

    #[error(
        "`{file}`: row {row}: series `{series}`: reaching {time} in steps of `{frequency}` takes {steps} steps \
         for {rows} rows of data, more than is allowed (100 per row + 10,000); \
         correct the timestamp or give the frequency"
    )]
    GapTooLarge {
        file: String,
        row: usize,
        series: String,
        time: String,
        frequency: Frequency,
        steps: u64,
        rows: usize,
    },

    #[error(
        "`{file}`: the frequency cannot be told, since no series has two timestamps; give the frequency, such as `h`"
    )]
    FrequencyUnknown { file: String },

    #[error("`{file}`: the frequency `{frequency}` does not fit a time column of {kind}; {remedy}")]
    FrequencyKind { file: String, frequency: String, kind: &'static str, remedy: &'static str },

    #[error(
        "frequency {value:?} is not known; write us, ms, s, min, h, D, B, W, MS, ME, QS, YS or a whole number, with a count before it if needed, such as 15min"
    )]
    BadFrequency { value: String },

    #[error("scaler {value:?} is not known; choose none, standard, robust or minmax")]
    BadScaler { value: String },

    #[error(
        "series `{series}`: {rows} rows, but {needs} needs at least {minimum}; \
         shorten the lookback or the horizon, hold out fewer rows, or drop the series"
    )]
    SeriesTooShort { series: String, rows: usize, needs: String, minimum: usize },

    #[error(
        "no window of lookback {lookback} + horizon {horizon} has both an observed lag and an observed target; check the frequency, shorten the lookback, or give more data"
    )]
    NoWindow { lookback: usize, horizon: usize },

    #[error(
        "no window of lookback {lookback} + horizon {horizon} has its targets within the validation rows and a value observed among them; validate on more rows, shorten the horizon, or train without validation"
    )]
    NoValidationWindow { lookback: usize, horizon: usize },

    #[error(
        "series `{series}`: no value is observed in its rows {first} to {end}; give the missing values or drop the series",
        first = start + 1
    )]
    NothingObserved { series: String, start: usize, end: usize },

    #[error(
        "series `{series}`: rows {first} to {end} reach beyond its {rows} rows; split by the length of each series",
        first = start + 1
    )]
    RangeBeyondSeries { series: String, start: usize, end: usize, rows: usize },

    #[error("{what} is {value}; it must be at least {minimum}")]
    TooSmall { what: &'static str, value: usize, minimum: usize },

    #[error("{found} {what} for {expected} series; give one for each series")]
    CountMismatch { what: &'static str, found: usize, expected: usize },

    #[error(
        "a split of {rows} rows into {validation} for validation and {test} for test leaves no training rows; \
         shorten them"
    )]
    SplitTooLarge { rows: usize, validation: usize, test: usize },

    #[error(
        "series `{series}`: forecast step {step} after {start} is beyond the year 9999; shorten the horizon"
    )]
    TimeOutOfRange { series: String, start: String, step: usize },

    #[error("there is no model `{name}`{nearest}; the models are {known}")]
    UnknownModel { name: String, nearest: String, known: String },

    #[error("model `{model}`: {problem}")]
    ModelSettings { model: &'static str, problem: String },

    #[error("{what}: {problem}; {remedy}")]
    Option { what: &'static str, problem: String, remedy: &'static str },

    #[error("`{member}` forecasts {horizon} steps, but `{first}` {expected}; combine models of one horizon")]
    OtherHorizon { member: String, horizon: usize, first: String, expected: usize },

    #[error("`{member}`: {source}")]
    Member { member: String, source: Box<Error> },

    #[error("{place}: {problem}; {remedy}")]
    Setting { place: String, problem: String, remedy: String },

    #[error("`{path}`: {problem}", path = path.display())]
    ModelFolder { path: PathBuf, problem: String },

    #[error(
        "series `{series}` was not in the data the model was fitted on, so its scale is unknown; fit again with it, or with the scaler `none`"
    )]
    UnknownSeries { series: String },

    #[error("series `{series}`: {source}")]
    Folds { series: String, source: bessemer_study::StudyError },

    #[error("stopped after {done} of {all} trainings")]
    Cancelled { done: usize, all: usize },

    #[error(transparent)]
    Study(#[from] bessemer_study::StudyError),

    #[error(transparent)]
    Table(#[from] TableError),

    #[error(transparent)]
    Train(#[from] bessemer_train::TrainError),

    #[error("series `{series}`: column `{column}` has {found} values where {expected} were expected")]
    PredictionLength { series: String, column: String, found: usize, expected: usize },
}

impl From<Ended<Error>> for Error {
    fn from(ended: Ended<Error>) -> Error {
        match ended {
            Ended::Failed { error, .. } => error,
            Ended::Cancelled { done, all } => Error::Cancelled { done, all },
        }
    }
}

/// The name most like another, if it is more like it than so much, from 0 to 1.
pub(crate) fn closest<S: AsRef<str>>(
    name: &str,
    known: impl IntoIterator<Item = S>,
    least: f64,
) -> Option<S> {
    // A name of many letters is like none, and would take long to compare.
    let name = shorten(name);
    let likeness = |other: &S| strsim::jaro_winkler(other.as_ref(), &name);
    let alike = known.into_iter().map(|other| (likeness(&other), other)).filter(|(like, _)| *like > least);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, best)| best)
}

/// A hint at the name most like the one asked for, if any is.
pub(crate) fn nearest(name: &str, known: &[&str]) -> String {
    let best = closest(&name.to_lowercase(), known, 0.7);
    best.map_or(String::new(), |best| format!(" (did you mean `{best}`?)"))
}
