//! A compiled training step allocates nothing.

use bessemer_nn::layers::{Activation, BatchNorm1d, EncoderLayer, Linear, Lstm, Masks};
use bessemer_nn::losses::Loss;
use bessemer_nn::{GraphError, Trace, initialize};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};
use bessemer_train::{Optimizer, OptimizerState};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BATCH: usize = 24;

fn trace(samples: usize) -> Result<Trace, GraphError> {
    let mut t = Trace::new(samples, BATCH, true);
    let x = t.input("x", &[6, 8]);
    let y = t.input("y", &[4]);
    let encoder =
        EncoderLayer { dropout: 0.1, activation: Activation::GeluErf, ..EncoderLayer::new(8, 2, 16) };
    let h = t.scope("encoder", |t| encoder.forward(t, x, Masks::default()))?;
    let h = t.scope("lstm", |t| Lstm::new(8, 8).forward(t, h))?;
    let flat = t.graph.reshape(h, &[samples, 48])?;
    let h = t.scope("norm", |t| BatchNorm1d::new(48).forward(t, flat))?;
    let h = t.scope("head", |t| Linear::new(48, 4).forward(t, h))?;
    let loss = Loss::Mse.sum(&mut t, h, y, None)?;
    t.graph.set_loss(loss);
    Ok(t)
}

#[test]
fn a_step_allocates_nothing() {
    let first = trace(1).unwrap();
    let mut step = Executable::compile(&|n| Ok(trace(n)?.graph), BATCH, &PlanOptions::TRAIN).unwrap();
    let mut parameters = Parameters::new(step.parameters());
    initialize(&mut parameters, first.inits(), 1);
    for (optimizer, clip, threads) in [(Optimizer::ADAMW, Some(0.1), 1), (Optimizer::SGD, None, 2)] {
        let pool = Pool::new(threads);
        let mut state = OptimizerState::new(optimizer, &[], &parameters, first.buffers());
        let (x, y) = (vec![0.3; BATCH * 48], vec![0.1; BATCH * 4]);
        let inputs = [x.as_slice(), y.as_slice()];
        let mut one = |number: u64| {
            let batch = Batch { inputs: &inputs, loss_scale: 0.01, seed: 1, step: number };
            step.run(&pool, &parameters, &batch).unwrap();
            state.step(&pool, &mut parameters, &mut step, 1e-3, clip, clip);
            step.for_each_buffer(|range, value| parameters.as_mut_slice()[range].copy_from_slice(value));
        };
        for number in 0..200 {
            one(number);
        }
        let profiler = dhat::Profiler::builder().testing().build();
        for number in 200..209 {
            one(number);
        }
        let blocks = dhat::HeapStats::get().total_blocks;
        drop(profiler);
        assert_eq!(blocks, 0, "blocks allocated in nine steps with {optimizer:?}");
    }
}
