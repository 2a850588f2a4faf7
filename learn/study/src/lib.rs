//! Work that falls into independent jobs: folds of a cross-validation, trials of a search; and what is made
//! of their results, such as ensembles.
//!
//! ```
//! use bessemer_kernels::pool::Pool;
//! use bessemer_study::{Dimension, Jobs, Scored, Search, Space};
//!
//! let space = Space::new(vec![
//!     ("width".into(), "16, 32, 64".parse()?),
//!     ("rate".into(), Dimension::floats(1e-4, 1e-2, true)?),
//! ])?;
//! let trials = space.trials(&Search::Random { seed: 1, trials: 20 })?;
//! let pool = Pool::new(2); // two trials at a time; the result is the same for any number
//! let found = space.search(&Jobs::new(&pool), &trials, |trial, _job| {
//!     let (width, rate) = (trial.values[0].as_f64(), trial.values[1].as_f64());
//!     let score = (width - 32.0).abs() + (rate.log10() + 3.0).abs(); // a training, usually
//!     Ok::<_, std::convert::Infallible>(Scored::Score(score))
//! })?;
//! assert_eq!(found.best().unwrap().values[0].to_string(), "32");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod draw;
mod ensemble;
mod error;
mod jobs;
mod k_fold;
mod search;
mod simplex;
mod space;
mod spread;
mod time_series;

pub use ensemble::{Combination, Ensemble};
pub use error::{Result, StudyError};
pub use jobs::{Ended, Job, Jobs};
pub use k_fold::{Fold, KFold};
pub use search::{Findings, Outcome, Scored, Search, Trial};
pub use space::{Dimension, Space, Value};
pub use spread::Spread;
pub use time_series::{TimeFold, TimeSeriesFolds};
