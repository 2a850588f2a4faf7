//! Phase graphs: classifiers whose parameters are integer phases and magnitudes on a graph.

#![forbid(unsafe_code)]

mod adapter;
pub mod baselines;
mod classifier;
mod codes;
pub mod credit;
pub mod data;
mod error;
mod folder;
mod graph;
mod loss;
mod memory;
mod network;
mod options;
pub mod radiation;
mod route;
mod samples;
mod settings;
mod steps;
mod tables;
mod trainer;

pub use adapter::Adapter;
pub use classifier::{Classifier, Epoch, History};
pub use codes::Codes;
pub use error::{Error, Result};
pub use graph::Graph;
pub use network::Network;
pub use options::{Credit, FitOptions};
pub use route::{Message, Route};
pub use samples::Samples;
pub use settings::Settings;
pub use tables::Tables;
pub use trainer::Tally;
