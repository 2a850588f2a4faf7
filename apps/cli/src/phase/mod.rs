//! `bessemer phase`.

mod benchmark;
mod data;
mod evaluate;
mod explain;
mod export;
pub mod measure;
mod predict;
pub mod settings;
mod train;

pub use data::Header;
pub use train::{Trained, percent};

use crate::error::Result;

/// Train classifiers made of integer phases on a graph, explain and export them
#[derive(clap::Subcommand)]
#[command(after_help = "\
Example:
  bessemer phase train digits.csv --label digit --out digits-model
  bessemer phase evaluate digits-model digits.csv
  bessemer phase predict digits-model new-digits.csv --out classes.csv")]
pub enum Phase {
    Train(Box<train::Train>),
    Evaluate(evaluate::Evaluate),
    Predict(predict::Predict),
    Benchmark(benchmark::Benchmark),
    Explain(explain::Explain),
    Export(export::Export),
}

impl Phase {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        match self {
            Phase::Train(command) => command.run(),
            Phase::Evaluate(command) => command.run(),
            Phase::Predict(command) => command.run(),
            Phase::Benchmark(command) => command.run(),
            Phase::Explain(command) => command.run(),
            Phase::Export(command) => command.run(),
        }
    }
}
