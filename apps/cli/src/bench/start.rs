//! `bessemer bench start`: times this program from its start to its first training step.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use bessemer::plan::PlanOptions;
use clap::Args;
use serde::Serialize;

use super::Spread;
use super::models::BenchModel;
use super::training::Training;
use crate::error::{CliError, Result};
use crate::number;
use crate::run::RunArgs;

/// Time this program from its start to the end of its first training step
///
/// Starts the program anew several times and waits for it to say that the step is done: loading,
/// compiling the model, drawing weights and data, and the step itself.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Example:\n  bessemer bench start --model mlp --threads 2 --json -

With --json:
  {\"model\", \"threads\", \"starts\", \"start_ms\": {\"median\", \"min\", \"max\"}}"
)]
pub struct StartArgs {
    /// The model
    #[arg(long, value_enum)]
    model: BenchModel,
    /// Times to start
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", default_value_t = 11)]
    starts: usize,
    /// Be the program that is timed: make one step and say so
    #[arg(long, hide = true)]
    once: bool,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct StartResult {
    model: &'static str,
    threads: usize,
    starts: usize,
    start_ms: Spread,
}

impl StartArgs {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let threads = pool.threads();
        if self.once {
            Training::new(self.model, self.model.batch(), pool, &PlanOptions::TRAIN)?.step()?;
            return crate::output::print("done\n");
        }
        if !(1..=1000).contains(&self.starts) {
            let place = format!("--starts {}", self.starts);
            return Err(CliError::argument(place, "it must be from 1 to 1000", "11 is enough for a median"));
        }
        let times = (0..self.starts).map(|_| self.start(threads)).collect::<Result<Vec<_>>>()?;
        let result = StartResult {
            model: self.model.name(),
            threads,
            starts: self.starts,
            start_ms: Spread::of(times),
        };
        if let Some(json) = &self.run.json {
            json.write(&result)?;
        }
        self.run.print(&format!(
            "{}, {}\n  start to the end of the first step  {:.1} ms median of {} ({:.1} to {:.1})\n",
            result.model,
            number::counted(threads, "thread"),
            result.start_ms.median,
            result.starts,
            result.start_ms.min,
            result.start_ms.max,
        ))
    }

    /// Milliseconds until a new process has made its first step.
    fn start(&self, threads: usize) -> Result<f64> {
        let failed = |problem: String| CliError::Bench(format!("starting this program again: {problem}"));
        let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["bench", "start", "--once", "--model", self.model.name()])
            .args(["--threads", &threads.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|e| failed(e.to_string()))?;
        }
        let elapsed = begun.elapsed();
        let status = child.wait().map_err(|e| failed(e.to_string()))?;
        match line.trim() == "done" && status.success() {
            true => Ok(elapsed.as_secs_f64() * 1e3),
            false => Err(failed(format!("it ended with {status}"))),
        }
    }
}
