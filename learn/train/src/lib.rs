//! Optimisers, schedules, the trainer, weights on disk and reports.

#![forbid(unsafe_code)]

mod error;
mod optimizer;
pub mod report;
mod schedule;
mod trainer;
pub mod weights;

pub use error::TrainError;
pub use optimizer::{Optimizer, OptimizerState};
pub use schedule::Schedule;
pub use trainer::{Event, History, Task, TrainOptions, train};
