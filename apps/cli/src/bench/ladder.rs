//! `bessemer bench ladder`: what each optimisation is worth, beginning with plain loops.

use std::path::PathBuf;
use std::process::Command;

use bessemer::graph::{Bindings, Tensor, evaluate};
use bessemer::nn::Trace;
use bessemer::plan::{Pool, prepared};
use bessemer::train::TrainError;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::check_seconds;
use super::models::BenchModel;
use super::rung::Rung;
use super::training::Training;
use crate::error::{CliError, Result};
use crate::output::{self, JsonTarget};
use crate::run::RunArgs;
use crate::{number, report, table};

/// Measure what each optimisation is worth, from plain loops to everything
///
/// Every rung runs the same training step on the same data, in a process of its own, with one thing more
/// than the rung below. The deviation is that of loss and gradients from an evaluation of the batch (of 256
/// samples at most) in double precision, relative, the largest of all weights.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Example:
  bessemer bench ladder --model encoder --threads 2 --report ladder.html

A single rung:
  bessemer bench step --model encoder --threads 2 --rung fusion

With --json:
  {\"model\", \"threads\", \"batch\", \"rungs\": [{\"name\", \"step_ms\", \"samples_per_s\", \"gain\",
   \"total_gain\", \"peak_memory_mb\", \"deviation\"}]}
  gain is over the rung below, total_gain over the first."
)]
pub struct LadderArgs {
    /// The model
    #[arg(long, value_enum, default_value = "encoder")]
    model: LadderModel,
    /// Seconds to measure each rung for, but five steps at least
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Write a report with a chart, as a single HTML page
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// The models that the ladder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LadderModel {
    /// Transformer encoder
    Encoder,
    /// Multi-layer perceptron
    Mlp,
    /// LSTM
    Lstm,
    /// N-HiTS
    Nhits,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Ladder {
    /// The model.
    pub model: &'static str,
    /// Threads of the rungs that use several.
    pub threads: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// From the bottom.
    pub rungs: Vec<Measured>,
}

/// A rung's figures.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// The median time of a step.
    pub step_ms: f64,
    /// Samples a second.
    pub samples_per_s: f64,
    /// The time of the rung below over this one's.
    pub gain: f64,
    /// The time of the first rung over this one's.
    pub total_gain: f64,
    /// The most memory that the process held.
    pub peak_memory_mb: Option<f64>,
    /// Largest relative deviation of the loss, or of a weight's gradient, from double precision.
    pub deviation: f64,
}

/// The part of the result of `bench step` that is needed here.
#[derive(Deserialize)]
struct Step {
    step_ms: Median,
    peak_memory_mb: Option<f64>,
}

#[derive(Deserialize)]
struct Median {
    median: f64,
}

/// Samples by which the deviation is measured: the whole batch, but no more than the reference evaluation has
/// time for.
const SAMPLES_MOST: usize = 256;

fn samples(model: BenchModel) -> usize {
    model.batch().min(SAMPLES_MOST)
}

impl LadderArgs {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        check_seconds(self.seconds)?;
        self.report.iter().try_for_each(|path| output::check_file(path))?;
        let json = self.run.json.as_ref().and_then(JsonTarget::path);
        output::check_distinct(&[("--report", self.report.as_deref()), ("--json", json)])?;
        let threads = self.run.pool()?.threads();
        let model = match self.model {
            LadderModel::Encoder => BenchModel::Encoder,
            LadderModel::Mlp => BenchModel::Mlp,
            LadderModel::Lstm => BenchModel::Lstm,
            LadderModel::Nhits => BenchModel::Nhits,
        };
        let exact = Gradients::exact(model)?;
        let mut rungs: Vec<Measured> = Vec::with_capacity(Rung::ALL.len());
        for rung in Rung::ALL {
            self.run.note(&format!("{} ...", rung.name()));
            let step = self.measure(model, rung, threads)?;
            let step_ms = step.step_ms.median;
            let over = |below: Option<&Measured>| below.map_or(1.0, |below| below.step_ms / step_ms);
            rungs.push(Measured {
                name: rung.name(),
                step_ms,
                samples_per_s: 1e3 * model.batch() as f64 / step_ms,
                gain: over(rungs.last()),
                total_gain: over(rungs.first()),
                peak_memory_mb: step.peak_memory_mb,
                deviation: Gradients::of(model, rung, threads)?.deviation(&exact),
            });
        }
        let ladder = Ladder { model: model.name(), threads, batch: model.batch(), rungs };
        if let Some(path) = &self.report {
            report::ladder(&ladder, path)?;
        }
        if let Some(json) = &self.run.json {
            json.write(&ladder)?;
        }
        self.run.print(&ladder.render())
    }

    /// Times a rung in a process of its own, so that its memory is its own.
    fn measure(&self, model: BenchModel, rung: Rung, threads: usize) -> Result<Step> {
        let failed = |problem: String| CliError::Bench(format!("rung {}: {problem}", rung.name()));
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let (threads, seconds) = (threads.to_string(), self.seconds.to_string());
        let arguments =
            ["bench", "step", "--model", model.name(), "--rung", rung.name(), "--threads", &threads];
        let output = Command::new(program)
            .args(arguments)
            .args(["--seconds", &seconds, "--json", "-"])
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_string()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
    }
}

impl Ladder {
    fn render(&self) -> String {
        let header = vec!["rung", "step", "samples/s", "x rung below", "x first", "memory", "deviation"];
        let rows = self.rungs.iter().map(|rung| {
            vec![
                rung.name.to_string(),
                number::seconds(rung.step_ms * 1e-3),
                number::digits(rung.samples_per_s),
                format!("{:.2}", rung.gain),
                format!("{:.1}", rung.total_gain),
                rung.peak_memory_mb.map_or("-".into(), |memory| format!("{memory:.0} MB")),
                format!("{:.0e}", rung.deviation),
            ]
        });
        format!(
            "{}\n{}, batch {}, {} from `lanes` on, one before.\n",
            table::plain(header, rows),
            self.model,
            self.batch,
            number::counted(self.threads, "thread")
        )
    }
}

/// A loss and its gradients, by parameter.
struct Gradients {
    loss: f64,
    by_parameter: Vec<Vec<f64>>,
}

impl Gradients {
    /// In double precision, by the reference evaluation.
    fn exact(model: BenchModel) -> Result<Gradients> {
        let plain = Rung::Scalar.options();
        let training = Training::new(model, samples(model), Pool::new(1), &plain)?;
        let mut t = Trace::new(samples(model), samples(model), true);
        model.trace(&mut t).map_err(TrainError::from)?;
        let graph = prepared(t.graph, &plain).map_err(TrainError::from)?;
        let tensor =
            |shape: &[usize], data: &[f32]| Tensor::new(shape, data.iter().map(|&x| f64::from(x)).collect());
        let specs = graph.parameters().iter().enumerate();
        let bindings = Bindings {
            parameters: specs.map(|(i, p)| tensor(&p.shape, training.parameters.get(i))).collect(),
            inputs: graph
                .inputs()
                .iter()
                .zip(&training.inputs)
                .map(|(i, x)| tensor(&i.ty.shape, x))
                .collect(),
            loss_scale: f64::from(training.loss_scale),
        };
        let values = evaluate(&graph, &bindings);
        let loss = graph.loss().map_or(0.0, |v| values[v.index()].data[0]) * bindings.loss_scale;
        let mut by_parameter: Vec<Vec<f64>> =
            bindings.parameters.iter().map(|p| vec![0.0; p.data.len()]).collect();
        for (parameter, v) in graph.gradients() {
            by_parameter[*parameter].iter_mut().zip(&values[v.index()].data).for_each(|(sum, g)| *sum += g);
        }
        Ok(Gradients { loss, by_parameter })
    }

    /// As a rung computes them.
    fn of(model: BenchModel, rung: Rung, threads: usize) -> Result<Gradients> {
        rung.under(|| {
            let pool = Pool::new(rung.threads(threads));
            let mut training = Training::new(model, samples(model), pool, &rung.options())?;
            let loss = training.gradients()?;
            let ranges = training.parameters.ranges().to_vec();
            let by_parameter = training.step.with_gradients(|lanes| {
                let sum = |i: usize| lanes.iter().map(|lane| f64::from(lane[i])).sum();
                ranges.into_iter().map(|range| range.map(sum).collect()).collect()
            });
            Ok(Gradients { loss, by_parameter })
        })
    }

    /// How far from `exact`: the largest of the loss' and every gradient's distance over its size.
    fn deviation(&self, exact: &Gradients) -> f64 {
        let size = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let gradients = self.by_parameter.iter().zip(&exact.by_parameter).map(|(got, exact)| {
            let apart = size(&mut got.iter().zip(exact).map(|(a, b)| a - b));
            apart / size(&mut exact.iter().copied()).max(f64::MIN_POSITIVE)
        });
        gradients.fold((self.loss - exact.loss).abs() / exact.loss.abs(), f64::max)
    }
}
