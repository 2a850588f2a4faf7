//! Whole training steps of small models: `cargo bench -p bessemer`.

use bessemer::nn::layers::{Activation, EncoderLayer, Linear, Lstm, Masks};
use bessemer::nn::losses::Loss;
use bessemer::nn::{GraphError, Trace, initialize};
use bessemer::plan::{Batch, Executable, Parameters, PlanOptions, Pool, Precision};
use bessemer::train::{Optimizer, OptimizerState};
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 32;
const TARGETS: usize = 96;

type Model = fn(&mut Trace) -> Result<(), GraphError>;

fn mlp(t: &mut Trace) -> Result<(), GraphError> {
    let x = t.input("x", &[96]);
    let y = t.input("y", &[TARGETS]);
    let h = t.scope("first", |t| Linear::new(96, 512).forward(t, x))?;
    let h = Activation::Relu.forward(t, h)?;
    let h = t.scope("second", |t| Linear::new(512, TARGETS).forward(t, h))?;
    let loss = Loss::Mse.sum(t, h, y, None)?;
    t.graph.set_loss(loss);
    Ok(())
}

fn encoder(t: &mut Trace) -> Result<(), GraphError> {
    let x = t.input("x", &[42, 64]);
    let y = t.input("y", &[TARGETS]);
    let h = t.scope("layer", |t| EncoderLayer::new(64, 4, 128).forward(t, x, Masks::default()))?;
    let flat = t.graph.reshape(h, &[t.samples(), 42 * 64])?;
    let h = t.scope("head", |t| Linear::new(42 * 64, TARGETS).forward(t, flat))?;
    let loss = Loss::Mse.sum(t, h, y, None)?;
    t.graph.set_loss(loss);
    Ok(())
}

fn lstm(t: &mut Trace) -> Result<(), GraphError> {
    let x = t.input("x", &[48, 7]);
    let y = t.input("y", &[TARGETS]);
    let h = t.scope("lstm", |t| Lstm::new(7, 64).last(t, x))?;
    let h = t.scope("head", |t| Linear::new(64, TARGETS).forward(t, h))?;
    let loss = Loss::Mse.sum(t, h, y, None)?;
    t.graph.set_loss(loss);
    Ok(())
}

fn steps(c: &mut Criterion) {
    let pool = Pool::new(1);
    for (name, model) in [("mlp", mlp as Model), ("encoder", encoder), ("lstm", lstm)] {
        let mut group = c.benchmark_group(name);
        for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16)] {
            let trace = |samples: usize| {
                let mut t = Trace::new(samples, BATCH, true);
                model(&mut t)?;
                Ok(t)
            };
            let options = PlanOptions { precision, ..PlanOptions::TRAIN };
            let first = trace(1).expect("the model's shapes fit");
            let mut step = Executable::compile(&|n| Ok(trace(n)?.graph), BATCH, &options)
                .expect("the model can be compiled");
            let mut parameters = Parameters::new(step.parameters());
            initialize(&mut parameters, first.inits(), 1);
            let mut state = OptimizerState::new(Optimizer::ADAMW, &[], &parameters, first.buffers());
            let inputs: Vec<Vec<f32>> =
                step.input_lens().map(|len| (0..len).map(|i| (i % 83) as f32 / 83.0).collect()).collect();
            let views: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            group.bench_function(name, |bench| {
                bench.iter(|| {
                    let batch = Batch { inputs: &views, loss_scale: 1e-3, seed: 1, step: 0 };
                    step.run(&pool, &parameters, &batch).expect("the inputs fit");
                    state.step(&pool, &mut parameters, &mut step, 1e-3, None, None);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
