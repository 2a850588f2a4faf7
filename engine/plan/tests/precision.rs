//! Products in other numbers than f32: the kernels that run, and how far off they are.

mod small_models;

use bessemer_graph::ops::attention::Attention;
use bessemer_graph::ops::reduce::Reduction;
use bessemer_graph::ops::scan::Scan;
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, Type, ValueId};
use bessemer_kernels::{Isa, isa};
use bessemer_plan::{Executable, PlanError, PlanOptions, Precision};

use small_models::{Built, Model, SAMPLES, parameters_of, run, trace};

/// Factors of 8 or 11 bits: each result is off by less than a hundredth of the whole (a thousandth), and by
/// more than f32 would be.
#[test]
fn products_with_weights_in_sixteen_bits() {
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let flat = g.reshape(x, &[g.shape(x)[0], 48])?;
        let wide = g.parameter("wide", &[28 * 60, 48])?;
        let narrow = g.parameter("narrow", &[33, 60])?;
        let back = g.parameter("back", &[40, 33])?;
        let thin = g.parameter("thin", &[3, 40])?;
        let rows = g.linear(flat, wide, None)?;
        let rows = g.reshape(rows, &[g.shape(x)[0], 28, 60])?;
        let rows = g.scale(rows, 0.2)?;
        let h = g.linear(rows, narrow, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        let h = g.linear(h, back, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        let h = g.linear(h, thin, None)?;
        g.reduce(h, Reduction::Mean, 1)
    }
    let parameters = parameters_of(&trace(model, SAMPLES).unwrap());
    let whole = run(model, &PlanOptions::TRAIN, 1, &parameters);
    let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let bf16 = if isa() == Isa::Amx { "bf16_gemm_tiles" } else { "bf16_gemm_packed" };
    let formats = [
        (Precision::Bf16, bf16, "bf16_gemm", 1e-5..1e-2),
        (Precision::F16, "f16_gemm_packed", "f16_gemm", 1e-6..1.5e-3),
    ];
    for ((precision, packed, plain, apart), batching) in
        formats.into_iter().flat_map(|format| [(format.clone(), None), (format, Some(2))])
    {
        let options = PlanOptions { precision, micro_batch: batching, lanes: Some(2), ..PlanOptions::TRAIN };
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        let ran = |operation, kernel| {
            step.plan().steps.iter().any(|s| s.operation.starts_with(operation) && s.kernel == kernel)
        };
        assert!(ran("linear", packed) && ran("matmul", packed));
        assert!(ran("matmul", plain), "weight gradients");
        assert!(ran("linear", "gemm_packed"), "a weight with a short side stays in f32");
        let rounded = run(model, &options, 1, &parameters);
        for range in parameters.ranges() {
            let (a, b) = (&whole.gradient[range.clone()], &rounded.gradient[range.clone()]);
            let off = norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied());
            assert!(apart.contains(&off), "{precision:?}: the gradient is off by {off}");
        }
        assert!(
            (rounded.loss - whole.loss).abs() < apart.end * whole.loss.abs(),
            "{} {}",
            rounded.loss,
            whole.loss
        );
        for threads in [2, 3] {
            let again = run(model, &options, threads, &parameters);
            assert_eq!(
                (again.loss.to_bits(), again.gradient),
                (rounded.loss.to_bits(), rounded.gradient.clone())
            );
        }
    }
}

/// The products of a loop are taken with packed weights, in the precision asked for.
#[test]
fn products_within_loops() {
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let samples = g.shape(x)[0];
        let numbers = g.reshape(x, &[samples, 48, 1])?;
        let by_time = g.permute(numbers, &[1, 0, 2])?;
        let input = g.parameter("input", &[64, 1])?;
        let gates = g.linear(by_time, input, None)?;
        let weight = g.parameter("weight", &[64, 64])?;
        let mut body = Graph::new();
        let h = body.input("h", Type::f32([samples, 64]));
        let x = body.input("x", Type::f32([samples, 64]));
        let w = body.parameter("weight", &[64, 64])?;
        let turned = body.linear(h, w, None)?;
        // So that differences die out over the steps instead of growing.
        let turned = body.scale(turned, 0.1)?;
        let sum = body.add(turned, x)?;
        let next = body.apply1(Unary::Tanh, &[sum])?;
        body.output("h", next);
        let zeros = g.constant(&[samples, 64], vec![0.0; samples * 64]);
        let y = g.apply(Scan::new(body, 1, false)?, &[zeros, gates, weight])?[0];
        g.permute(y, &[1, 0, 2])
    }
    // One row a step, but 48 steps of 7 micro-batches.
    let options = PlanOptions { micro_batch: Some(1), lanes: Some(2), ..PlanOptions::TRAIN };
    let parameters = parameters_of(&trace(model, SAMPLES).unwrap());
    let plain = run(model, &PlanOptions { pack: false, ..options }, 1, &parameters);
    for (precision, kernel, apart) in
        [(Precision::F32, "gemm_packed", 0.0..1e-5), (Precision::Bf16, "bf16_gemm_packed", 1e-6..5e-2)]
    {
        let options = PlanOptions { precision, ..options };
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        let inner = step.plan().steps.iter().flat_map(|s| s.inner.iter());
        assert_eq!(inner.filter(|s| s.kernel == kernel).count(), 2, "there and back");
        let got = run(model, &options, 1, &parameters);
        let off = (got.loss - plain.loss).abs() / plain.loss.abs();
        assert!(apart.contains(&off), "{kernel}: {} instead of {}", got.loss, plain.loss);
        assert_eq!(run(model, &options, 2, &parameters).gradient, got.gradient);
    }
}

#[test]
fn long_attention_in_bf16() {
    // 336 positions of one head of 8; with 48 keys the short path stays in f32.
    fn long(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let samples = g.shape(x)[0];
        let flat = g.reshape(x, &[samples, 48])?;
        let wide = g.parameter("wide", &[336 * 24, 48])?;
        let qkv = g.linear(flat, wide, None)?;
        let qkv = g.reshape(qkv, &[samples, 336, 24])?;
        Ok(g.apply(ATTENTION, &[qkv])?[0])
    }
    fn short(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let samples = g.shape(x)[0];
        let qkv = g.reshape(x, &[samples, 2, 24])?;
        let turn = g.parameter("turn", &[24, 24])?;
        let qkv = g.linear(qkv, turn, None)?;
        Ok(g.apply(ATTENTION, &[qkv])?[0])
    }
    const ATTENTION: Attention = Attention { causal: true, ..Attention::new(1, 0.1) };
    for (model, kernels) in [
        (long as Model, ["bf16_attention", "bf16_attention_backward"]),
        (short as Model, ["attention", "attention_backward"]),
    ] {
        let parameters = parameters_of(&trace(model, SAMPLES).unwrap());
        let plain = run(model, &PlanOptions { lanes: Some(2), ..PlanOptions::TRAIN }, 1, &parameters);
        let options = PlanOptions { precision: Precision::Bf16, lanes: Some(2), ..PlanOptions::TRAIN };
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        let ran: Vec<_> =
            step.plan().steps.iter().map(|s| s.kernel).filter(|k| k.contains("attention")).collect();
        assert_eq!(ran, kernels);
        let got = run(model, &options, 1, &parameters);
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let apart = norm(&mut plain.gradient.iter().zip(&got.gradient).map(|(a, b)| a - b));
        let off = apart / norm(&mut plain.gradient.iter().copied());
        assert!(off < 2e-2, "{kernels:?}: the gradient is off by {off}");
        assert_eq!(run(model, &options, 2, &parameters).gradient, got.gradient);
    }
}

#[test]
fn products_with_weights_in_int8() {
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let flat = g.reshape(x, &[g.shape(x)[0], 48])?;
        let wide = g.parameter("wide", &[100, 48])?;
        let back = g.parameter("back", &[40, 100])?;
        let thin = g.parameter("thin", &[3, 40])?;
        let h = g.linear(flat, wide, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        let h = g.linear(h, back, None)?;
        let h = g.apply1(Unary::Tanh, &[h])?;
        g.linear(h, thin, None)
    }
    let parameters = parameters_of(&trace(model, SAMPLES).unwrap());
    let whole = run(model, &PlanOptions::INFER, 1, &parameters);
    for batching in [None, Some(1), Some(2)] {
        let options = PlanOptions { precision: Precision::Int8, micro_batch: batching, ..PlanOptions::INFER };
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        let count = |kernel| step.plan().steps.iter().filter(|s| s.kernel == kernel).count();
        assert_eq!(count("int8_gemm"), 2, "all but the weight with a short side");
        assert_eq!(step.int8_parameters().len(), 2);
        let rounded = run(model, &options, 1, &parameters);
        let (a, b) = (whole.output.as_deref().unwrap(), rounded.output.as_deref().unwrap());
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let off = norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied());
        assert!((1e-5..3e-2).contains(&off), "the output is off by {off}");
        assert_eq!(run(model, &options, 3, &parameters).output.as_deref(), Some(b));
    }
    let trained = Executable::compile(
        &|n| trace(model, n),
        SAMPLES,
        &PlanOptions { precision: Precision::Int8, ..PlanOptions::TRAIN },
    );
    assert_eq!(trained.err(), Some(PlanError::NotTrainable));
}
