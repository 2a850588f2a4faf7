//! What ends a command, each with the place, the value and the remedy.

use std::path::{Path, PathBuf};

use bessemer::forecast;
use bessemer::train::TrainError;
use bessemer::waves;

/// A result whose error ends the command.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command ends without its result.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The data, the model or the training.
    #[error(transparent)]
    Forecast(forecast::Error),
    /// A signal, or a model of one.
    #[error(transparent)]
    Waves(waves::Error),
    /// A phase graph or its data.
    #[error(transparent)]
    Phase(#[from] bessemer::phase::Error),
    /// An argument that cannot be used.
    #[error("{place}: {problem}; {remedy}")]
    Argument {
        /// The option, with its value.
        place: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A file or folder that cannot be written.
    #[error("`{path}`: cannot {action}: {source}; choose another place or change its permissions", path = path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a run that cannot be read.
    #[error("`{path}`: {source}; restore it, or begin anew in another folder", path = path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A measurement.
    #[error("{0}")]
    Bench(String),
    /// Ctrl-C, or SIGTERM, in a training with checkpoints.
    #[error("interrupted while {doing}; go on with: {command}")]
    Paused {
        /// What was going on.
        doing: String,
        /// What takes it up again.
        command: String,
    },
    /// Ctrl-C.
    #[error("interrupted while {doing}; {}", .run.as_ref().map_or("nothing was written".to_string(), |run| format!("what there is of the run lies in {}", run.display())))]
    Interrupted {
        /// What was going on.
        doing: String,
        /// The folder of the run, if it has one.
        run: Option<PathBuf>,
    },
}

impl CliError {
    /// An argument that cannot be used.
    pub fn argument(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> CliError {
        CliError::Argument { place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// For `map_err`: a failure to read.
    pub fn input(path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
        let path = path.to_path_buf();
        move |source| CliError::Input { path, source }
    }

    /// For `map_err`: a failure to write.
    pub fn output(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> CliError {
        let path = path.to_path_buf();
        move |source| CliError::Output { path, action, source }
    }
}

impl From<waves::Error> for CliError {
    fn from(error: waves::Error) -> CliError {
        match error {
            waves::Error::Cancelled { done, all } => {
                CliError::Interrupted { doing: format!("fitting, after {done} of {all} models"), run: None }
            }
            error => CliError::Waves(error),
        }
    }
}

impl From<forecast::Error> for CliError {
    fn from(error: forecast::Error) -> CliError {
        match error {
            // The library names its options; the command line has its own names for them.
            forecast::Error::MissingColumn { file, role, wanted, columns, remedy } => {
                let remedy = ["id", "time", "target"].iter().fold(remedy, |remedy, name| {
                    remedy.replace(&format!("the option `{name}`"), &format!("--{name}-column"))
                });
                CliError::Forecast(forecast::Error::MissingColumn { file, role, wanted, columns, remedy })
            }
            error => CliError::Forecast(error),
        }
    }
}

impl From<TrainError> for CliError {
    fn from(error: TrainError) -> CliError {
        CliError::Forecast(forecast::Error::Train(error))
    }
}
