//! Data pipelines, optimisers, schedules, the trainer, weights on disk and reports.

#![forbid(unsafe_code)]

mod average;
mod checkpoint;
pub mod data;
mod disk;
mod error;
mod folder_lock;
mod grad_scaler;
mod groups;
mod model_folder;
mod optimizer;
mod options;
mod profile;
pub mod report;
mod run_folder;
mod schedule;
mod state;
mod tensors;
mod trainer;
pub mod weights;
mod whole;

pub use average::Average;
pub use checkpoint::Checkpoints;
pub use error::TrainError;
pub use folder_lock::FolderLock;
pub use grad_scaler::{GradScaler, GradScalerState};
pub use groups::ParameterGroup;
pub use model_folder::{Described, ModelFolder};
pub use optimizer::{Optimizer, OptimizerState};
pub use options::{OnNotFinite, TrainOptions};
pub use profile::{Phase, TrainProfile};
pub use run_folder::{
    DataFile, ListedRun, Metric, Metrics, RunFolder, RunRecord, RunStatus, list_runs, read_metrics,
};
pub use schedule::Schedule;
pub use state::{Number, State};
pub use trainer::{Event, History, Task, train};
pub use whole::{read_whole, write_whole};
