//! Divisions of a batch that are chosen by the clock.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError, Type};
use bessemer_plan::{Executable, PlanOptions, Pool, tune};

fn trace(samples: usize) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let x = g.input("x", Type::f32([samples, 40]));
    let w = g.parameter("w", &[60, 40])?;
    let h = g.linear(x, w, None)?;
    let h = g.apply1(Unary::Tanh, &[h])?;
    let loss = g.sum_all(h)?;
    g.set_loss(loss);
    Ok(g)
}

#[test]
fn the_choice_is_one_of_what_was_timed_and_no_slower_than_the_cost_model() {
    let batch = 512;
    let tuned = tune(&trace, batch, &PlanOptions::TRAIN, &Pool::new(2)).unwrap();
    let usual = Executable::compile(&trace, batch, &PlanOptions::TRAIN).unwrap().batching();
    let first = tuned.candidates[0];
    assert_eq!((first.micro_batch, first.lanes), (usual.micro_batch, usual.lanes));
    assert!(tuned.candidates.len() > 4, "{:?}", tuned.candidates);
    for (i, a) in tuned.candidates.iter().enumerate() {
        assert!(a.seconds > 0.0 && a.seconds.is_finite());
        let same = tuned.candidates[..i].iter().any(|b| (b.micro_batch, b.lanes) == (a.micro_batch, a.lanes));
        assert!(!same, "timed twice: {a:?}");
    }
    let chosen = Executable::compile(&trace, batch, &tuned.options).unwrap().batching();
    let taken =
        tuned.candidates.iter().find(|c| (c.micro_batch, c.lanes) == (chosen.micro_batch, chosen.lanes));
    assert!(taken.expect("the choice was timed").seconds <= first.seconds);
}

#[test]
fn a_single_sample_has_one_division() {
    let tuned = tune(&trace, 1, &PlanOptions::TRAIN, &Pool::new(2)).unwrap();
    assert_eq!(tuned.candidates.len(), 1);
    assert_eq!((tuned.options.micro_batch, tuned.options.lanes), (Some(1), Some(1)));
}
