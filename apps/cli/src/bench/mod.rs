//! `bessemer bench`: measures this machine and this build.

mod models;
mod step;

use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Time a training step on random data
    Step(step::StepArgs),
}

impl Bench {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), Box<dyn std::error::Error>> {
        match self {
            Bench::Step(args) => args.run(),
        }
    }
}
