//! Less memory for activations: what is dropped is computed again, and nothing else changes.

mod small_models;

use bessemer_graph::ops::attention::Attention;
use bessemer_graph::ops::batch_sum::BatchSum;
use bessemer_graph::ops::dropout::Dropout;
use bessemer_graph::ops::layer_norm::LayerNorm;
use bessemer_graph::ops::scan::Scan;
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, Type, ValueId};
use bessemer_plan::{Executable, PlanOptions};

use small_models::{Built, SAMPLES, parameters_of, run, trace};

#[test]
fn dropped_values_are_computed_again() {
    fn layers(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let mut h = g.reshape(x, &[g.shape(x)[0], 48])?;
        for i in 0..6 {
            g.enter(&format!("layer{i}"));
            let norm = g.parameter("norm", &[48])?;
            let zeros = g.parameter("bias", &[48])?;
            let weight = g.parameter("weight", &[48, 48])?;
            let y = g.apply(LayerNorm { eps: 1e-5 }, &[h, norm, zeros])?[0];
            let y = g.linear(y, weight, None)?;
            let y = g.apply1(Unary::Tanh, &[y])?;
            h = g.add(h, y)?;
            g.leave();
        }
        Ok(h)
    }
    let parameters = parameters_of(&trace(layers, SAMPLES).unwrap());
    let all = PlanOptions { micro_batch: Some(7), lanes: Some(1), ..PlanOptions::TRAIN };
    let whole = Executable::compile(&|n| trace(layers, n), SAMPLES, &all).unwrap();
    assert!(whole.recomputing().is_none());
    let expected = run(layers, &all, 1, &parameters);
    for percent in [80, 60, 40] {
        let options = PlanOptions { activations: Some(percent), ..all };
        let less = Executable::compile(&|n| trace(layers, n), SAMPLES, &options).unwrap();
        let (before, after) = (whole.plan().arena_len, less.plan().arena_len);
        // Values of several sizes leave gaps.
        assert!(
            after * 100 <= before * (usize::from(percent) + 5),
            "{percent} %: {after} of {before} floats"
        );
        assert!(
            less.recomputing().unwrap().choices.iter().all(|r| r.scope.starts_with("layer") && r.floats > 0)
        );
        assert!(less.plan().steps.len() > whole.plan().steps.len());
        let got = run(layers, &options, 1, &parameters);
        assert_eq!(got.loss, expected.loss, "{percent} %");
        assert_eq!(got.gradient, expected.gradient, "{percent} %");
        assert_eq!(got.output, expected.output, "{percent} %");
    }
    // Moments of the batch part what could be computed again from where it is read.
    fn joined(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let x = g.reshape(x, &[g.shape(x)[0], 48])?;
        g.apply1(BatchSum, &[x])
    }
    let options = PlanOptions { activations: Some(50), ..all };
    let refused = Executable::compile(&|n| trace(joined, n), SAMPLES, &options).err().unwrap();
    assert!(refused.to_string().contains("leave the memory of activations unlimited"), "{refused}");
}

#[test]
fn masks_and_loops_come_out_the_same_again() {
    fn model(g: &mut Graph, x: ValueId, _: ValueId) -> Built {
        let samples = g.shape(x)[0];
        let mut h = x;
        for i in 0..3 {
            g.enter(&format!("layer{i}"));
            let turn = g.parameter("turn", &[24, 8])?;
            let qkv = g.linear(h, turn, None)?;
            let attention = Attention { causal: true, ..Attention::new(2, 0.5) };
            let y = g.apply(attention, &[qkv])?[0];
            let site = g.next_dropout_site();
            let y = g.apply1(Dropout { rate: 0.3, site, samples }, &[y])?;
            h = g.add(h, y)?;
            h = g.apply1(Unary::Tanh, &[h])?;
            g.leave();
        }
        let steps = g.permute(h, &[1, 0, 2])?;
        let mut body = Graph::new();
        let state = body.input("state", Type::f32([samples, 8]));
        let now = body.input("now", Type::f32([samples, 8]));
        let sum = body.add(state, now)?;
        let next = body.apply1(Unary::Sin, &[sum])?;
        body.output("next", next);
        let zeros = g.constant(&[samples, 8], vec![0.0; samples * 8]);
        let y = g.apply(Scan::new(body, 1, false)?, &[zeros, steps])?[0];
        let y = g.apply1(Unary::Cos, &[y])?;
        g.permute(y, &[1, 0, 2])
    }
    let parameters = parameters_of(&trace(model, SAMPLES).unwrap());
    // The last micro-batch is smaller.
    let all = PlanOptions { micro_batch: Some(2), lanes: Some(2), ..PlanOptions::TRAIN };
    let expected = run(model, &all, 1, &parameters);
    let (mut dropped, mut scans, mut dropouts) = (Vec::new(), 0, 0);
    let count = |step: &Executable, operation: &str| {
        step.plan().steps.iter().filter(|s| s.operation == operation).count()
    };
    for percent in [70, 50, 30, 0] {
        let options = PlanOptions { activations: Some(percent), ..all };
        let step = Executable::compile(&|n| trace(model, n), SAMPLES, &options).unwrap();
        scans = scans.max(count(&step, "scan"));
        dropouts = dropouts.max(count(&step, "dropout") + count(&step, "fused"));
        dropped.extend(step.recomputing().unwrap().choices.iter().map(|choice| choice.operation));
        let got = run(model, &options, 2, &parameters);
        assert_eq!((got.loss, got.gradient), (expected.loss, expected.gradient.clone()), "{percent} %");
    }
    for operation in ["attention", "fused"] {
        assert!(dropped.contains(&operation), "{operation} of {dropped:?}");
    }
    let whole = Executable::compile(&|n| trace(model, n), SAMPLES, &all).unwrap();
    assert!(dropouts > count(&whole, "dropout") + count(&whole, "fused"), "groups with dropout run again");
    assert!(scans > count(&whole, "scan"), "the loop runs again: {dropped:?}");
}
