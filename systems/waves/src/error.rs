//! What can go wrong, each with the place, the value and the remedy.

use std::path::PathBuf;

use bessemer_study::Ended;
pub(crate) use bessemer_tables::shorten;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything the wave system refuses.
///
/// A point of a signal that comes from no file is counted from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the message of each variant says what its fields are
pub enum Error {
    #[error("`{path}`: cannot be read: {source}; check the name and the permissions", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error("`{path}`: cannot be written: {source}", path = path.display())]
    Write { path: PathBuf, source: std::io::Error },

    #[error("`{file}`: unknown extension; name the file {known}")]
    UnknownFormat { file: String, known: &'static str },

    #[error("`{file}`: {source}")]
    In { file: String, source: Box<Error> },

    #[error("`{file}`: {problem}; {remedy}")]
    File { file: String, problem: String, remedy: &'static str },

    #[error("`{file}`: there is no column `{column}`{nearest}; the columns are {columns}")]
    MissingColumn { file: String, column: String, nearest: String, columns: String },

    #[error("{axes} axes; a signal has 1 to {most}: choose which columns are axes", most = crate::MAX_AXES)]
    Axes { axes: usize },

    #[error(
        "{channels} channels; a signal has 1 to {most}: choose which columns are values", most = crate::MAX_CHANNELS
    )]
    Channels { channels: usize },

    #[error("the signal has no points; give at least one")]
    NoPoints,

    #[error(
        "{points} points of {axes} axes and {channels} channels are more numbers than the {limit} that a signal \
         may have; take fewer of them"
    )]
    TooLarge { points: u64, axes: usize, channels: usize, limit: u64 },

    #[error("{what} hold {found} numbers, but {points} points of {width} take {expected}; give one for each")]
    Mismatch { what: &'static str, found: usize, points: usize, width: usize, expected: usize },

    #[error("point {point}: {name} is {value}; correct it or leave the point out")]
    NotFinite { point: usize, name: String, value: f32 },

    #[error("{what}: {problem}; {remedy}")]
    Option { what: &'static str, problem: String, remedy: &'static str },

    #[error(
        "{held_out} of {points} points are held out, which leaves none to train on; hold out fewer, or give more points"
    )]
    NothingToTrain { points: usize, held_out: usize },

    #[error("there is no {kind} `{name}`{nearest}; there are {known}")]
    Unknown { kind: &'static str, name: String, nearest: String, known: String },

    #[error("model `{model}`: {problem}")]
    ModelSettings { model: &'static str, problem: String },

    #[error("`{path}`: {problem}", path = path.display())]
    ModelFolder { path: PathBuf, problem: String },

    #[error("stopped after {done} of {all} trainings")]
    Cancelled { done: usize, all: usize },

    #[error(transparent)]
    Table(#[from] bessemer_tables::TableError),

    #[error(transparent)]
    Train(#[from] bessemer_train::TrainError),
}

impl From<Ended<Error>> for Error {
    fn from(ended: Ended<Error>) -> Error {
        match ended {
            Ended::Failed { error, .. } => error,
            Ended::Cancelled { done, all } => Error::Cancelled { done, all },
        }
    }
}

impl Error {
    /// That nothing of a kind has this name, with the nearest of those that are known.
    pub(crate) fn unknown(kind: &'static str, name: &str, known: &[&str]) -> Error {
        Error::Unknown { kind, name: shorten(name), nearest: nearest(name, known), known: known.join(", ") }
    }
}

/// A hint at the name most like the one asked for, if any is.
pub(crate) fn nearest(name: &str, known: &[&str]) -> String {
    let name = name.to_lowercase();
    let best = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity > 0.7);
    best.map_or(String::new(), |(_, best)| format!(" (did you mean `{best}`?)"))
}
