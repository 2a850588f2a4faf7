//! Every operation, run by kernels in lanes, against the graph's own evaluation in f64.

mod small_models;

use bessemer_graph::ops::attention::Attention;
use bessemer_graph::ops::avg_pool1d::AvgPool1d;
use bessemer_graph::ops::binary::Binary;
use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::conv1d::Conv1d;
use bessemer_graph::ops::cross_entropy::CrossEntropy;
use bessemer_graph::ops::embedding::Embedding;
use bessemer_graph::ops::layer_norm::LayerNorm;
use bessemer_graph::ops::max_pool1d::MaxPool1d;
use bessemer_graph::ops::pad::{Pad, PadMode};
use bessemer_graph::ops::reduce::Reduction;
use bessemer_graph::ops::rms_norm::RmsNorm;
use bessemer_graph::ops::scan::Scan;
use bessemer_graph::ops::softmax::Softmax;
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::ops::unfold::Unfold;
use bessemer_graph::ops::wave_packets::{Form, WavePackets};
use bessemer_graph::{Bindings, Graph, Op, Tensor, Type, ValueId, differentiate, evaluate};
use bessemer_kernels::isa::Isa;
use bessemer_plan::{Executable, PlanOptions};

use small_models::{Built, Model, SAMPLES, data, parameters_of, run, trace};

fn check(name: &str, model: Model) {
    let mut graph = trace(model, SAMPLES).unwrap();
    differentiate(&mut graph).unwrap();
    let parameters = parameters_of(&graph);
    let (x, indices) = data();
    let tensor = |shape: &[usize], data: &[f32]| Tensor::new(shape, data.iter().map(|&v| v as f64).collect());
    let bindings = Bindings {
        parameters: (0..graph.parameters().len())
            .map(|i| tensor(&graph.parameters()[i].shape, parameters.get(i)))
            .collect(),
        inputs: vec![
            tensor(&[SAMPLES, 6, 8], &x),
            Tensor::new([SAMPLES, 6], indices.iter().map(|&i| i as f64).collect()),
        ],
        loss_scale: 0.25,
    };
    let values = evaluate(&graph, &bindings);
    let loss = values[graph.loss().unwrap().index()].data[0] * 0.25;
    let mut expected = vec![0.0; parameters.as_slice().len()];
    for (p, v) in graph.gradients() {
        let range = parameters.ranges()[*p].clone();
        expected[range].iter_mut().zip(&values[v.index()].data).for_each(|(e, g)| *e += g);
    }
    let output = graph.outputs().first().map(|(_, v)| &values[v.index()].data);

    let base = PlanOptions::TRAIN;
    let off = PlanOptions {
        simplify: false,
        fold: false,
        fuse: false,
        attention: false,
        pack: false,
        defer: false,
        reuse: false,
        ..base
    };
    let variants = [
        base,
        PlanOptions { fold: false, ..base },
        PlanOptions { micro_batch: Some(1), lanes: Some(1), ..base },
        PlanOptions { micro_batch: Some(3), lanes: Some(2), ..base },
        PlanOptions { micro_batch: Some(2), lanes: Some(2), ..base },
        PlanOptions { micro_batch: Some(2), lanes: Some(2), defer: false, ..base },
        PlanOptions { fuse: false, ..base },
        PlanOptions { attention: false, ..base },
        PlanOptions { pack: false, ..base },
        PlanOptions { reuse: false, ..base },
        off,
    ];
    // What needs the whole batch between forward and backward can't be computed again.
    let joins = graph.nodes().iter().any(|n| matches!(n.op, Op::BatchSum(_) | Op::BatchMoments(_)));
    let least = PlanOptions { activations: Some(0), ..base };
    let variants = variants.into_iter().chain((!joins).then_some(least));
    let scalar = PlanOptions { micro_batch: Some(1), lanes: Some(1), ..off };
    let with_isa = variants.map(|options| (None, options)).chain([(Some(Isa::Scalar), scalar)]);
    for (isa, options) in with_isa {
        let close = |got: f64, want: f64| (got - want).abs() <= 3e-5 * (1.0 + want.abs());
        let alone = || run(model, &options, 1, &parameters);
        let got = isa.map_or_else(alone, |isa| isa.force(alone));
        assert!(close(got.loss, loss), "{name} {options:?}: loss {} instead of {loss}", got.loss);
        for (i, (g, e)) in got.gradient.iter().zip(&expected).enumerate() {
            assert!(close(*g as f64, *e), "{name} {options:?}: gradient {i} is {g} instead of {e}");
        }
        if options.activations.is_some() {
            // What is computed again has the bits that it had.
            let kept = run(model, &base, 1, &parameters);
            assert_eq!((got.loss, &got.gradient), (kept.loss, &kept.gradient), "{name}");
        }
        if let (Some(got), Some(want)) = (&got.output, output) {
            for (i, (g, e)) in got.iter().zip(want).enumerate() {
                assert!(close(*g as f64, *e), "{name} {options:?}: output {i} is {g} instead of {e}");
            }
        }
        // An instruction set is forced on one thread only.
        for threads in [2, 3].into_iter().filter(|_| isa.is_none()) {
            let again = run(model, &options, threads, &parameters);
            assert_eq!(again.loss.to_bits(), got.loss.to_bits(), "{name} at {threads} threads");
            assert_eq!(again.gradient, got.gradient, "{name} at {threads} threads");
        }
    }
}

#[test]
fn linear_layers_with_activations_and_residuals() {
    check("linear", |g, x, _| {
        let w1 = g.parameter("w1", &[8, 8])?;
        let b1 = g.parameter("b1", &[8])?;
        let w2 = g.parameter("w2", &[8, 8])?;
        let h = g.linear(x, w1, Some(b1))?;
        let h = g.apply1(Unary::GeluErf, &[h])?;
        let h = g.linear(h, w2, None)?;
        let h = g.add(h, x)?;
        // The same weight a second time: its gradients add.
        let h = g.linear(h, w1, Some(b1))?;
        g.apply1(Unary::Relu, &[h])
    });
}

#[test]
fn packed_weights() {
    // 7 samples of 6 rows of 100: enough rows for both orientations to be packed.
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let wide = g.parameter("wide", &[800, 8])?;
        let narrow = g.parameter("narrow", &[5, 8])?;
        let back = g.parameter("back", &[8, 5])?;
        let rows = g.linear(x, wide, None)?;
        let rows = g.reshape(rows, &[g.shape(x)[0], 600, 8])?;
        let h = g.linear(rows, narrow, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        let y = g.linear(h, back, None)?;
        g.reduce(y, Reduction::Mean, 1)
    }
    let step = Executable::compile(&|n| trace(model, n), SAMPLES, &PlanOptions::TRAIN).unwrap();
    let packed: Vec<_> = step.plan().steps.iter().filter(|s| s.kernel == "gemm_packed").collect();
    assert!(packed.iter().any(|s| s.operation == "linear") && packed.iter().any(|s| s.operation == "matmul"));
    check("packed", model);
}

#[test]
fn linear_layers_with_nothing_between_them() {
    // 196 rows, so that the folded weights are packed; a bias in the first layer, in the second, in
    // both, and in none.
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let flat = g.reshape(x, &[g.shape(x)[0], 48])?;
        let wide = g.parameter("wide", &[28 * 60, 48])?;
        let rows = g.linear(flat, wide, None)?;
        let rows = g.reshape(rows, &[g.shape(x)[0], 28, 60])?;
        let mut h = g.scale(rows, 0.2)?;
        for (layer, (a_bias, b_bias)) in
            [(true, true), (true, false), (false, true), (false, false)].into_iter().enumerate()
        {
            let (mid, out) = (70, 60);
            let a = g.parameter(&format!("{layer}.a"), &[mid, 60])?;
            let a_bias = if a_bias { Some(g.parameter(&format!("{layer}.a.bias"), &[mid])?) } else { None };
            let b = g.parameter(&format!("{layer}.b"), &[out, mid])?;
            let b_bias = if b_bias { Some(g.parameter(&format!("{layer}.b.bias"), &[out])?) } else { None };
            h = g.linear(h, a, a_bias)?;
            h = g.linear(h, b, b_bias)?;
            h = g.scale(h, 0.1)?;
            h = g.apply1(Unary::Tanh, &[h])?;
        }
        g.reduce(h, Reduction::Mean, 1)
    }
    let layers = |fold| {
        let options = PlanOptions { fold, ..PlanOptions::TRAIN };
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        assert_eq!(step.parameters().len(), 13, "the model's own");
        step.plan().steps.iter().filter(|s| s.operation.starts_with("linear")).count()
    };
    assert_eq!((layers(true), layers(false)), (5, 9));
    check("folded", model);
}

#[test]
fn weight_gradients_put_off_to_the_end_of_a_lane() {
    // One row a sample, and a weight too large for a cache; the other is small.
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let flat = g.reshape(x, &[g.shape(x)[0], 48])?;
        let wide = g.parameter("wide", &[1400, 48])?;
        let narrow = g.parameter("narrow", &[3, 1400])?;
        let h = g.linear(flat, wide, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        g.linear(h, narrow, None)
    }
    // Lanes of three and of two micro-batches, the last a smaller one.
    let options = PlanOptions { micro_batch: Some(2), lanes: Some(2), ..PlanOptions::TRAIN };
    let kernels = |options| -> Vec<&str> {
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        step.plan().steps.iter().map(|s| s.kernel).collect()
    };
    assert_eq!(kernels(options).iter().filter(|k| **k == "deferred_gemm").count(), 1);
    assert!(!kernels(PlanOptions { defer: false, ..options }).contains(&"deferred_gemm"));
    let whole = PlanOptions { micro_batch: Some(SAMPLES), lanes: Some(1), ..options };
    assert!(!kernels(whole).contains(&"deferred_gemm"), "nothing to put off");
    check("deferred", model);
}

#[test]
fn a_weight_used_twice_is_not_put_off() {
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let flat = g.reshape(x, &[g.shape(x)[0], 48])?;
        let wide = g.parameter("wide", &[48 * 30, 48])?;
        let h = g.linear(flat, wide, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        let h = g.reshape(h, &[g.shape(x)[0], 30, 48])?;
        let h = g.reduce(h, Reduction::Mean, 1)?;
        g.linear(h, wide, None)
    }
    check("shared", model);
}

#[test]
fn elementwise_with_broadcasts() {
    check("elementwise", |g, x, _| {
        let row = g.parameter("row", &[8])?;
        let column = g.parameter("column", &[6, 1])?;
        let scalar = g.parameter("scalar", &[])?;
        let a = g.mul(x, row)?;
        let b = g.add(a, column)?;
        let c = g.apply1(Unary::Tanh, &[b])?;
        let d = g.mul(c, scalar)?;
        let e = g.apply1(Unary::Exp, &[d])?;
        let f = g.div(c, e)?;
        let h = g.apply1(Binary::Max, &[f, row])?;
        g.apply1(Unary::Silu, &[h])
    });
}

#[test]
fn a_detached_factor() {
    check("detach", |g, x, _| {
        let weight = g.parameter("weight", &[8])?;
        let a = g.mul(x, weight)?;
        let size = g.apply1(Unary::Abs, &[a])?;
        let given = g.apply1(Unary::Detach, &[size])?;
        let scaled = g.mul(given, a)?;
        g.apply1(Unary::Sin, &[scaled])
    });
}

#[test]
fn norms_and_softmax() {
    check("norms", |g, x, _| {
        let gamma = g.parameter("gamma", &[8])?;
        let beta = g.parameter("beta", &[8])?;
        let y = g.apply1(LayerNorm { eps: 1e-5 }, &[x, gamma, beta])?;
        let z = g.apply1(Softmax { log: false }, &[y])?;
        let r = g.apply1(RmsNorm { eps: 1e-5 }, &[z, gamma])?;
        g.apply1(Softmax { log: true }, &[r])
    });
}

#[test]
fn attention_with_every_option() {
    check("attention", |g, x, _| {
        let w = g.parameter("w", &[24, 8])?;
        let bias = g.parameter("bias", &[2, 6, 6])?;
        let qkv = g.linear(x, w, None)?;
        let plain = Attention { causal: true, biased: true, ..Attention::new(2, 0.5) };
        let y = g.apply1(plain, &[qkv, bias])?;
        let samples = g.shape(x)[0];
        let keep: Vec<f32> = (0..samples * 6).map(|i| if i % 6 < 4 { 1.0 } else { 0.0 }).collect();
        let mask = g.constant(&[samples, 6], keep);
        let apart = Attention { causal: false, packed: false, masked: true, biased: false, ..plain };
        let wk = g.parameter("wk", &[8, 8])?;
        let k = g.linear(x, wk, None)?;
        g.apply1(apart, &[y, k, x, mask])
    });
    check("attention with a bias of distances", |g, x, _| {
        let w = g.parameter("w", &[24, 8])?;
        let bias = g.parameter("bias", &[2, 11])?;
        let qkv = g.linear(x, w, None)?;
        let plain = Attention { causal: true, biased: true, ..Attention::new(2, 0.5) };
        g.apply1(plain, &[qkv, bias])
    });
}

#[test]
fn attention_with_shared_keys() {
    check("grouped attention", |g, x, _| {
        let plain = Attention { kv_heads: 2, causal: true, ..Attention::new(4, 0.5) };
        let y = g.apply1(plain, &[x])?;
        let w = g.parameter("w", &[8, 4])?;
        let q = g.linear(y, w, None)?;
        let wk = g.parameter("wk", &[2, 8])?;
        let k = g.linear(x, wk, None)?;
        g.apply1(Attention { kv_heads: 1, packed: false, ..plain }, &[q, k, k])
    });
}

#[test]
fn movement() {
    check("movement", |g, x, _| {
        let w = g.parameter("w", &[6, 8])?;
        let y = g.mul(x, w)?;
        let turned = g.permute(y, &[0, 2, 1])?;
        let flat = g.reshape(turned, &[g.shape(x)[0], 48])?;
        let padded = g.apply1(Pad { axis: 1, before: 3, after: 2, mode: PadMode::Replicate }, &[flat])?;
        let patches = g.apply1(Unfold { size: 7, step: 4 }, &[padded])?;
        let wide = g.apply1(Pad { axis: 2, before: 1, after: 0, mode: PadMode::Zero }, &[patches])?;
        let part = g.slice(wide, 1, 2, 6)?;
        let joined = g.apply1(Concat { axis: 2 }, &[part, y])?;
        let maximum = g.reduce(joined, Reduction::Max, 2)?;
        let mean = g.reduce(joined, Reduction::Mean, 1)?;
        let sum = g.add(maximum, mean)?;
        g.mul(sum, joined)
    });
}

#[test]
fn products_of_two_values() {
    check("matmul", |g, x, _| {
        let w = g.parameter("w", &[8, 8])?;
        let a = g.matmul(x, w)?;
        let at = g.permute(a, &[0, 2, 1])?;
        let square = g.matmul(a, at)?;
        g.matmul(square, x)
    });
}

#[test]
fn cross_entropy_and_embedding() {
    check("labels", |g, x, indices| {
        let table = g.parameter("table", &[5, 8])?;
        let rows = g.apply1(Embedding, &[table, indices])?;
        let mixed = g.mul(rows, x)?;
        let w = g.parameter("w", &[5, 8])?;
        let logits = g.linear(mixed, w, None)?;
        g.apply1(CrossEntropy { smoothing: 0.1 }, &[logits, indices])
    });
}

#[test]
fn convolution_and_pooling() {
    check("convolution", |g, x, _| {
        let w = g.parameter("w", &[4, 6, 3])?;
        let b = g.parameter("b", &[4])?;
        let conv = Conv1d { stride: 1, padding: 1, dilation: 1, groups: 1, bias: true };
        let y = g.apply1(conv, &[x, w, b])?;
        let y = g.apply1(MaxPool1d { kernel: 2, stride: 2, padding: 0, ceil_mode: false }, &[y])?;
        let grouped = Conv1d { stride: 1, padding: 2, dilation: 2, groups: 2, bias: false };
        let v = g.parameter("v", &[4, 2, 2])?;
        let y = g.apply1(grouped, &[y, v])?;
        g.apply1(AvgPool1d { kernel: 3, stride: 2, padding: 1, ceil_mode: true }, &[y])
    });
}

#[test]
fn sums_of_wave_packets() {
    // Six points a sample, of four axes and of eight; two outputs, and one whose head counts twice.
    check("faithful waves", |g, x, _| {
        let samples = g.shape(x)[0];
        let flat = g.reshape(x, &[samples * 6, 8])?;
        let points = g.slice(flat, 1, 0, 4)?;
        let form = Form::Faithful { space: 3 };
        let packets = g.parameter("packets", &[form.rows().len(), 3])?;
        let head = g.parameter("head", &[2, 3])?;
        let y = g.wave_packets(points, packets, head, WavePackets { form, order: 2 })?;
        let jet = g.add(y[1], y[2])?;
        let y = g.reshape(y[0], &[samples * 6, 2, 1])?;
        let y = g.mul(y, jet)?;
        g.reshape(y, &[samples, 48])
    });
    check("packets", |g, x, _| {
        let samples = g.shape(x)[0];
        let points = g.reshape(x, &[samples * 6, 8])?;
        let form = Form::Packet { axes: 8, chirp: true, moving: true };
        let packets = g.parameter("packets", &[form.rows().len(), 3])?;
        let head = g.parameter("head", &[1, 3])?;
        let y = g.wave_packets(points, packets, head, WavePackets { form, order: 0 })?[0];
        // At points that depend on a parameter.
        let shift = g.parameter("shift", &[8])?;
        let moved = g.add(points, shift)?;
        let z = g.wave_packets(moved, packets, head, WavePackets { form, order: 0 })?[0];
        let y = g.mul(y, z)?;
        g.reshape(y, &[samples, 6])
    });
}

#[test]
fn loops_over_time() {
    // A cell with two states, a weight and a vector, in both directions; only one state is read.
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let samples = g.shape(x)[0];
        let w = g.parameter("w", &[16, 8])?;
        let v = g.parameter("v", &[8])?;
        let by_time = g.permute(x, &[1, 0, 2])?;
        let mut results = Vec::new();
        for reverse in [false, true] {
            let mut body = Graph::new();
            let h = body.input("h", Type::f32([samples, 8]));
            let c = body.input("c", Type::f32([samples, 8]));
            let x = body.input("x", Type::f32([samples, 8]));
            let weights = (body.parameter("w", &[16, 8])?, body.parameter("v", &[8])?);
            let gates = body.linear(h, weights.0, None)?;
            let a = body.slice(gates, 1, 0, 8)?;
            let a = body.add(a, x)?;
            let a = body.apply1(Unary::Sigmoid, &[a])?;
            let b = body.slice(gates, 1, 8, 8)?;
            let b = body.mul(b, weights.1)?;
            let kept = body.mul(a, c)?;
            let c = body.add(kept, b)?;
            let h = body.apply1(Unary::Tanh, &[c])?;
            body.output("h", h);
            body.output("c", c);
            let scan = Scan::new(body, 2, reverse)?;
            let first = g.slice(by_time, 0, 0, 1)?;
            let first = g.reshape(first, &[samples, 8])?;
            let zeros = g.constant(&[samples, 8], vec![0.0; samples * 8]);
            results.push(g.apply(scan, &[zeros, first, by_time, w, v])?[0]);
        }
        let y = g.mul(results[0], results[1])?;
        g.permute(y, &[1, 0, 2])
    }
    let step = Executable::compile(&|n| trace(model, n), SAMPLES, &PlanOptions::TRAIN).unwrap();
    let loops: Vec<_> = step.plan().steps.iter().filter(|s| s.kernel == "scan").collect();
    assert_eq!(loops.len(), 4, "two loops, there and back");
    assert!(loops.iter().all(|s| s.inner.iter().filter(|s| s.kernel.starts_with("gemm")).count() == 1));
    check("scan", model);
}

#[test]
fn loops_that_hand_things_through() {
    // States that change places, one that is the slice itself, and a sequence and a first state that are
    // parameters, by which the body multiplies as by a weight; all is read.
    fn model(steps: usize, g: &mut Graph, x: ValueId) -> Built {
        let samples = g.shape(x)[0];
        let by_time = g.permute(x, &[1, 0, 2])?;
        let by_time = g.slice(by_time, 0, 0, steps)?;
        let begin = g.parameter("begin", &[8, 8])?;
        let factors = g.parameter("factors", &[steps, 8])?;
        let zeros = g.constant(&[samples, 8], vec![0.0; samples * 8]);
        let mut body = Graph::new();
        let a = body.input("a", Type::f32([samples, 8]));
        let b = body.input("b", Type::f32([samples, 8]));
        let held = body.input("held", Type::f32([samples, 8]));
        let square = body.input("square", Type::f32([8, 8]));
        let x = body.input("x", Type::f32([samples, 8]));
        let factor = body.input("factor", Type::f32([8]));
        let turned = body.matmul(b, square)?;
        let turned = body.mul(turned, factor)?;
        let turned = body.add(turned, held)?;
        let turned = body.sub(turned, a)?;
        let next = body.apply1(Unary::Tanh, &[turned])?;
        let next_square = body.apply1(Unary::Sin, &[square])?;
        let again = body.reshape(next, &[samples, 2, 4])?;
        for (name, value) in
            [("a", b), ("b", next), ("held", x), ("square", next_square), ("x", x), ("again", again)]
        {
            body.output(name, value);
        }
        let scan = Scan::new(body, 4, false)?;
        let first = g.slice(by_time, 0, 0, 1)?;
        let first = g.reshape(first, &[samples, 8])?;
        let outputs = g.apply(scan, &[zeros, first, zeros, begin, by_time, factors])?;
        let again = g.reshape(outputs[5], &[steps, samples, 8])?;
        let mut sum = g.add(outputs[0], outputs[1])?;
        for part in [outputs[2], outputs[4], again] {
            sum = g.add(sum, part)?;
        }
        g.permute(sum, &[1, 0, 2])
    }
    check("one step", |g, x, _| model(1, g, x));
    check("three steps", |g, x, _| model(3, g, x));
}

#[test]
fn sums_over_the_batch_meet_between_segments() {
    use bessemer_graph::ops::batch_sum::BatchSum;
    check("batch norm", |g, x, _| {
        let w = g.parameter("w", &[8, 8])?;
        let y = g.linear(x, w, None)?;
        let sum = g.apply1(
            bessemer_graph::ops::reduce::Reduce { reduction: Reduction::Sum, first: 0, last: 2 },
            &[y],
        )?;
        let total = g.apply1(BatchSum, &[sum])?;
        let mean = g.scale(total, 1.0 / (SAMPLES * 6) as f32)?;
        let centered = g.sub(y, mean)?;
        let square = g.apply1(Unary::Square, &[centered])?;
        let sum = g.apply1(
            bessemer_graph::ops::reduce::Reduce { reduction: Reduction::Sum, first: 0, last: 2 },
            &[square],
        )?;
        let total = g.apply1(BatchSum, &[sum])?;
        let variance = g.scale(total, 1.0 / (SAMPLES * 6) as f32)?;
        let variance = g.add_scalar(variance, 1e-5)?;
        let rstd = g.apply1(Unary::Rsqrt, &[variance])?;
        g.mul(centered, rstd)
    });
}

#[test]
fn moments_of_the_batch_meet_between_segments() {
    use bessemer_graph::ops::batch_moments::BatchMoments;
    check("moments", |g, x, _| {
        let w = g.parameter("w", &[8, 8])?;
        let y = g.linear(x, w, None)?;
        let y = g.add_scalar(y, 3.0)?;
        // Of rows, and of channels; each where a sum over the batch begins the same segment.
        let rows = g.reshape(y, &[g.shape(y)[0] * 6, 8])?;
        let by_column = g.apply(BatchMoments { count: SAMPLES * 6 }, &[rows])?;
        let by_channel = g.apply(BatchMoments { count: SAMPLES * 8 }, &[y])?;
        let all = g.sum_all(y)?;
        let total = g.apply1(bessemer_graph::ops::batch_sum::BatchSum, &[all])?;
        let centered = g.sub(y, by_column[0])?;
        let scale = g.add_scalar(by_channel[1], 1.0)?;
        let scale = g.reshape(scale, &[6, 1])?;
        let scaled = g.div(centered, scale)?;
        let shifted = g.add(scaled, by_column[1])?;
        let total = g.scale(total, 1e-3)?;
        g.add(shifted, total)
    });
}
