//! Small models, compiled and run on made-up numbers.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError, Type, ValueId};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool, as_words};

/// A model's result.
pub type Built = Result<ValueId, GraphError>;

/// A model over x `[n, 6, 8]` and indices `[n, 6]` below 5.
pub type Model = fn(&mut Graph, ValueId, ValueId) -> Built;

/// Samples of a batch.
pub const SAMPLES: usize = 7;

fn pseudo_random(i: usize) -> f32 {
    ((i as f64 * 0.754_877_666_2 + 0.1).fract() * 2.0 - 1.0) as f32
}

/// Its graph with a loss that depends on every element.
pub fn trace(model: Model, samples: usize) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let x = g.input("x", Type::f32([samples, 6, 8]));
    let indices = g.input("indices", Type::i32([samples, 6]));
    let y = model(&mut g, x, indices)?;
    // Micro-batches add up, so what is a sum over samples already stays as it is.
    let summed = g.shape(y).is_empty();
    let weighted = if summed { y } else { g.apply1(Unary::Sin, &[y])? };
    let loss = g.sum_all(weighted)?;
    g.set_loss(loss);
    if g.shape(y).first() == Some(&samples) {
        g.output("y", y);
    }
    Ok(g)
}

/// What came out of a run.
pub struct Run {
    pub loss: f64,
    pub gradient: Vec<f32>,
    pub output: Option<Vec<f32>>,
}

/// Compiles a model and runs it.
pub fn run(model: Model, options: &PlanOptions, threads: usize, parameters: &Parameters) -> Run {
    let (x, indices) = data();
    let mut step = Executable::compile(&|n| trace(model, n), SAMPLES, options).unwrap();
    let inputs = [x.as_slice(), as_words(&indices)];
    let batch = Batch { inputs: &inputs, loss_scale: 0.25, seed: 0, step: 0 };
    let pool = Pool::new(threads);
    // Twice, as the second run must not see the first one's gradients.
    step.run(&pool, parameters, &batch).unwrap();
    let loss = step.run(&pool, parameters, &batch).unwrap();
    let len = if options.training { parameters.as_slice().len() } else { 0 };
    let gradient =
        step.with_gradients(|lanes| (0..len).map(|i| lanes.iter().map(|lane| lane[i]).sum()).collect());
    Run { loss, gradient, output: step.output("y").map(<[f32]>::to_vec) }
}

/// Values and indices.
pub fn data() -> (Vec<f32>, Vec<i32>) {
    let x = (0..SAMPLES * 48).map(pseudo_random).collect();
    let indices = (0..SAMPLES * 6).map(|i| (i * 7 % 5) as i32).collect();
    (x, indices)
}

/// Parameters away from 0.
pub fn parameters_of(graph: &Graph) -> Parameters {
    let mut parameters = Parameters::new(graph.parameters());
    for (i, range) in parameters.ranges().to_vec().into_iter().enumerate() {
        for (j, at) in range.enumerate() {
            parameters.as_mut_slice()[at] = 0.5 * pseudo_random(1000 * (i + 1) + j);
        }
    }
    parameters
}
