//! `bessemer bench kernels`: every kernel beside the machine's peak and the plain loops it is tested against.

use std::time::{Duration, Instant};

use bessemer::graph::ops::attention::Attention;
use bessemer::graph::ops::avg_pool1d::AvgPool1d;
use bessemer::graph::ops::batch_moments::BatchMoments;
use bessemer::graph::ops::concat::Concat;
use bessemer::graph::ops::conv1d::Conv1d;
use bessemer::graph::ops::cross_entropy::CrossEntropy;
use bessemer::graph::ops::dropout::Dropout;
use bessemer::graph::ops::embedding::Embedding;
use bessemer::graph::ops::layer_norm::LayerNorm;
use bessemer::graph::ops::max_pool1d::MaxPool1d;
use bessemer::graph::ops::pad::{Pad, PadMode};
use bessemer::graph::ops::permute::Permute;
use bessemer::graph::ops::reduce::Reduction;
use bessemer::graph::ops::rms_norm::RmsNorm;
use bessemer::graph::ops::softmax::Softmax;
use bessemer::graph::ops::unary::Unary;
use bessemer::graph::ops::unfold::Unfold;
use bessemer::graph::{Bindings, DType, Graph, GraphError, Tensor, Type, ValueId, evaluate_timed};
use bessemer::kernels::isa;
use bessemer::kernels::random::{Stream, fill_normal};
use bessemer::plan::{
    Batch, Entry, Executable, Parameters, PlanOptions, Pool, Precision, as_words, prepared,
};
use bessemer::train::TrainError;
use clap::Args;
use serde::Serialize;

use crate::error::{CliError, Result};
use crate::machine::Machine;
use crate::run::RunArgs;
use crate::{number, table};

/// Compare kernels with the machine's peak and with plain loops
///
/// Each runs alone on one thread, and beside it the reference evaluation that the tests compare with:
/// plain loops in double precision. The floor of a kernel is the time that its arithmetic takes at the
/// measured peak, or that its operands take at the measured bandwidth, whichever is longer.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  bessemer bench kernels --only gemm

With --json:
  {\"machine\": {as of `bessemer machine`},
   \"kernels\": [{\"name\", \"operation\", \"isa\", \"shape\", \"us\", \"gflops\", \"peak_percent\", \"oracle_gain\"}]}")]
pub struct KernelsArgs {
    /// Only kernels whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    #[command(flatten)]
    run: RunArgs,
}

/// A small model whose kernels are timed.
struct Case {
    /// Operations that are shown, and gradients of theirs; others are only there to have a loss.
    shows: &'static [&'static str],
    shape: &'static str,
    precision: Precision,
    build: fn(&mut Graph) -> std::result::Result<ValueId, GraphError>,
}

#[derive(Serialize)]
struct Results {
    machine: Machine,
    kernels: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    operation: &'static str,
    isa: &'static str,
    shape: &'static str,
    us: f64,
    gflops: f64,
    peak_percent: f64,
    oracle_gain: f64,
}

/// Rows of a table of embeddings, and classes.
const CLASSES: usize = 100;
/// How long a case is repeated.
const PATIENCE: Duration = Duration::from_millis(200);

impl KernelsArgs {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let machine = Machine::measure(&self.run.pool()?);
        let pool = Pool::new(1);
        let mut kernels = Vec::new();
        for case in cases() {
            kernels.extend(case.measure(&pool, &machine, &self.only)?);
        }
        if kernels.is_empty() {
            return Err(CliError::argument(
                format!("--only {}", self.only),
                "no kernel's name contains that",
                "leave it out to see all of them",
            ));
        }
        let results = Results { machine, kernels };
        if let Some(json) = &self.run.json {
            json.write(&results)?;
        }
        self.run.print(&results.render())
    }
}

impl Results {
    fn render(&self) -> String {
        let header = vec!["kernel", "operation", "shape", "µs", "GFLOP/s", "% of peak", "x plain loops"];
        let rows = self.kernels.iter().map(|row| {
            vec![
                row.name.to_string(),
                row.operation.to_string(),
                row.shape.to_string(),
                number::digits(row.us),
                if row.gflops > 0.0 { format!("{:.0}", row.gflops) } else { "-".into() },
                format!("{:.0}", row.peak_percent),
                number::digits(row.oracle_gain),
            ]
        });
        format!("{}\n{}, one thread.\n", table::plain(header, rows), isa().name())
    }
}

impl Case {
    fn measure(&self, pool: &Pool, machine: &Machine, only: &str) -> Result<Vec<Row>> {
        let trace = |_: usize| {
            let mut graph = Graph::new();
            let y = (self.build)(&mut graph)?;
            let square = graph.apply1(Unary::Square, &[y])?;
            let loss = graph.sum_all(square)?;
            graph.set_loss(loss);
            Ok(graph)
        };
        let options = PlanOptions {
            training: self.precision != Precision::Int8,
            fold: false,
            precision: self.precision,
            micro_batch: Some(1),
            lanes: Some(1),
            ..PlanOptions::TRAIN
        };
        let mut run = Executable::compile(&trace, 1, &options).map_err(TrainError::from)?;
        let chosen = |operation: &str, kernel: &str| {
            let own = self
                .shows
                .iter()
                .any(|o| operation.strip_suffix("_grad").unwrap_or(operation).starts_with(o));
            own && kernel.contains(only)
        };
        if !run.plan().steps.iter().any(|s| chosen(s.operation, s.kernel)) {
            return Ok(Vec::new());
        }
        let graph = prepared(trace(1).map_err(TrainError::from)?, &options).map_err(TrainError::from)?;
        let mut parameters = Parameters::new(run.parameters());
        random(0, parameters.as_mut_slice());
        parameters.as_mut_slice().iter_mut().for_each(|x| *x *= 0.05);
        let inputs: Vec<Vec<f32>> = graph
            .inputs()
            .iter()
            .enumerate()
            .map(|(i, input)| {
                let mut data = vec![0.0; input.ty.len()];
                match input.ty.dtype {
                    DType::F32 => random(1 + i as u32, &mut data),
                    DType::I32 => {
                        let indices: Vec<i32> = (0..data.len()).map(|i| (i * 37 % CLASSES) as i32).collect();
                        data.copy_from_slice(as_words(&indices));
                    }
                }
                data
            })
            .collect();

        let views: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let batch = Batch { inputs: &views, loss_scale: 1e-3, seed: 1, step: 0 };
        let mut best: Vec<Entry> = Vec::new();
        let begun = Instant::now();
        run.set_timed(true);
        while best.is_empty() || begun.elapsed() < PATIENCE {
            run.run(pool, &parameters, &batch).map_err(TrainError::from)?;
            let entries = run.take_profile().entries;
            match best.is_empty() {
                true => best = entries,
                false => best.iter_mut().zip(entries).for_each(|(b, e)| b.seconds = b.seconds.min(e.seconds)),
            }
        }
        let plain = plain_loops(&graph, &parameters, &inputs);

        let mut rows = Vec::new();
        for entry in best.iter().filter(|e| chosen(e.operation, e.kernel)) {
            let count = best.iter().filter(|e| e.operation == entry.operation).count();
            let oracle: f64 =
                plain.iter().filter(|(name, _)| *name == entry.operation).map(|(_, seconds)| seconds).sum();
            rows.push(Row {
                name: entry.kernel,
                operation: entry.operation,
                isa: isa().name(),
                shape: self.shape,
                us: entry.seconds * 1e6,
                gflops: entry.flops / entry.seconds * 1e-9,
                peak_percent: 100.0 * machine.floor(entry) / entry.seconds,
                oracle_gain: oracle / count as f64 / entry.seconds,
            });
        }
        Ok(rows)
    }
}

fn random(site: u32, out: &mut [f32]) {
    fill_normal(Stream { seed: 1, step: 0, site }, 0, out);
}

/// Seconds of the reference evaluation, by operation.
fn plain_loops(graph: &Graph, parameters: &Parameters, inputs: &[Vec<f32>]) -> Vec<(&'static str, f64)> {
    let tensor = |shape: &[usize], data: &mut dyn Iterator<Item = f64>| Tensor::new(shape, data.collect());
    let bindings = Bindings {
        parameters: (0..parameters.specs().len())
            .map(|i| tensor(&parameters.specs()[i].shape, &mut parameters.get(i).iter().map(|&x| x.into())))
            .collect(),
        inputs: graph
            .inputs()
            .iter()
            .zip(inputs)
            .map(|(input, data)| match input.ty.dtype {
                DType::F32 => tensor(&input.ty.shape, &mut data.iter().map(|&x| x.into())),
                DType::I32 => tensor(&input.ty.shape, &mut data.iter().map(|x| f64::from(x.to_bits()))),
            })
            .collect(),
        loss_scale: 1e-3,
    };
    let mut seconds = Vec::new();
    evaluate_timed(graph, &bindings, &mut |node, elapsed| {
        seconds.push((node.op.operation().name(), elapsed.as_secs_f64()));
    });
    seconds
}

fn cases() -> Vec<Case> {
    let f32 = |shows, shape, build| Case { shows, shape, precision: Precision::F32, build };
    vec![
        f32(&["matmul", "linear"], "512 x 512 x 512", square),
        Case { precision: Precision::Bf16, ..f32(&["matmul", "linear"], "512 x 512 x 512", square) },
        Case { precision: Precision::F16, ..f32(&["matmul", "linear"], "512 x 512 x 512", square) },
        Case { precision: Precision::Int8, ..f32(&["linear"], "512 x 512 x 512", square) },
        f32(&["linear"], "1 x 4096 x 4096", row),
        Case { precision: Precision::Int8, ..f32(&["linear"], "1 x 4096 x 4096", row) },
        f32(&["linear", "matmul"], "336 x 256 x 128, GELU", |g| {
            let x = g.input("x", Type::f32([1, 336, 128]));
            let w = g.parameter("w", &[256, 128])?;
            let h = g.linear(x, w, None)?;
            g.apply1(Unary::GeluErf, &[h])
        }),
        f32(&["matmul"], "64 of 42 x 42 x 16", |g| {
            let x = g.input("x", Type::f32([64, 42, 16]));
            let y = g.parameter("y", &[64, 16, 42])?;
            g.matmul(x, y)
        }),
        f32(&["attention"], "32 of 42, 8 heads of 16", |g| attention(g, [32, 42, 128], 8, false)),
        f32(&["attention"], "512 causal, 8 heads of 64", |g| attention(g, [1, 512, 512], 8, true)),
        Case {
            precision: Precision::Bf16,
            ..f32(&["attention"], "512 causal, 8 heads of 64", |g| attention(g, [1, 512, 512], 8, true))
        },
        f32(&["attention"], "512, 4 heads of 32 with 2 of keys, masked, biased by distance", |g| {
            let qkv = weighted(g, &[1, 512, 256])?;
            let (mask, bias) =
                (g.constant(&[1, 512], vec![1.0; 512]), g.parameter("distances", &[4, 2 * 512 - 1])?);
            let attention = Attention {
                kv_heads: 2,
                causal: true,
                masked: true,
                biased: true,
                ..Attention::new(4, 1.0 / 32f32.sqrt())
            };
            Ok(g.apply(attention, &[qkv, mask, bias])?[0])
        }),
        f32(&["fused"], "1024 x 256, dropout and its gradient", |g| {
            let x = weighted(g, &[1024, 256])?;
            let site = g.next_dropout_site();
            g.apply1(Dropout { rate: 0.1, site, samples: 1 }, &[x])
        }),
        f32(&["softmax"], "1024 x 256", |g| {
            let x = weighted(g, &[1024, 256])?;
            g.apply1(Softmax { log: false }, &[x])
        }),
        f32(&["layer_norm"], "1024 x 256", |g| {
            let x = weighted(g, &[1024, 256])?;
            let (gamma, beta) = (g.parameter("gamma", &[256])?, g.parameter("beta", &[256])?);
            Ok(g.apply(LayerNorm { eps: 1e-5 }, &[x, gamma, beta])?[0])
        }),
        f32(&["rms_norm"], "1024 x 256", |g| {
            let x = weighted(g, &[1024, 256])?;
            let gamma = g.parameter("gamma", &[256])?;
            Ok(g.apply(RmsNorm { eps: 1e-6 }, &[x, gamma])?[0])
        }),
        f32(&["batch_moments"], "1024 x 256", |g| {
            let x = g.input("x", Type::f32([1024, 256]));
            Ok(g.apply(BatchMoments { count: 1024 }, &[x])?[1])
        }),
        f32(&["fused"], "1024 x 256, GELU and its gradient", |g| {
            let x = weighted(g, &[1024, 256])?;
            g.apply1(Unary::GeluErf, &[x])
        }),
        f32(&["fused"], "1024 x 256, tanh(x) sin(x) and its gradient", |g| {
            let x = weighted(g, &[1024, 256])?;
            let (a, b) = (g.apply1(Unary::Tanh, &[x])?, g.apply1(Unary::Sin, &[x])?);
            g.mul(a, b)
        }),
        f32(&["mean"], "1024 x 256 by rows", |g| {
            let x = weighted(g, &[1024, 256])?;
            g.reduce(x, Reduction::Mean, 1)
        }),
        f32(&["max"], "64 x 1024 x 4 by columns", |g| {
            let x = g.input("x", Type::f32([64, 1024, 4]));
            g.reduce(x, Reduction::Max, 1)
        }),
        f32(&["conv1d"], "32 of 16 x 256 to 32, 3 taps", |g| {
            let x = weighted(g, &[32, 16, 256])?;
            let w = g.parameter("w", &[32, 16, 3])?;
            let conv = Conv1d { stride: 1, padding: 1, dilation: 1, groups: 1, bias: false };
            g.apply1(conv, &[x, w])
        }),
        f32(&["max_pool1d"], "1024 x 336, windows of 4", |g| {
            let x = weighted(g, &[1024, 336])?;
            Ok(g.apply(MaxPool1d { kernel: 4, stride: 4, padding: 0, ceil_mode: false }, &[x])?[0])
        }),
        f32(&["avg_pool1d"], "1024 x 336, windows of 25", |g| {
            let x = weighted(g, &[1024, 336])?;
            g.apply1(AvgPool1d { kernel: 25, stride: 1, padding: 0, ceil_mode: false }, &[x])
        }),
        f32(&["embedding"], "2048 of 100 x 128", |g| {
            let indices = g.input("indices", Type::i32([1, 2048]));
            let table = g.parameter("table", &[CLASSES, 128])?;
            g.apply1(Embedding, &[table, indices])
        }),
        f32(&["cross_entropy"], "1024 of 100 classes", |g| {
            let logits = weighted(g, &[1024, CLASSES])?;
            let labels = g.input("labels", Type::i32([1024]));
            Ok(g.apply(CrossEntropy { smoothing: 0.1 }, &[logits, labels])?[0])
        }),
        f32(&["permute"], "64 x 128 x 42", |g| {
            let x = weighted(g, &[64, 128, 42])?;
            g.apply1(Permute { axes: vec![0, 2, 1] }, &[x])
        }),
        f32(&["pad", "slice"], "1024 x 336, 12 on each side", |g| {
            let x = weighted(g, &[1024, 336])?;
            g.apply1(Pad { axis: 1, before: 12, after: 12, mode: PadMode::Replicate }, &[x])
        }),
        f32(&["concat", "slice"], "1024 x 128 and 1024 x 64", |g| {
            let (x, y) = (weighted(g, &[1024, 128])?, g.parameter("y", &[1024, 64])?);
            g.apply1(Concat { axis: 1 }, &[x, y])
        }),
        f32(&["unfold", "fold"], "256 x 336, windows of 16 every 8", |g| {
            let x = weighted(g, &[256, 336])?;
            g.apply1(Unfold { size: 16, step: 8 }, &[x])
        }),
    ]
}

/// An input times a parameter of its size, so that there are gradients.
fn weighted(g: &mut Graph, shape: &[usize]) -> std::result::Result<ValueId, GraphError> {
    let x = g.input("x", Type::f32(shape.to_vec()));
    let w = g.parameter("weight", shape)?;
    g.mul(x, w)
}

fn square(g: &mut Graph) -> std::result::Result<ValueId, GraphError> {
    let x = g.input("x", Type::f32([512, 512]));
    let (first, w) = (g.parameter("first", &[512])?, g.parameter("w", &[512, 512])?);
    let x = g.mul(x, first)?;
    g.linear(x, w, None)
}

fn row(g: &mut Graph) -> std::result::Result<ValueId, GraphError> {
    let x = g.input("x", Type::f32([1, 4096]));
    let w = g.parameter("w", &[4096, 4096])?;
    g.linear(x, w, None)
}

fn attention(
    g: &mut Graph,
    [samples, len, width]: [usize; 3],
    heads: usize,
    causal: bool,
) -> std::result::Result<ValueId, GraphError> {
    let qkv = weighted(g, &[samples, len, 3 * width])?;
    let scale = 1.0 / ((width / heads) as f32).sqrt();
    Ok(g.apply(Attention { causal, ..Attention::new(heads, scale) }, &[qkv])?[0])
}
