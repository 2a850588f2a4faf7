//! What can go wrong while training, saving and loading.

use std::path::PathBuf;

use bessemer_nn::GraphError;
use bessemer_plan::PlanError;

/// A training that cannot go on, or a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The model or its data don't fit the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model cannot be traced.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The loss is no number any more.
    #[error(
        "the loss is {loss} at step {step}; lower the learning rate, clip the gradient or check the data"
    )]
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// The loss.
        loss: f64,
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
    },
}
