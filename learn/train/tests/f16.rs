//! Training in f16: gradients are scaled, and a step that overflows changes nothing.

use std::ops::ControlFlow;

use bessemer_nn::layers::{Activation, Linear};
use bessemer_nn::losses::Loss;
use bessemer_nn::{GraphError, Trace, initialize};
use bessemer_plan::{Executable, Parameters, PlanOptions, Pool, Precision};
use bessemer_train::{Event, GradScaler, History, Task, TrainError, TrainOptions, train};

/// Enough rows for weights to be packed, so that products on the way there are in f16 too.
const BATCH: usize = 256;

fn trace(samples: usize) -> Result<Trace, GraphError> {
    let mut t = Trace::new(samples, BATCH, true);
    let x = t.input("x", &[64]);
    let y = t.input("y", &[32]);
    let h = t.scope("first", |t| Linear::new(64, 64).forward(t, x))?;
    let h = Activation::Tanh.forward(&mut t, h)?;
    let h = t.scope("second", |t| Linear::new(64, 32).forward(t, h))?;
    let loss = Loss::Mse.sum(&mut t, h, y, None)?;
    t.graph.set_loss(loss);
    Ok(t)
}

/// Batches of made-up numbers, with gradients or inputs of some steps too large for f16.
struct Made {
    loss_scale: f32,
    too_large: fn(u64) -> bool,
    inputs: fn(u64) -> f32,
}

impl Task for Made {
    fn batch(&mut self, step: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        for (which, input) in inputs.iter_mut().enumerate() {
            for (i, x) in input.iter_mut().enumerate() {
                let angle = (i as f32 * 0.37 + step as f32 * 1.7 + which as f32).sin();
                *x = if which == 0 { angle * (self.inputs)(step) } else { angle };
            }
        }
        Ok(if (self.too_large)(step) { 1e9 } else { self.loss_scale })
    }

    fn validate(&mut self, _: &Pool, _: &Parameters) -> Result<Option<f64>, TrainError> {
        Ok(None)
    }
}

struct Run {
    history: Result<History, TrainError>,
    weights: Vec<f32>,
    norms: Vec<f64>,
}

fn run(precision: Precision, scaler: Option<GradScaler>, steps: u64, mut task: Made) -> Run {
    let first = trace(1).unwrap();
    let plan = PlanOptions { precision, ..PlanOptions::TRAIN };
    let mut plans = [Executable::compile(&|n| Ok(trace(n)?.graph), BATCH, &plan).unwrap()];
    for kernel in ["f16_gemm_packed", "f16_gemm"] {
        let ran = plans[0].plan().steps.iter().any(|s| s.kernel == kernel);
        assert_eq!(ran, precision == Precision::F16, "{kernel}");
    }
    let mut parameters = Parameters::new(plans[0].parameters());
    initialize(&mut parameters, first.inits(), 1);
    let options = TrainOptions { steps, grad_scaler: scaler, ..TrainOptions::default() };
    let mut norms = Vec::new();
    let mut watch = |event: Event| {
        if let Event::Step { grad_norm, .. } = event {
            norms.push(grad_norm);
        }
        ControlFlow::Continue(())
    };
    let pool = Pool::new(1);
    let history =
        train(&mut task, &mut plans, &mut parameters, first.buffers(), &options, None, &pool, &mut watch);
    Run { history, weights: parameters.as_slice().to_vec(), norms }
}

#[test]
fn a_step_that_overflows_changes_nothing() {
    let task = |too_large| Made { loss_scale: 1e-3, too_large, inputs: |_| 1.0 };
    let scaler = Some(GradScaler::default());
    let before = run(Precision::F16, scaler, 5, task(|_| false));
    let through = run(Precision::F16, scaler, 6, task(|step| step == 5));
    assert_eq!(through.weights, before.weights);
    let state = through.history.unwrap().grad_scaler.unwrap();
    assert_eq!((state.scale, state.updates, state.overflows, state.good_steps), (32768.0, 5, 1, 0));
    assert!(!through.norms[5].is_finite());

    // Nor does it count for the optimiser, which goes on from there.
    let onward = run(Precision::F16, scaler, 9, task(|step| step == 5));
    assert_eq!(onward.history.unwrap().grad_scaler.unwrap().updates, 8);
    assert!(onward.weights.iter().all(|w| w.is_finite()));
    assert_ne!(onward.weights, before.weights);
}

#[test]
fn small_gradients_are_kept_by_the_scale() {
    // A factor on the loss that takes gradients below the least f16 number, 6e-8.
    let task = || Made { loss_scale: 1e-8, too_large: |_| false, inputs: |_| 1.0 };
    let whole = run(Precision::F32, None, 1, task()).norms[0];
    let lost = run(Precision::F16, None, 1, task()).norms[0];
    let kept = run(Precision::F16, Some(GradScaler::default()), 1, task()).norms[0];
    assert!(lost < 0.5 * whole, "{lost} of {whole}");
    assert!((kept / whole - 1.0).abs() < 1e-3, "{kept} of {whole}");
}

#[test]
fn gradients_that_no_scale_saves_end_the_training() {
    let task = Made { loss_scale: 1e-3, too_large: |_| true, inputs: |_| 1.0 };
    let scaler = Some(GradScaler { scale: 4.0, ..GradScaler::default() });
    match run(Precision::F16, scaler, 9, task).history {
        Err(TrainError::Overflow { step }) => assert_eq!(step, 3, "after 4 and 2"),
        other => panic!("{other:?}"),
    }
    // Nor does a training end well that never changed a weight.
    let task = Made { loss_scale: 1e-3, too_large: |_| true, inputs: |_| 1.0 };
    match run(Precision::F16, Some(GradScaler::default()), 5, task).history {
        Err(TrainError::Overflow { step }) => assert_eq!(step, 5),
        other => panic!("{other:?}"),
    }
    for scaler in [
        GradScaler { scale: 0.5, ..GradScaler::default() },
        GradScaler { scale: f32::NAN, ..GradScaler::default() },
        GradScaler { growth_interval: 0, ..GradScaler::default() },
    ] {
        let task = Made { loss_scale: 1e-3, too_large: |_| false, inputs: |_| 1.0 };
        let refused = run(Precision::F16, Some(scaler), 1, task).history.unwrap_err();
        assert!(refused.to_string().contains("gradient scale"), "{refused}");
    }
}

#[test]
fn a_forward_pass_that_overflows_changes_nothing_either() {
    let task = |inputs| Made { loss_scale: 1e-3, too_large: |_| false, inputs };
    let scaler = Some(GradScaler::default());
    let before = run(Precision::F16, scaler, 5, task(|_| 1.0));
    let through = run(Precision::F16, scaler, 6, task(|step| if step == 5 { 1e6 } else { 1.0 }));
    assert_eq!(through.weights, before.weights);
    let state = through.history.unwrap().grad_scaler.unwrap();
    assert_eq!((state.scale, state.updates, state.overflows), (32768.0, 5, 1));
}

#[test]
fn inputs_beyond_the_range_are_named_at_once() {
    let task = || Made { loss_scale: 1e-3, too_large: |_| false, inputs: |_| 1e6 };
    match run(Precision::F16, Some(GradScaler::default()), 5, task()).history {
        Err(error @ TrainError::Range { step: 1, .. }) => assert!(error.to_string().contains("65,504")),
        other => panic!("{other:?}"),
    }
    assert!(run(Precision::F32, None, 5, task()).history.is_ok());
}
