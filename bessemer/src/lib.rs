//! Train and serve small and mid-size neural networks, fast, on a CPU.
//!
//! This crate is the door to the others and holds nothing of its own. Forecasting is the first system
//! that stands on the engine:
//!
//! ```
//! use bessemer::forecast::{FitOptions, Forecaster, Model, air_passengers};
//! use bessemer::plan::Pool;
//!
//! let frame = air_passengers::frame(); // or forecast::read("sales.csv", &ReadOptions::default())?
//! let mut options = FitOptions::new(12, 24); // a year ahead, from the two years before
//! options.train.steps = 200;
//! let pool = Pool::new(2); // two threads; the result is the same for any number
//! let mut nhits = Forecaster::fit(&frame, &Model::by_name("nhits")?, &options, &pool)?;
//! for series in nhits.predict(&frame, &pool)? {
//!     println!("{}, 1961: {:.0?} thousand passengers", series.id, series.values[0]);
//! }
//! # Ok::<(), bessemer::forecast::Error>(())
//! ```
//!
//! The second, [`waves`], fits compact models to signals.

#![forbid(unsafe_code)]

pub use bessemer_forecast as forecast;
pub use bessemer_graph as graph;
pub use bessemer_kernels as kernels;
pub use bessemer_nn as nn;
pub use bessemer_phase as phase;
pub use bessemer_plan as plan;
pub use bessemer_study as study;
pub use bessemer_tables as tables;
pub use bessemer_train as train;
pub use bessemer_waves as waves;
