//! Compiles a graph into a straight list of kernel calls over one arena, and runs it in lanes.

#![forbid(unsafe_code)]

mod batching;
mod error;
mod exchange;
mod finite;
mod folds;
mod frame;
mod layout;
mod lower;
mod options;
mod order;
mod packs;
mod parameters;
mod plan;
mod profile;
mod stashes;
mod step;
mod tune;

pub use batching::Batching;
pub use bessemer_kernels::pool::Pool;
pub use error::PlanError;
pub use finite::{NotFinite, Origin};
pub use options::{PlanOptions, Precision};
pub use parameters::Parameters;
pub use plan::{Plan, Step};
pub use profile::{Call, Entry, Profile, Roofline};
pub use step::{Batch, Executable, MAX_INPUTS, MAX_LANES, Recomputing, Trace, as_words, prepared};
pub use tune::{Candidate, Tuned, tune};
