//! Phase graphs: classifiers whose parameters are integer phases and magnitudes on a graph.
//!
//! Every node of a [`Graph`] has D phases and D magnitudes, all of them indices of tables. A sample's features
//! become indices of the input nodes by the [`Adapter`]; from there signals spread along edges and, by
//! [`radiation`], to the nodes that answer best, adding indices as they go, until outputs answer. Inference is
//! in integers only, and is that of [`bessemer_phase_reader`], which runs on small devices. Training takes
//! slopes back through the messages that arrived ([`credit`]) and moves indices by whole steps.
//!
//! ```
//! use bessemer_kernels::pool::Pool;
//! use bessemer_phase::data::{ReadOptions, read};
//! use bessemer_phase::{Classifier, FitOptions, Settings};
//! use bessemer_train::data::Split;
//!
//! // Two clouds of points.
//! let point = |i: usize| ((i * 37 % 101) as f32 / 101.0, (i * 53 % 89) as f32 / 89.0);
//! let row = |i: usize| format!("{},{},{}\n", point(i).0 + (i % 2) as f32, point(i).1, ["a", "b"][i % 2]);
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("points.csv");
//! std::fs::write(&path, (0..200).map(row).collect::<String>())?;
//!
//! let table = read(&path, &ReadOptions::default())?;
//! let split = Split::by_fraction(table.len(), 0.2, 0.2, 1)?;
//! let settings = Settings { inputs: 8, intermediate: 8, outputs: 8, ..Settings::default() };
//! let options = FitOptions { epochs: 20, batch: 8, ..FitOptions::default() };
//! let pool = Pool::new(2); // the result is the same for any number of threads
//! let go_on = &mut |_: &_| std::ops::ControlFlow::Continue(());
//! let (classifier, _) = Classifier::fit(&table, &split, &settings, &options, &pool, go_on)?;
//! let (_, tally) = classifier.classify(&table, &split.test, &pool)?;
//! assert!(tally.accuracy() > 0.9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod adapter;
pub mod baselines;
mod c_header;
mod classifier;
mod codes;
mod course;
pub mod credit;
pub mod data;
mod error;
mod explain;
mod folder;
mod graph;
mod loss;
mod memory;
mod network;
mod options;
mod phases;
pub mod radiation;
mod route;
mod samples;
mod schedule;
mod settings;
mod steps;
mod tables;
mod trainer;
mod ways;

pub use adapter::Adapter;
pub use bessemer_phase_reader as reader;
pub use classifier::{Classifier, Prediction};
pub use codes::Codes;
pub use course::{Epoch, Event, History};
pub use error::{Error, Result};
pub use explain::{Explanation, strength};
pub use graph::Graph;
pub use network::Network;
pub use options::{Credit, FitOptions};
pub use phases::Phases;
pub use route::{Message, Route};
pub use samples::Samples;
pub use schedule::Schedule;
pub use settings::Settings;
pub use tables::Tables;
pub use trainer::Tally;
pub use ways::Ways;

#[cfg(test)]
mod tests;
