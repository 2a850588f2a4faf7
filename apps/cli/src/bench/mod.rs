//! `bessemer bench`: measures this machine and this build.

mod kernels;
pub mod ladder;
mod models;
mod phase;
mod predict;
mod rung;
mod start;
mod step;
mod training;

use clap::Subcommand;
use serde::Serialize;

use crate::error::{CliError, Result};

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    Step(step::StepArgs),
    Predict(predict::PredictArgs),
    Start(start::StartArgs),
    Kernels(kernels::KernelsArgs),
    Ladder(ladder::LadderArgs),
    Phase(phase::PhaseArgs),
}

impl Bench {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        match self {
            Bench::Step(args) => args.run(),
            Bench::Predict(args) => args.run(),
            Bench::Start(args) => args.run(),
            Bench::Kernels(args) => args.run(),
            Bench::Ladder(args) => args.run(),
            Bench::Phase(args) => args.run(),
        }
    }
}

/// What many measurements of the same thing gave.
#[derive(Debug, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        Spread { median: values[values.len() / 2], min: values[0], max: values[values.len() - 1] }
    }
}

/// Refuses a time to measure for that makes no sense.
fn check_seconds(seconds: f64) -> Result<()> {
    match seconds > 0.0 && seconds <= 600.0 {
        true => Ok(()),
        false => Err(CliError::argument(
            format!("--seconds {seconds}"),
            "it must be more than 0 and at most 600",
            "3 is enough for a median",
        )),
    }
}
