//! What the trainer costs by itself: a training of a model with one weight, microseconds a step.
//!
//! `cargo run --release -p bessemer-train --example overhead`

use std::ops::ControlFlow;

use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Trace, initialize};
use bessemer_plan::{Executable, Parameters, PlanOptions, Pool};
use bessemer_train::{Task, TrainError, TrainOptions, train};

const STEPS: u64 = 100_000;

fn trace(samples: usize) -> Result<Trace, GraphError> {
    let mut t = Trace::new(samples, 1, true);
    let x = t.input("x", &[1]);
    let y = Linear { bias: false, ..Linear::new(1, 1) }.forward(&mut t, x)?;
    let loss = t.graph.sum_all(y)?;
    t.graph.set_loss(loss);
    Ok(t)
}

struct Nothing;

impl Task for Nothing {
    fn batch(&mut self, _: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        inputs[0][0] = 1.0;
        Ok(1e-3)
    }

    fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }
}

fn main() -> Result<(), TrainError> {
    for threads in [1, 2] {
        let first = trace(1)?;
        let mut step = Executable::compile(&|n| Ok(trace(n)?.graph), 1, &PlanOptions::TRAIN)?;
        let mut parameters = Parameters::new(step.parameters());
        initialize(&mut parameters, first.inits(), 1);
        let options = TrainOptions { steps: STEPS, ..TrainOptions::default() };
        let pool = Pool::new(threads);
        let mut watch = |_: bessemer_train::Event| ControlFlow::Continue(());
        let history = train(
            &mut Nothing,
            std::slice::from_mut(&mut step),
            &mut parameters,
            first.buffers(),
            &options,
            None,
            &pool,
            &mut watch,
        )?;
        let each = 1e6 * history.elapsed.as_secs_f64() / STEPS as f64;
        println!("{threads} threads: {each:.2} us a step, forward, backward and Adam of one weight included");
    }
    Ok(())
}
