//! What can go wrong with a phase graph.

use std::path::{Path, PathBuf};

use bessemer_tables::TableError;
use bessemer_train::TrainError;

/// Data, settings or a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that makes no sense.
    #[error("{name} is {value}: {remedy}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        remedy: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Samples that don't fit the model, or cannot be learned from.
    #[error("{place}: {problem}")]
    Data {
        /// The file, row or column.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A CSV or Parquet file that cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// What training of any kind refuses.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Whoever asked for the training stopped it.
    #[error("stopped after {epochs} epochs")]
    Stopped {
        /// Epochs done.
        epochs: usize,
        /// The checkpoint to go on from, if there are any.
        checkpoint: Option<PathBuf>,
    },
}

/// What messages call samples whose file is not known.
pub(crate) const DATA: &str = "data";

impl Error {
    /// The error with the name of the file that the samples are from, where it is of all of them.
    pub fn of_file(self, path: &Path) -> Error {
        match self {
            Error::Data { place, problem } if place == DATA => {
                Error::Data { place: format!("`{}`", path.display()), problem }
            }
            error => error,
        }
    }
}

/// Of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A setting that is refused.
pub(crate) fn setting<T>(name: &'static str, value: impl ToString, remedy: impl Into<String>) -> Result<T> {
    Err(Error::Setting { name, value: value.to_string(), remedy: remedy.into() })
}
