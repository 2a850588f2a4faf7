//! What a profile says: every call, those within loops too, and nothing twice.

use std::time::Instant;

use bessemer_graph::ops::scan::Scan;
use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError, Type};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};

const STEPS: usize = 20;

/// A linear layer, then a loop of tanh(h + x).
fn trace(samples: usize) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let x = g.input("x", Type::f32([samples, STEPS, 16]));
    g.enter("in");
    let w = g.parameter("weight", &[16, 16])?;
    let x = g.linear(x, w, None)?;
    g.leave();
    g.enter("loop");
    let x = g.permute(x, &[1, 0, 2])?;
    let mut body = Graph::new();
    let h = body.input("h", Type::f32([samples, 16]));
    let now = body.input("x", Type::f32([samples, 16]));
    body.enter("cell");
    let sum = body.add(h, now)?;
    let next = body.apply1(Unary::Tanh, &[sum])?;
    body.leave();
    body.output("h", next);
    let zeros = g.constant(&[samples, 16], vec![0.0; samples * 16]);
    let y = g.apply(Scan::new(body, 1, false)?, &[zeros, x])?[0];
    g.leave();
    let loss = g.sum_all(y)?;
    g.set_loss(loss);
    Ok(g)
}

#[test]
fn calls_within_loops_are_told_apart() {
    let options = PlanOptions { micro_batch: Some(2), lanes: Some(2), ..PlanOptions::TRAIN };
    let mut step = Executable::compile(&trace, 6, &options).unwrap();
    let mut parameters = Parameters::new(step.parameters());
    parameters.get_mut(0).fill(0.1);
    let x = vec![0.1; 6 * STEPS * 16];
    let pool = Pool::new(1);
    let run = |step: &mut Executable| {
        let batch = Batch { inputs: &[&x], loss_scale: 1.0, seed: 0, step: 0 };
        step.run(&pool, &parameters, &batch).unwrap();
    };
    run(&mut step);
    assert!(step.take_profile().entries.iter().all(|e| e.calls == 0.0), "nobody asked for it");
    step.set_timed(true);
    step.set_traced(true);
    let start = Instant::now();
    run(&mut step);
    run(&mut step);
    let elapsed = start.elapsed().as_secs_f64();

    let calls = step.take_calls();
    let profile = step.take_profile();
    let (micro_batches, runs) = (3.0, 2.0);
    let linear = profile.entries.iter().find(|e| e.operation == "linear").unwrap();
    assert_eq!((linear.scope.as_str(), linear.calls), ("in", micro_batches * runs));
    assert_eq!(linear.flops, 2.0 * (6 * STEPS * 16 * 16) as f64 * runs);
    let within: Vec<_> = profile.entries.iter().filter(|e| e.within.as_deref() == Some("loop")).collect();
    assert!(within.iter().any(|e| e.scope == "cell"), "{profile:?}");
    // The first step has a plan of its own, whose time is the loop's.
    assert!(within.iter().all(|e| e.calls == micro_batches * runs * (STEPS - 1) as f64), "{within:?}");
    assert!(profile.entries.iter().all(|e| e.seconds >= 0.0));
    assert!(profile.seconds() <= elapsed, "exclusive times are part of the whole");

    let steps = step.plan().steps.len();
    assert_eq!(calls.len(), steps * 3 * 2);
    assert!(calls.iter().all(|call| call.thread == 0 && call.lane < 2));
    assert!(step.take_calls().is_empty() && step.take_profile().seconds() == 0.0, "taken");
}
