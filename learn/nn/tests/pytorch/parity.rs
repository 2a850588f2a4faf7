//! Ten training steps of three small networks, from the same weights as PyTorch.

use bessemer_kernels::optimizer::{Adam, Sgd, adam, adamw, sgd, sum_lanes};
use bessemer_kernels::pool::Pool;
use bessemer_nn::layers::{Activation, AvgPool1d, Conv1d, EncoderLayer, Linear, Masks, MaxPool1d};
use bessemer_nn::{GraphError, Init, Loss, Trace, Value};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, as_words};

use crate::fixture::{Fixture, difference};

const STEPS: usize = 10;
/// Every parameter within this of PyTorch's, of the largest of its tensor.
const WEIGHT_TOLERANCE: f64 = 1e-4;
const LOSS_TOLERANCE: f64 = 1e-5;
/// A first gradient below this part of the largest of its tensor is rounding. Adam divides it by its own
/// size, so that the weight moves by a whole step in a direction that means nothing.
const ROUNDING: f32 = 1e-5;

enum Optimizer {
    Adam(Adam),
    AdamW(Adam),
    Sgd(Sgd),
}

struct Case {
    fixture: &'static str,
    batch: usize,
    /// Numbers of which the loss is the mean.
    elements: usize,
    optimizer: Optimizer,
    model: fn(&mut Trace) -> Result<Value, GraphError>,
}

const ADAM: Adam = Adam { learning_rate: 3e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };

const MLP: Case = Case {
    fixture: "parity_mlp.safetensors",
    batch: 12,
    elements: 12 * 4,
    optimizer: Optimizer::AdamW(Adam { learning_rate: 1e-2, weight_decay: 0.01, ..ADAM }),
    model: |t| {
        let (x, y) = (t.input("x", &[8]), t.input("y", &[4]));
        let x = t.scope("0", |t| Linear::new(8, 16).forward(t, x))?;
        let x = Activation::Relu.forward(t, x)?;
        let x = t.scope("2", |t| Linear::new(16, 16).forward(t, x))?;
        let x = Activation::GeluErf.forward(t, x)?;
        let x = t.scope("4", |t| Linear::new(16, 4).forward(t, x))?;
        Loss::Mse.sum(t, x, y, None)
    },
};

const CONV: Case = Case {
    fixture: "parity_conv.safetensors",
    batch: 10,
    elements: 10,
    optimizer: Optimizer::Sgd(Sgd {
        learning_rate: 0.05,
        momentum: 0.9,
        dampening: 0.0,
        weight_decay: 1e-4,
        nesterov: true,
    }),
    model: |t| {
        let (x, y) = (t.input("x", &[3, 24]), t.input_indices("y", &[]));
        let x = t.scope("0", |t| Conv1d { padding: 1, ..Conv1d::new(3, 8, 3) }.forward(t, x))?;
        let x = Activation::Relu.forward(t, x)?;
        let x = MaxPool1d::new(2).forward(t, x)?;
        let x = t.scope("3", |t| Conv1d { dilation: 2, ..Conv1d::new(8, 16, 3) }.forward(t, x))?;
        let x = Activation::GeluErf.forward(t, x)?;
        let x = AvgPool1d::new(2).forward(t, x)?;
        let x = t.graph.reshape(x, &[t.samples(), 64])?;
        let x = t.scope("7", |t| Linear::new(64, 5).forward(t, x))?;
        Loss::CrossEntropy { label_smoothing: 0.0 }.sum(t, x, y, None)
    },
};

const ENCODER: Case = Case {
    fixture: "parity_encoder.safetensors",
    batch: 6,
    elements: 6 * 5,
    optimizer: Optimizer::Adam(ADAM),
    model: |t| {
        let (x, y) = (t.input("x", &[10, 4]), t.input("y", &[5]));
        let x = t.scope("embed", |t| Linear::new(4, 16).forward(t, x))?;
        let position = t.parameter("position", &[10, 16], Init::Uniform { bound: 0.02 })?;
        let mut x = t.graph.add(x, position)?;
        let layer = EncoderLayer { activation: Activation::GeluErf, ..EncoderLayer::new(16, 4, 32) };
        for i in 0..2 {
            x = t.scope(&format!("encoder.layers.{i}"), |t| layer.forward(t, x, Masks::default()))?;
        }
        let x = t.graph.reshape(x, &[t.samples(), 160])?;
        let x = t.scope("head", |t| Linear::new(160, 5).forward(t, x))?;
        Loss::Mse.sum(t, x, y, None)
    },
};

/// Losses of ten steps, the parameters after them, and the gradient of the first.
fn train(
    case: &Case,
    fixture: &Fixture,
    threads: usize,
    options: &PlanOptions,
) -> (Vec<f64>, Parameters, Vec<f32>) {
    let trace = |samples| {
        let mut t = Trace::new(samples, case.batch, true);
        let loss = (case.model)(&mut t)?;
        t.graph.set_loss(loss);
        Ok(t.graph)
    };
    let mut step = Executable::compile(&trace, case.batch, options).expect("compiles");
    let mut parameters = Parameters::new(step.parameters());
    for index in 0..parameters.specs().len() {
        let spec = parameters.specs()[index].clone();
        let stored = fixture.get(&format!("init.{}", spec.name));
        assert_eq!(stored.shape, spec.shape, "{}", spec.name);
        parameters.get_mut(index).copy_from_slice(&stored.f32());
    }
    let x = fixture.get("x").f32();
    let y = if step.integer_inputs()[1] {
        as_words(&fixture.get("y").i32()).to_vec()
    } else {
        fixture.get("y").f32()
    };
    let pool = Pool::new(threads);
    let len = parameters.as_slice().len();
    let (mut gradient, mut first, mut second) = (vec![0.0; len], vec![0.0; len], vec![0.0; len]);
    let mut first_gradient = vec![0.0; len];
    let mut losses = Vec::new();
    for number in 1..=STEPS as u64 {
        let batch =
            Batch { inputs: &[&x, &y], loss_scale: 1.0 / case.elements as f32, seed: 0, step: number };
        losses.push(step.run(&pool, &parameters, &batch).expect("runs"));
        step.with_gradients(|lanes| sum_lanes(lanes, &mut gradient));
        if number == 1 {
            first_gradient.copy_from_slice(&gradient);
        }
        let values = parameters.as_mut_slice();
        match case.optimizer {
            Optimizer::Adam(o) => adam(o, number, 1.0, values, &gradient, &mut first, &mut second),
            Optimizer::AdamW(o) => adamw(o, number, 1.0, values, &gradient, &mut first, &mut second),
            Optimizer::Sgd(o) => sgd(o, number == 1, 1.0, values, &gradient, &mut first),
        }
    }
    (losses, parameters, first_gradient)
}

fn compare(
    case: &Case,
    fixture: &Fixture,
    (losses, parameters, first_gradient): &(Vec<f64>, Parameters, Vec<f32>),
    how: &str,
) {
    for (step, (got, expected)) in losses.iter().zip(&fixture.get("losses").data).enumerate() {
        let apart = (got - expected).abs() / expected.abs();
        assert!(apart < LOSS_TOLERANCE, "{} {how}: loss {got} at step {step}, not {expected}", case.fixture);
    }
    let adaptive = !matches!(case.optimizer, Optimizer::Sgd(_));
    let mut left_out = 0;
    for (index, spec) in parameters.specs().iter().enumerate() {
        let gradient = &first_gradient[parameters.ranges()[index].clone()];
        let largest = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
        // The bias of the keys adds the same to all scores of a row: its gradient is rounding, and so
        // is that of a weight here and there.
        let means_something = |i: usize| !adaptive || gradient[i].abs() > ROUNDING * largest;
        let kept: Vec<usize> = (0..gradient.len()).filter(|i| means_something(*i)).collect();
        left_out += gradient.len() - kept.len();
        let stored = &fixture.get(&format!("final.{}", spec.name)).data;
        let got: Vec<f64> = kept.iter().map(|&i| parameters.get(index)[i].into()).collect();
        let expected: Vec<f64> = kept.iter().map(|&i| stored[i]).collect();
        let apart = difference(&got, &expected);
        assert!(apart < WEIGHT_TOLERANCE, "{} {how}: {} is {apart:e} apart", case.fixture, spec.name);
    }
    let all = parameters.as_slice().len();
    assert!(left_out * 50 < all, "{} {how}: {left_out} of {all} weights have no gradient", case.fixture);
}

fn check(case: &Case) {
    let fixture = Fixture::open(case.fixture);
    let planned = train(case, &fixture, 1, &PlanOptions::TRAIN);
    compare(case, &fixture, &planned, "as planned");
    for threads in [2, 4] {
        let same = train(case, &fixture, threads, &PlanOptions::TRAIN);
        assert_eq!(planned.0, same.0, "{} on {threads} threads", case.fixture);
        assert_eq!(planned.1.as_slice(), same.1.as_slice(), "{} on {threads} threads", case.fixture);
    }
    for (micro_batch, lanes) in [(1, 2), (3, 1), (4, 3), (case.batch, 1)] {
        let options =
            PlanOptions { micro_batch: Some(micro_batch), lanes: Some(lanes), ..PlanOptions::TRAIN };
        let divided = train(case, &fixture, 2, &options);
        compare(case, &fixture, &divided, &format!("in micro-batches of {micro_batch}"));
    }
    let plain = PlanOptions {
        simplify: false,
        fold: false,
        fuse: false,
        attention: false,
        pack: false,
        ..PlanOptions::TRAIN
    };
    compare(case, &fixture, &train(case, &fixture, 2, &plain), "without optimisations");
}

#[test]
fn mlp() {
    check(&MLP);
}

#[test]
fn conv() {
    check(&CONV);
}

#[test]
fn encoder() {
    check(&ENCODER);
}
