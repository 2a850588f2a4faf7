//! A training that is stopped and goes on ends with the same bits as one that never was.

use std::ops::ControlFlow;
use std::path::Path;
use std::slice::from_mut;
use std::time::Duration;

use bessemer_nn::layers::{Activation, Dropout, Linear};
use bessemer_nn::losses::Loss;
use bessemer_nn::{GraphError, Trace, initialize};
use bessemer_plan::{Executable, Parameters, PlanOptions, Pool, Precision};
use bessemer_train::data::{Prefetch, Start, prefetch};
use bessemer_train::{
    Average, Checkpoints, Event, GradScaler, History, OnNotFinite, Optimizer, ParameterGroup, Schedule, Task,
    TrainError, TrainOptions, train,
};

const BATCH: usize = 24;
const STEPS: u64 = 24;

fn trace(samples: usize) -> Result<Trace, GraphError> {
    let mut t = Trace::new(samples, BATCH, true);
    let x = t.input("x", &[6]);
    let y = t.input("y", &[4]);
    let h = t.scope("first", |t| Linear::new(6, 16).forward(t, x))?;
    let h = Activation::Tanh.forward(&mut t, h)?;
    let h = Dropout { rate: 0.1 }.forward(&mut t, h)?;
    let h = t.scope("second", |t| Linear::new(16, 4).forward(t, h))?;
    let loss = Loss::Mse.sum(&mut t, h, y, None)?;
    t.graph.set_loss(loss);
    Ok(t)
}

/// Batches and validation losses that are functions of the step alone; one batch may hold a NaN.
struct Made {
    bad: Option<u64>,
}

impl Task for Made {
    fn batch(&mut self, batch: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        for (which, input) in inputs.iter_mut().enumerate() {
            for (i, x) in input.iter_mut().enumerate() {
                *x = (i as f32 * 0.37 + batch as f32 * 1.7 + which as f32).sin();
            }
        }
        if self.bad == Some(batch) {
            inputs[0][5] = f32::NAN;
        }
        // Batches of different sizes, as far as the loss is concerned.
        Ok(1.0 / (4.0 * (BATCH as f32 - (batch % 3) as f32)))
    }

    fn epoch(&self) -> Option<u64> {
        Some(7)
    }

    fn validate(&mut self, _: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError> {
        // Goes down, then up, and depends on the weights.
        Ok(Some(f64::from((10.0 * parameters.as_slice()[3]).sin()) + 2.0))
    }
}

struct Outcome {
    history: Result<History, TrainError>,
    weights: Vec<u32>,
    skipped: Vec<u64>,
}

/// Trains until a step, if one is given, on so many threads.
fn run(options: &TrainOptions, folder: Option<(&Path, bool)>, stop: Option<u64>, threads: usize) -> Outcome {
    run_task(&mut Made { bad: None }, options, folder, stop, threads)
}

fn run_task(
    task: &mut dyn Task,
    options: &TrainOptions,
    folder: Option<(&Path, bool)>,
    stop: Option<u64>,
    threads: usize,
) -> Outcome {
    let first = trace(1).unwrap();
    let precision = if options.grad_scaler.is_some() { Precision::F16 } else { Precision::F32 };
    let plan = PlanOptions { precision, micro_batch: Some(5), lanes: Some(4), ..PlanOptions::TRAIN };
    let mut step = Executable::compile(&|n| Ok(trace(n)?.graph), BATCH, &plan).unwrap();
    let mut parameters = Parameters::new(step.parameters());
    initialize(&mut parameters, first.inits(), 1);
    let checkpoints = folder.map(|(folder, resume)| Checkpoints {
        folder: folder.into(),
        every: 5,
        keep: 2,
        resume,
        about: "the same".into(),
    });
    let mut skipped = Vec::new();
    let mut watch = |event: Event| match event {
        Event::Step { step, grad_norm, .. } => {
            if !grad_norm.is_finite() {
                skipped.push(step);
            }
            if stop == Some(step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    };
    let history = train(
        task,
        from_mut(&mut step),
        &mut parameters,
        first.buffers(),
        options,
        checkpoints.as_ref(),
        &Pool::new(threads),
        &mut watch,
    );
    let weights = parameters.as_slice().iter().map(|w| w.to_bits()).collect();
    Outcome { history, weights, skipped }
}

fn cases() -> Vec<TrainOptions> {
    let plain =
        TrainOptions { steps: STEPS, learning_rate: 0.02, validate_every: 4, ..TrainOptions::default() };
    let momentum = Optimizer::Sgd { momentum: 0.9, dampening: 0.0, nesterov: true, weight_decay: 1e-3 };
    let centered =
        Optimizer::RmsProp { alpha: 0.9, eps: 1e-6, momentum: 0.5, centered: true, weight_decay: 0.0 };
    vec![
        plain.clone(),
        TrainOptions {
            optimizer: Optimizer::ADAMW,
            schedule: Schedule::Plateau { factor: 0.5, patience: 1 },
            clip_norm: Some(0.1),
            accumulate: 3,
            average: Some(Average::Ema { decay: 0.9 }),
            groups: vec![ParameterGroup { prefix: "second".into(), rate: 0.5, weight_decay: Some(0.1) }],
            ..plain.clone()
        },
        TrainOptions {
            optimizer: momentum,
            schedule: Schedule::Cosine { warmup: 3, total: STEPS, floor: 0.0 },
            average: Some(Average::Swa { start: 9, every: 2, learning_rate: 0.01, anneal: 4 }),
            validate_every: 0,
            ..plain.clone()
        },
        TrainOptions { optimizer: centered, patience: Some(3), validate_every: 2, ..plain.clone() },
        TrainOptions {
            grad_scaler: Some(GradScaler { growth_interval: 7, ..GradScaler::default() }),
            ..plain.clone()
        },
    ]
}

#[test]
fn stopped_anywhere_and_gone_on_it_ends_with_the_same_bits() {
    for (case, options) in cases().iter().enumerate() {
        let whole = run(options, None, None, 1);
        let expected = whole.history.unwrap();
        for stop in 1..=STEPS {
            let folder = tempfile::tempdir().unwrap();
            let stopped = run(options, Some((folder.path(), false)), Some(stop), 2);
            if let Ok(history) = &stopped.history {
                // It had already come to its end.
                assert!(options.patience.is_some() && (history.losses.len() as u64) < stop);
                continue;
            }
            let Err(TrainError::Stopped { step, checkpoint: Some(path) }) = stopped.history else { panic!() };
            assert!(step == stop && path.exists());
            let resumed = run(options, Some((folder.path(), true)), None, 3);
            assert_eq!(resumed.weights, whole.weights, "case {case}, stopped at {stop}");
            let history = resumed.history.unwrap();
            let bits = |losses: &[f64]| losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&history.losses), bits(&expected.losses), "case {case}, stopped at {stop}");
            assert_eq!(history.validations, expected.validations);
            assert_eq!((history.best_step, history.grad_scaler), (expected.best_step, expected.grad_scaler));
        }
    }
}

#[test]
fn batches_made_ahead_change_nothing() {
    let options = cases()[1].clone();
    let whole = run(&options, None, None, 1);
    let ahead = |folder, stop| {
        let make = |number: u64, inputs: &mut [Vec<f32>]| Made { bad: None }.batch(number, inputs);
        let at_once = Prefetch { ahead: 4, start: Start::AtOnce };
        let work = |task: &mut dyn Task| run_task(task, &options, folder, stop, 2);
        prefetch(&mut Made { bad: None }, vec![make; 2], &at_once, work).unwrap()
    };
    assert_eq!(ahead(None, None).weights, whole.weights);
    let folder = tempfile::tempdir().unwrap();
    assert!(ahead(Some((folder.path(), false)), Some(11)).history.is_err());
    let resumed = ahead(Some((folder.path(), true)), None);
    assert_eq!(resumed.weights, whole.weights);
    let history = resumed.history.unwrap();
    assert!(history.waited > Duration::ZERO && history.waited < history.elapsed);
}

#[test]
fn the_end_can_be_had_again_and_moved() {
    let folder = tempfile::tempdir().unwrap();
    let options = cases()[0].clone();
    let whole = run(&options, Some((folder.path(), false)), None, 1);
    let again = run(&options, Some((folder.path(), true)), None, 1);
    assert_eq!((&again.weights, again.history.unwrap()), (&whole.weights, whole.history.unwrap()));
    // More steps than were asked for at first.
    let further = TrainOptions { steps: STEPS + 6, ..options.clone() };
    let onward = run(&further, Some((folder.path(), true)), None, 1);
    assert_eq!(onward.history.unwrap().losses.len() as u64, STEPS + 6);
}

#[test]
fn another_training_does_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = cases()[0].clone();
    let refused = |options: &TrainOptions, resume: bool| {
        run(options, Some((folder.path(), resume)), None, 1).history.unwrap_err().to_string()
    };
    assert!(refused(&options, true).contains("no checkpoint to go on from"));
    run(&options, Some((folder.path(), false)), Some(7), 1);
    assert!(refused(&options, false).contains("holds checkpoints already"));
    let other = TrainOptions { learning_rate: 0.03, ..options.clone() };
    let said = refused(&other, true);
    assert!(said.contains("its learning_rate is 0.02, but 0.03 is asked for"), "{said}");
    let other = TrainOptions { average: Some(Average::Ema { decay: 0.5 }), ..options.clone() };
    let said = refused(&other, true);
    assert!(said.contains("its average is not set, but"), "{said}");
}

#[test]
fn memory_that_is_not_there_is_no_new_beginning() {
    let folder = tempfile::tempdir().unwrap();
    // Two optimisers of one kind that remember different amounts.
    let sgd = |momentum| Optimizer::Sgd { momentum, dampening: 0.0, nesterov: false, weight_decay: 0.0 };
    let options = |momentum| TrainOptions { optimizer: sgd(momentum), ..cases()[0].clone() };
    run(&options(0.0), Some((folder.path(), false)), Some(7), 1);
    let name = folder.path().join("step-0000000007.safetensors");
    let bytes = std::fs::read(&name).unwrap();
    // The options in the header are not part of the checksum of the tensors.
    let text = b"momentum = 0.0";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    let mut changed = bytes.clone();
    changed[at + text.len() - 1] = b'5';
    std::fs::write(&name, changed).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().flatten().filter(|file| file.path() != name) {
        std::fs::remove_file(file.path()).unwrap();
    }
    let refused = run(&options(0.5), Some((folder.path(), true)), None, 1).history.unwrap_err().to_string();
    assert!(refused.contains("lacks what the optimiser"), "{refused}");
}

#[test]
fn a_batch_that_is_no_number_stops_skips_or_goes_on() {
    let options = |on_not_finite| TrainOptions { on_not_finite, validate_every: 0, ..cases()[0].clone() };
    let bad = || Made { bad: Some(10) };
    let stopped = run_task(&mut bad(), &options(OnNotFinite::Stop), None, None, 1);
    let said = stopped.history.unwrap_err().to_string();
    assert!(said.contains("the loss is NaN at step 11: input `x` holds NaN first"), "{said}");
    let before = run_task(
        &mut Made { bad: None },
        &TrainOptions { steps: 10, ..options(OnNotFinite::Stop) },
        None,
        None,
        1,
    );
    assert_eq!(stopped.weights, before.weights, "the step changed nothing");

    let skipped = run_task(&mut bad(), &options(OnNotFinite::Skip), None, None, 1);
    let history = skipped.history.unwrap();
    assert_eq!((history.skipped, skipped.skipped), (1, vec![11]));
    assert!(history.losses[10].is_nan() && history.losses[11].is_finite());
    assert!(skipped.weights.iter().all(|w| f32::from_bits(*w).is_finite()));

    let continued = run_task(&mut bad(), &options(OnNotFinite::Continue), None, None, 1);
    assert!(continued.history.unwrap().losses[12..].iter().all(|loss| loss.is_nan()));
}

#[test]
fn several_batches_make_the_step_of_one() {
    // Three batches of different weights; the gradient is that of all their elements.
    let one = TrainOptions { steps: 1, optimizer: Optimizer::SGD, learning_rate: 0.1, ..cases()[0].clone() };
    let start = run(&TrainOptions { learning_rate: 1e-30, ..one.clone() }, None, None, 1).weights;
    let together = run(&TrainOptions { accumulate: 3, ..one.clone() }, None, None, 1);
    let change = |weights: &[u32], i: usize| f64::from(f32::from_bits(weights[i]) - f32::from_bits(start[i]));
    // By hand: the sum of each batch's gradient times its elements.
    let mut expected = vec![0.0; start.len()];
    let mut total = 0.0;
    for batch in 0..3u64 {
        let elements = 4.0 * (BATCH as f64 - (batch % 3) as f64);
        total += elements;
        let alone = step_of(batch, &one);
        for (i, sum) in expected.iter_mut().enumerate() {
            *sum += elements * change(&alone, i);
        }
    }
    for (i, sum) in expected.iter().enumerate() {
        let (got, expected) = (change(&together.weights, i), sum / total);
        assert!((got - expected).abs() < 1e-6, "{i}: {got}, not {expected}");
    }
}

/// The weights after a step of one batch alone, with what that batch drops.
fn step_of(batch: u64, options: &TrainOptions) -> Vec<u32> {
    let first = trace(1).unwrap();
    let plan = PlanOptions { micro_batch: Some(5), lanes: Some(4), ..PlanOptions::TRAIN };
    let mut step = Executable::compile(&|n| Ok(trace(n)?.graph), BATCH, &plan).unwrap();
    let mut parameters = Parameters::new(step.parameters());
    initialize(&mut parameters, first.inits(), 1);
    let mut inputs: Vec<Vec<f32>> = step.input_lens().map(|len| vec![0.0; len]).collect();
    let loss_scale = Made { bad: None }.batch(batch, &mut inputs).unwrap();
    let views: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let pool = Pool::new(1);
    let described = bessemer_plan::Batch { inputs: &views, loss_scale, seed: options.seed, step: batch };
    step.run(&pool, &parameters, &described).unwrap();
    let mut optimizer =
        bessemer_train::OptimizerState::new(options.optimizer, &[], &parameters, first.buffers());
    optimizer.step(&pool, &mut parameters, &mut step, options.learning_rate as f32, None, None);
    parameters.as_slice().iter().map(|w| w.to_bits()).collect()
}

#[test]
fn time_that_is_over_ends_the_training_in_good_order() {
    let options =
        TrainOptions { steps: 1 << 40, max_seconds: Some(0.05), validate_every: 0, ..cases()[0].clone() };
    let history = run(&options, None, None, 1).history.unwrap();
    assert!(!history.losses.is_empty() && history.elapsed.as_secs_f64() >= 0.05);
    assert_eq!(history.validations.len(), 1, "it is validated at its end");
}

#[test]
fn groups_have_settings_of_their_own() {
    let group =
        |prefix: &str, rate, weight_decay| ParameterGroup { prefix: prefix.into(), rate, weight_decay };
    let with = |groups: Vec<ParameterGroup>, optimizer| {
        run(&TrainOptions { steps: 5, groups, optimizer, ..cases()[0].clone() }, None, None, 2).weights
    };
    let specs = trace(1).unwrap();
    let parameters = Parameters::new(specs.graph.parameters());
    let begun = {
        let mut parameters = Parameters::new(specs.graph.parameters());
        initialize(&mut parameters, specs.inits(), 1);
        parameters.as_slice().iter().map(|w| w.to_bits()).collect::<Vec<u32>>()
    };
    let same = |a: &[u32], b: &[u32]| -> Vec<bool> {
        parameters.ranges().iter().map(|range| a[range.clone()] == b[range.clone()]).collect()
    };
    // Weight and bias of the first layer, then of the second.
    let frozen = with(vec![group("first", 0.0, None)], Optimizer::ADAM);
    assert_eq!(same(&frozen, &begun), [true, true, false, false]);
    // A single step, in which a decay acts on nothing but what decays.
    let one = |groups| {
        let decaying = Optimizer::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.5 };
        let options = TrainOptions { steps: 1, groups, optimizer: decaying, ..cases()[0].clone() };
        run(&options, None, None, 2).weights
    };
    let usual = one(Vec::new());
    let none = one(vec![group("", 1.0, Some(0.0))]);
    assert_eq!(same(&usual, &none), [false, true, false, true], "biases don't decay");
    let all = one(vec![group("", 1.0, Some(0.5))]);
    assert!(same(&all, &usual)[0]);
    let unknown = TrainOptions { groups: vec![group("third", 1.0, None)], ..cases()[0].clone() };
    let error = run(&unknown, None, None, 1).history.unwrap_err().to_string();
    assert!(error.contains("`third`, but parameters are named first.weight"), "{error}");
}
