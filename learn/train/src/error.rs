//! What can go wrong while training, saving and loading.

use std::path::PathBuf;

use bessemer_nn::GraphError;
use bessemer_plan::{NotFinite, PlanError};

/// A training that cannot go on, or a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The model or its data don't fit the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model cannot be traced.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The loss or a gradient is no number any more.
    #[error(
        "{what} is {value} at step {step}{}; lower the learning rate, clip the gradient or check the data",
        .first.as_ref().map_or(String::new(), |first| format!(": {first} first"))
    )]
    NotFinite {
        /// The loss, or the gradient's norm.
        what: &'static str,
        /// The step, counted from 1.
        step: u64,
        /// What it is.
        value: f64,
        /// Where it came from.
        first: Option<NotFinite>,
    },
    /// There is nothing to go on from.
    #[error("`{}`: there is no checkpoint to go on from; leave out resuming to begin anew", .folder.display())]
    NothingToResume {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder holds another training's checkpoints.
    #[error(
        "`{}`: holds checkpoints already; resume that training, or choose another folder", .folder.display()
    )]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A checkpoint of other settings.
    #[error("`{}`: its {setting} is {saved}, but {now} is asked for; go on with the same settings", .folder.display())]
    OtherSettings {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        setting: String,
        /// What the checkpoint has.
        saved: String,
        /// What was asked for.
        now: String,
    },
    /// The forward pass left the range of f16, at once or with gradients that are scaled no more.
    #[error(
        "the loss is {loss} at step {step}: in f16, nothing that a weight multiplies may exceed 65,504; \
         scale the data, lower the learning rate, or train in bf16 or f32"
    )]
    Range {
        /// The step, counted from 1.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// Gradients overflow f16 although they are scaled no more, or to the end.
    #[error(
        "gradients overflow f16 at step {step}, and none has changed the weights, or their scale can't be \
         lowered any more: lower the learning rate, scale the data, or train in bf16"
    )]
    Overflow {
        /// The step, counted from 1.
        step: u64,
    },
    /// Held-out data could not be scored.
    #[error("validation failed: {0}")]
    Validation(String),
    /// Data that cannot be learned from.
    #[error("{place}: {problem}")]
    Data {
        /// The item, line or part.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A setting that makes no sense.
    #[error("{name} is {value}: {remedy}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        remedy: &'static str,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Whoever asked for the training stopped it.
    #[error("stopped at step {step}")]
    Stopped {
        /// Steps done.
        step: u64,
        /// The checkpoint to go on from, if there are any.
        checkpoint: Option<PathBuf>,
    },
}
