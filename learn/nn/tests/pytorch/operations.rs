//! Layers and losses whose conventions are easy to get wrong, forward and backward, against PyTorch:
//! in f64 by the reference evaluation, and as compiled.

use std::cell::RefCell;

use bessemer_graph::ops::layer_norm;
use bessemer_graph::{Bindings, Graph, Tensor, differentiate, evaluate};
use bessemer_kernels::pool::Pool;
use bessemer_nn::layers::{
    Activation, AvgPool1d, BatchNorm1d, Cell, Conv1d, Embedding, GruCell, Interpolate1d, Interpolation,
    LayerNorm, LstmCell, Masks, MaxPool1d, MultiHeadAttention, Recurrent, RnnCell,
};
use bessemer_nn::{GraphError, Init, Loss, Trace, Value};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, as_words};

use crate::fixture::{Fixture, Stored, difference};

/// What is stored is f64 rounded to f32.
const REFERENCE_TOLERANCE: f64 = 1e-6;
/// The compiled step computes in f32.
const COMPILED_TOLERANCE: f64 = 1e-5;
/// Rows around 1.5 of deviation 1e-3: the rounding of their mean, 1e-7, is 3e-5 of √(variance + eps).
const FLAT_ROWS_TOLERANCE: f64 = 1e-4;

/// Cases of the fixture that no layer here has.
const UNSUPPORTED: [&str; 4] =
    ["avg_pool_exclude_padding", "cross_entropy_weight", "embedding_padding", "max_pool_dilation"];

/// The fixture, and which of its cases were looked at.
struct Cases {
    fixture: Fixture,
    seen: RefCell<Vec<String>>,
}

impl Cases {
    fn stored(&self, case: &str, tensor: &str) -> &Stored {
        self.fixture.get(&format!("{case}.{tensor}"))
    }

    /// An operand as a parameter, so that it has a gradient.
    fn operand(&self, t: &mut Trace, case: &str, name: &str) -> Result<Value, GraphError> {
        t.parameter(name, &self.stored(case, name).shape, Init::ZEROS)
    }

    /// Compares what `build` makes, and its gradient by every parameter, with `<case>.out` and
    /// `<case>.d<parameter>`. A loss is scaled by `loss_scale`; else `dout` is sent back.
    fn check(&self, case: &str, loss_scale: f64, build: impl Fn(&mut Trace) -> Result<Value, GraphError>) {
        self.seen.borrow_mut().push(case.to_string());
        let out = self.stored(case, "out");
        let is_loss = out.shape.is_empty();
        let samples = self.fixture.find(&format!("{case}.x")).map_or(2, |x| x.shape[0]);
        let trace = |_| {
            let mut t = Trace::new(samples, samples, true);
            let y = build(&mut t)?;
            assert_eq!(t.graph.shape(y), out.shape, "{case}");
            let loss = if is_loss {
                y
            } else {
                t.graph.output("out", y);
                let dout = t.graph.constant(&out.shape, self.stored(case, "dout").f32());
                let product = t.graph.mul(y, dout)?;
                t.graph.sum_all(product)?
            };
            t.graph.set_loss(loss);
            Ok(t.graph)
        };
        let graph = trace(samples).unwrap_or_else(|e| panic!("{case}: {e}"));
        let specs = graph.parameters().to_vec();
        let expected = |name: &str| self.fixture.find(&format!("{case}.d{name}"));

        let (value, gradients) = self.reference(case, graph, loss_scale);
        let apart = difference(&value, &out.data);
        assert!(apart < REFERENCE_TOLERANCE, "{case} by reference: output {apart:e} apart");
        for (spec, gradient) in specs.iter().zip(&gradients) {
            if let Some(expected) = expected(&spec.name) {
                let apart = difference(gradient, &expected.data);
                assert!(apart < REFERENCE_TOLERANCE, "{case} by reference: d{} {apart:e} apart", spec.name);
            }
        }

        let tolerance = if case == "layer_norm_flat_rows" { FLAT_ROWS_TOLERANCE } else { COMPILED_TOLERANCE };
        let options = PlanOptions { micro_batch: Some(samples), lanes: Some(1), ..PlanOptions::TRAIN };
        let mut step =
            Executable::compile(&trace, samples, &options).unwrap_or_else(|e| panic!("{case}: {e}"));
        let mut parameters = Parameters::new(step.parameters());
        for (index, spec) in specs.iter().enumerate() {
            parameters.get_mut(index).copy_from_slice(&self.stored(case, &spec.name).f32());
        }
        let words: Vec<Vec<i32>> = self.integers(case).iter().map(|s| s.i32()).collect();
        let inputs: Vec<&[f32]> = words.iter().map(|w| as_words(w)).collect();
        let batch = Batch { inputs: &inputs, loss_scale: loss_scale as f32, seed: 0, step: 1 };
        let loss = step.run(&Pool::new(1), &parameters, &batch).expect("runs");
        let value = match step.output("out") {
            Some(out) => out.iter().map(|&x| x.into()).collect(),
            None => vec![loss],
        };
        let apart = difference(&value, &out.data);
        assert!(apart < tolerance, "{case} compiled: output {apart:e} apart");
        step.with_gradients(|lanes| {
            for (spec, range) in specs.iter().zip(parameters.ranges()) {
                if let Some(expected) = expected(&spec.name) {
                    let gradient: Vec<f64> = lanes[0][range.clone()].iter().map(|&x| x.into()).collect();
                    let apart = difference(&gradient, &expected.data);
                    assert!(apart < tolerance, "{case} compiled: d{} {apart:e} apart", spec.name);
                }
            }
        });
    }

    /// Output (or loss) and gradients of every parameter in f64.
    fn reference(&self, case: &str, mut graph: Graph, loss_scale: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
        differentiate(&mut graph).expect("differentiable");
        let tensor = |stored: &Stored| Tensor::new(stored.shape.clone(), stored.data.clone());
        let bindings = Bindings {
            parameters: graph.parameters().iter().map(|p| tensor(self.stored(case, &p.name))).collect(),
            inputs: self.integers(case).into_iter().map(tensor).collect(),
            loss_scale,
        };
        let values = evaluate(&graph, &bindings);
        let value = match graph.outputs().first() {
            Some((_, out)) => values[out.index()].data.clone(),
            None => vec![values[graph.loss().expect("set").index()].data[0] * loss_scale],
        };
        let mut gradients: Vec<Vec<f64>> =
            bindings.parameters.iter().map(|p| vec![0.0; p.data.len()]).collect();
        for (parameter, part) in graph.gradients() {
            let part = &values[part.index()].data;
            gradients[*parameter].iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        (value, gradients)
    }

    /// The case's integers: labels or indices.
    fn integers(&self, case: &str) -> Vec<&Stored> {
        let labels = self.fixture.find(&format!("{case}.dx")).is_some() && case.starts_with("cross_entropy");
        let name = if labels { "target" } else { "indices" };
        self.fixture.find(&format!("{case}.{name}")).into_iter().collect()
    }
}

fn compare(families: &[fn(&Cases)]) -> Cases {
    let cases = Cases { fixture: Fixture::open("ops.safetensors"), seen: RefCell::default() };
    families.iter().for_each(|family| family(&cases));
    cases
}

#[test]
fn every_case_is_compared() {
    let families = [
        pooling,
        convolution,
        normalisation,
        elementwise,
        losses,
        resampling,
        look_up,
        attention,
        recurrence,
    ];
    let cases = compare(&families);
    let mut seen = cases.seen.take();
    seen.extend(UNSUPPORTED.map(String::from));
    seen.push("batch_norm".into()); // has a test of its own
    seen.sort();
    assert_eq!(seen, cases.fixture.cases());
}

#[test]
fn pools() {
    compare(&[pooling]);
}

#[test]
fn convolutions() {
    compare(&[convolution]);
}

#[test]
fn norms_activations_and_losses() {
    compare(&[normalisation, elementwise, losses]);
}

#[test]
fn interpolations() {
    compare(&[resampling]);
}

#[test]
fn embeddings() {
    compare(&[look_up]);
}

#[test]
fn attentions() {
    compare(&[attention]);
}

#[test]
fn recurrent_layers() {
    compare(&[recurrence]);
}

fn pooling(cases: &Cases) {
    let max = MaxPool1d::new(3);
    for (case, pool) in [
        ("max_pool_padding", MaxPool1d { stride: 2, padding: 1, ..max }),
        ("max_pool_ceil", MaxPool1d { stride: 2, ceil_mode: true, ..max }),
        ("max_pool_ceil_padding", MaxPool1d { kernel: 2, stride: 3, padding: 1, ceil_mode: true }),
        ("max_pool_ties", MaxPool1d { kernel: 4, stride: 2, ..max }),
    ] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            pool.forward(t, x)
        });
    }
    for (case, pool) in [
        ("avg_pool_ceil_padding", AvgPool1d { kernel: 3, stride: 2, padding: 1, ceil_mode: true }),
        ("avg_pool_ceil", AvgPool1d { kernel: 4, stride: 3, padding: 0, ceil_mode: true }),
    ] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            pool.forward(t, x)
        });
    }
}

fn convolution(cases: &Cases) {
    let conv = Conv1d::new(6, 4, 3);
    for (case, conv) in [
        ("conv1d_groups", Conv1d { groups: 2, padding: 1, ..conv }),
        ("conv1d_dilation", Conv1d { dilation: 3, padding: 2, ..conv }),
        ("conv1d_stride", Conv1d { kernel: 4, stride: 3, padding: 1, ..conv }),
        ("conv1d_all", Conv1d { groups: 2, stride: 2, padding: 3, dilation: 2, ..conv }),
        ("conv1d_depthwise", Conv1d { outputs: 12, groups: 6, ..conv }),
    ] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            conv.forward(t, x)
        });
    }
}

fn normalisation(cases: &Cases) {
    for case in ["layer_norm", "layer_norm_flat_rows"] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            LayerNorm::new(6).forward(t, x)
        });
    }
    let case = "layer_norm_two_axes";
    cases.check(case, 1.0, |t| {
        let mut operands = Vec::new();
        for (name, shape) in [("x", vec![4, 30]), ("weight", vec![30]), ("bias", vec![30])] {
            let value = cases.operand(t, case, name)?;
            operands.push(t.graph.reshape(value, &shape)?);
        }
        let y = t.apply(layer_norm::LayerNorm { eps: 1e-5 }, &operands)?;
        t.graph.reshape(y, &[4, 5, 6])
    });
}

fn elementwise(cases: &Cases) {
    for (case, activation) in [("gelu_erf", Activation::GeluErf), ("gelu_tanh", Activation::GeluTanh)] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            activation.forward(t, x)
        });
    }
}

fn losses(cases: &Cases) {
    // Smooth L1 is the Huber loss divided by its bend.
    for (case, delta, divisor) in [("huber", 1.0, 1.0), ("huber_delta", 0.3, 1.0), ("smooth_l1", 0.5, 0.5)] {
        cases.check(case, 1.0 / (24.0 * divisor), |t| {
            let (x, target) = (cases.operand(t, case, "x")?, cases.operand(t, case, "target")?);
            Loss::Huber { delta }.sum(t, x, target, None)
        });
    }
    for (case, label_smoothing, rows) in [
        ("cross_entropy", 0.0, 6.0),
        ("cross_entropy_smoothing", 0.1, 6.0),
        ("cross_entropy_ignore", 0.1, 4.0),
    ] {
        cases.check(case, 1.0 / rows, |t| {
            let x = cases.operand(t, case, "x")?;
            let labels = t.input_indices("target", &[]);
            Loss::CrossEntropy { label_smoothing }.sum(t, x, labels, None)
        });
    }
}

fn resampling(cases: &Cases) {
    for (case, size, mode) in [
        ("linear_5_to_12", 12, Interpolation::Linear),
        ("linear_7_to_3", 3, Interpolation::Linear),
        ("linear_24_to_96", 96, Interpolation::Linear),
        ("linear_1_to_4", 4, Interpolation::Linear),
        ("linear_6_to_6", 6, Interpolation::Linear),
        ("nearest_5_to_7", 7, Interpolation::Nearest),
    ] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            Interpolate1d { size, mode }.forward(t, x)
        });
    }
}

fn look_up(cases: &Cases) {
    cases.check("embedding", 1.0, |t| {
        let indices = t.input_indices("indices", &[3]);
        Embedding::new(7, 4).forward(t, indices)
    });
}

fn attention(cases: &Cases) {
    for (case, causal, padded) in [
        ("attention", false, false),
        ("attention_causal", true, false),
        ("attention_padding", false, true),
        ("attention_causal_padding", true, true),
    ] {
        cases.check(case, 1.0, |t| {
            let x = cases.operand(t, case, "x")?;
            let keys = padded.then(|| {
                let hidden = cases.stored(case, "key_padding_mask");
                let seen: Vec<f32> = hidden.data.iter().map(|&h| 1.0 - h as f32).collect();
                t.graph.constant(&hidden.shape, seen)
            });
            let layer = MultiHeadAttention { causal, ..MultiHeadAttention::new(16, 4) };
            layer.self_attention(t, x, Masks { keys, bias: None })
        });
    }
}

fn recurrence(cases: &Cases) {
    fn kinds<C: Cell>(cases: &Cases, name: &str) {
        let layer = Recurrent::<C>::new(3, 4);
        for (kind, layer) in [
            ("", layer),
            ("_stacked", layer.with_layers(2)),
            ("_both", layer.with_layers(2).with_both_directions()),
        ] {
            let case = format!("{name}{kind}");
            cases.check(&case, 1.0, |t| {
                let x = cases.operand(t, &case, "x")?;
                layer.forward(t, x)
            });
        }
    }
    kinds::<RnnCell>(cases, "rnn");
    kinds::<LstmCell>(cases, "lstm");
    kinds::<GruCell>(cases, "gru");
}

#[test]
fn batch_norm() {
    let fixture = Fixture::open("ops.safetensors");
    let get = |name: &str| fixture.get(&format!("batch_norm.{name}"));
    let same = |got: &[f32], name: &str, how: &str| {
        let got: Vec<f64> = got.iter().map(|&x| x.into()).collect();
        let apart = difference(&got, &get(name).data);
        assert!(apart < COMPILED_TOLERANCE, "{name} {how}: {apart:e} apart");
    };
    for micro_batch in [1, 2, 3, 4] {
        let how = format!("in micro-batches of {micro_batch}");
        // A scale and a shift of x that change nothing: their gradients are sums of that of x.
        let trace = |samples| {
            let mut t = Trace::new(samples, 4, true);
            let (x, dout) = (t.input("x", &[3, 5]), t.input("dout", &[3, 5]));
            let scale = t.parameter("scale", &[3, 5], Init::ONES)?;
            let shift = t.parameter("shift", &[3, 5], Init::ZEROS)?;
            let x = t.graph.mul(x, scale)?;
            let x = t.graph.add(x, shift)?;
            let y = BatchNorm1d::new(3).forward(&mut t, x)?;
            t.graph.output("out", y);
            let product = t.graph.mul(y, dout)?;
            let loss = t.graph.sum_all(product)?;
            t.graph.set_loss(loss);
            Ok(t.graph)
        };
        let options = PlanOptions { micro_batch: Some(micro_batch), lanes: Some(2), ..PlanOptions::TRAIN };
        let mut step = Executable::compile(&trace, 4, &options).expect("compiles");
        let mut parameters = Parameters::new(step.parameters());
        let index = |name: &str| step.parameters().iter().position(|p| p.name == name).expect("declared");
        let [weight, bias, mean, var] = ["weight", "bias", "running_mean", "running_var"].map(index);
        let [scale, shift] = ["scale", "shift"].map(index);
        parameters.get_mut(scale).fill(1.0);
        parameters.get_mut(weight).copy_from_slice(&get("weight").f32());
        parameters.get_mut(bias).copy_from_slice(&get("bias").f32());
        parameters.get_mut(var).fill(1.0);
        for number in 0..3 {
            let [x, dout] = ["x", "dout"].map(|n| get(&format!("step{number}.{n}")).f32());
            let batch = Batch { inputs: &[&x, &dout], loss_scale: 1.0, seed: 0, step: 1 };
            step.run(&Pool::new(2), &parameters, &batch).expect("runs");
            same(step.output("out").expect("named"), &format!("step{number}.out"), &how);
            let mut gradient = vec![0.0; parameters.as_slice().len()];
            step.with_gradients(|lanes| bessemer_kernels::optimizer::sum_lanes(lanes, &mut gradient));
            let of = |parameter: usize| &gradient[parameters.ranges()[parameter].clone()];
            same(of(weight), &format!("step{number}.dweight"), &how);
            same(of(bias), &format!("step{number}.dbias"), &how);
            let (mut dscale, mut dshift) = (vec![0.0; 15], vec![0.0; 15]);
            for (i, dx) in get(&format!("step{number}.dx")).data.iter().enumerate() {
                dscale[i % 15] += dx * f64::from(x[i]);
                dshift[i % 15] += dx;
            }
            for (parameter, expected) in [(scale, dscale), (shift, dshift)] {
                let got: Vec<f64> = of(parameter).iter().map(|&x| x.into()).collect();
                let apart = difference(&got, &expected);
                assert!(apart < COMPILED_TOLERANCE, "step {number} {how}: dx {apart:e} apart");
            }
            step.for_each_buffer(|range, now| parameters.as_mut_slice()[range].copy_from_slice(now));
            same(parameters.get(mean), &format!("step{number}.running_mean"), &how);
            same(parameters.get(var), &format!("step{number}.running_var"), &how);
        }
        let trace = |samples| {
            let mut t = Trace::new(samples, 2, false);
            let x = t.input("x", &[3, 5]);
            t.parameter("scale", &[3, 5], Init::ONES)?;
            t.parameter("shift", &[3, 5], Init::ZEROS)?;
            let y = BatchNorm1d::new(3).forward(&mut t, x)?;
            t.graph.output("out", y);
            Ok(t.graph)
        };
        let mut predict = Executable::compile(&trace, 2, &PlanOptions::INFER).expect("compiles");
        let x = get("evaluate.x").f32();
        let batch = Batch { inputs: &[&x], loss_scale: 1.0, seed: 0, step: 1 };
        predict.run(&Pool::new(1), &parameters, &batch).expect("runs");
        same(predict.output("out").expect("named"), "evaluate.out", &how);
    }
}
