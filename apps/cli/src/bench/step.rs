//! `bessemer bench step`: times a training step on random data.

use std::time::{Duration, Instant};

use bessemer::kernels::isa;
use bessemer::kernels::peak::measure_flops;
use bessemer::plan::{Entry, PlanOptions, Pool, Profile, Tuned};
use clap::Args;
use serde::Serialize;

use super::models::BenchModel;
use super::rung::Rung;
use super::training::Training;
use super::{Spread, check_seconds};
use crate::error::{CliError, Result};
use crate::machine::{self, Machine};
use crate::number;
use crate::precision::PrecisionName;
use crate::profile::table;
use crate::recomputed::{Dropped, megabytes};
use crate::run::RunArgs;
use crate::tuning::{DivisionArgs, Tuning};

/// Time a training step (forward, backward, AdamW), or a forward pass, on random data
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Example:
  bessemer bench step --model encoder --threads 2 --json -

With --json:
  {\"model\", \"precision\", \"inference\", \"threads\", \"isa\", \"batch\", \"micro_batch\", \"lanes\",
   \"steps\", \"step_ms\": {\"median\", \"min\", \"max\"}, \"flops_per_step\", \"peak_gflops_per_core\",
   \"peak_fraction\", \"peak_memory_mb\", \"activations_mb\", \"recomputed\", \"parameters\"}
  With --profile also \"profile\": [{\"operation\", \"kernel\", \"layer\", \"core_ms\", \"gflop\"}].
  With --tune also \"tuned\": {\"micro_batch\", \"lanes\", \"candidates\": [{\"micro_batch\", \"lanes\", \"seconds\"}]}.
  With --activations, recomputed is {\"share\", \"values\": [{\"operation\", \"layer\", \"mb\", \"gflop\"}]}.
  peak_fraction is that of the f32 peak, also in bf16 and int8."
)]
pub struct StepArgs {
    /// The model
    #[arg(long, value_enum)]
    model: BenchModel,
    /// Samples in a batch [default: the model's own]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N")]
    batch: Option<usize>,
    /// Arithmetic of products with weights
    #[arg(long, value_enum, default_value_t)]
    precision: PrecisionName,
    /// Run the model forward only, as for forecasts
    #[arg(long)]
    inference: bool,
    /// Seconds to measure for
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[command(flatten)]
    division: DivisionArgs,
    /// Percent of the memory of activations that may be used: what is cheapest to compute again is
    /// dropped until then [default: all of it]
    #[arg(long, value_parser = number::percent, value_name = "PERCENT", conflicts_with = "inference")]
    activations: Option<u8>,
    /// Run as a rung of `bench ladder`, on one thread below `lanes`
    #[arg(long, value_enum, conflicts_with_all = ["precision", "inference", "micro_batch", "lanes", "tune", "activations"])]
    rung: Option<Rung>,
    /// Show where the time goes, by operation
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct StepResult {
    model: &'static str,
    precision: PrecisionName,
    inference: bool,
    threads: usize,
    isa: &'static str,
    batch: usize,
    micro_batch: usize,
    lanes: usize,
    steps: usize,
    step_ms: Spread,
    flops_per_step: f64,
    peak_gflops_per_core: f64,
    peak_fraction: f64,
    peak_memory_mb: Option<f64>,
    /// Of one thread.
    activations_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recomputed: Option<Dropped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tuned: Option<Tuning>,
    parameters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Vec<Part>>,
}

/// A call of a step.
#[derive(Serialize)]
struct Part {
    operation: &'static str,
    kernel: &'static str,
    layer: String,
    core_ms: f64,
    gflop: f64,
}

impl Part {
    fn of(entry: &Entry) -> Part {
        Part {
            operation: entry.operation,
            kernel: entry.kernel,
            layer: entry.scope.clone(),
            core_ms: 1e3 * entry.seconds,
            gflop: 1e-9 * entry.flops,
        }
    }
}

impl StepArgs {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let batch = self.batch.unwrap_or(self.model.batch());
        if batch == 0 || batch > 1 << 20 {
            let problem = format!("it must be from 1 to {}", 1 << 20);
            let remedy = format!("{} is the model's own", self.model.batch());
            return Err(CliError::argument(format!("--batch {batch}"), problem, remedy));
        }
        check_seconds(self.seconds)?;
        for (name, value) in [("micro-batch", self.division.micro_batch), ("lanes", self.division.lanes)] {
            if let Some(value) = value.filter(|value| !(1..=batch).contains(value)) {
                let problem = format!("it must be from 1 to the batch, {batch}");
                return Err(CliError::argument(
                    format!("--{name} {value}"),
                    problem,
                    "leave it out for the cost model's",
                ));
            }
        }
        if self.precision == PrecisionName::Int8 && !self.inference {
            let problem = "8-bit integers are for inference";
            return Err(CliError::argument(
                "--precision int8",
                problem,
                "add --inference, or train in f32 or bf16",
            ));
        }
        let (mut result, profile) = match self.rung {
            None => self.measure(pool, batch),
            Some(rung) => rung.under(|| self.measure(Pool::new(rung.threads(pool.threads())), batch)),
        }?;
        result.profile = profile.as_ref().map(|profile| profile.entries.iter().map(Part::of).collect());
        if let Some(json) = &self.run.json {
            json.write(&result)?;
        }
        let mut text = result.render(self.activations);
        if let Some(profile) = profile {
            text += &format!("\n{}\n", table::step(&profile, &Machine::measure(&Pool::new(1))));
        }
        self.run.print(&text)
    }

    fn measure(&self, pool: Pool, batch: usize) -> Result<(StepResult, Option<Profile>)> {
        let threads = pool.threads();
        let options = self.rung.map_or(
            PlanOptions {
                micro_batch: self.division.micro_batch,
                lanes: self.division.lanes,
                precision: self.precision.get(),
                training: !self.inference,
                activations: self.activations,
                ..PlanOptions::TRAIN
            },
            Rung::options,
        );
        let (options, tuned) = if self.division.tune {
            let Tuned { options, candidates } = Training::tune(self.model, batch, &pool, &options)?;
            (options, Some(Tuning::new(options.micro_batch, options.lanes, candidates)))
        } else {
            (options, None)
        };
        let mut training = Training::new(self.model, batch, pool, &options)?;
        self.run.note_precision(self.precision, training.step.products(options.precision));
        let one = |training: &mut Training| -> Result<Duration> {
            let start = Instant::now();
            training.step()?;
            Ok(start.elapsed())
        };
        let warm = Instant::now();
        while warm.elapsed().as_secs_f64() < 0.2 * self.seconds {
            one(&mut training)?;
        }
        let peak = measure_flops(20);
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < self.seconds || times.len() < 5 {
            times.push(one(&mut training)?.as_secs_f64() * 1e3);
        }
        let profile = if self.profile {
            training.step.set_timed(true);
            training.step.take_profile();
            let rounds = times.len().clamp(5, 50);
            for _ in 0..rounds {
                one(&mut training)?;
            }
            Some(training.step.take_profile().each(rounds))
        } else {
            None
        };
        let steps = times.len();
        let step_ms = Spread::of(times);
        let flops_per_step = training.step.flops();
        let result = StepResult {
            model: self.model.name(),
            precision: if self.rung == Some(Rung::Bf16) { PrecisionName::Bf16 } else { self.precision },
            inference: self.inference,
            threads,
            isa: isa().name(),
            batch,
            micro_batch: training.step.batching().micro_batch,
            lanes: training.step.batching().lanes,
            steps,
            peak_fraction: flops_per_step / (step_ms.median * 1e-3) / (peak * threads as f64),
            step_ms,
            flops_per_step,
            peak_gflops_per_core: peak * 1e-9,
            peak_memory_mb: machine::process_memory().map(|memory| memory.peak as f64 * 1e-6),
            activations_mb: megabytes(training.step.plan().arena_len),
            recomputed: training.step.recomputing().map(Dropped::of),
            tuned,
            parameters: training.parameters.count(),
            profile: None,
        };
        Ok((result, profile))
    }
}

impl StepResult {
    fn render(&self, percent: Option<u8>) -> String {
        let r = self;
        let mut lines = vec![
            format!(
                "{} {}, batch {} ({} of micro-batches of {}), {}, {}",
                r.model,
                r.precision,
                r.batch,
                number::counted(r.lanes, "lane"),
                r.micro_batch,
                number::counted(r.threads, "thread"),
                r.isa
            ),
            format!(
                "  {}    {:.3} ms median of {} ({:.3} to {:.3})",
                if r.inference { "pass" } else { "step" },
                r.step_ms.median,
                r.steps,
                r.step_ms.min,
                r.step_ms.max
            ),
            format!(
                "  work    {:.2} GFLOP, {:.1} % of the measured f32 peak ({:.0} GFLOP/s a core)",
                r.flops_per_step * 1e-9,
                100.0 * r.peak_fraction,
                r.peak_gflops_per_core
            ),
        ];
        if let Some(memory) = r.peak_memory_mb {
            lines.push(format!(
                "  memory  {memory:.0} MB peak, arena {:.2} MB a thread, {} parameters",
                r.activations_mb, r.parameters
            ));
        }
        let blocks = [
            r.tuned.as_ref().map(Tuning::render),
            r.recomputed.as_ref().zip(percent).map(|(dropped, percent)| dropped.render(percent)),
        ];
        for block in blocks.into_iter().flatten() {
            lines.push(format!("\n  {}", block.trim_end().replace('\n', "\n  ")));
        }
        lines.join("\n") + "\n"
    }
}
