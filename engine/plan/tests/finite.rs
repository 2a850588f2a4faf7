//! The first value that is no number is named.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError, Type};
use bessemer_plan::{Batch, Executable, NotFinite, Parameters, PlanOptions, Pool};

/// sqrt(x w) and its gradient, which is infinite at 0.
fn trace(samples: usize) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let x = g.input("x", Type::f32([samples, 2]));
    let w = g.parameter("w", &[2])?;
    let y = g.mul(x, w)?;
    let y = g.apply1(Unary::Sqrt, &[y])?;
    let y = g.apply1(Unary::Exp, &[y])?;
    let loss = g.sum_all(y)?;
    g.set_loss(loss);
    Ok(g)
}

fn find(x: [f32; 16], w: [f32; 2]) -> Option<NotFinite> {
    let options = PlanOptions { fuse: false, micro_batch: Some(2), ..PlanOptions::TRAIN };
    let mut step = Executable::compile(&trace, 8, &options).unwrap();
    let mut parameters = Parameters::new(step.parameters());
    parameters.get_mut(0).copy_from_slice(&w);
    let batch = Batch { inputs: &[&x], loss_scale: 1.0, seed: 0, step: 0 };
    step.find_not_finite(&Pool::new(2), &parameters, &batch).unwrap()
}

#[test]
fn what_gives_it_is_named() {
    let good = [1.0; 16];
    assert_eq!(find(good, [1.0, 2.0]), None);
    let with = |value| {
        let mut x = good;
        x[11] = value;
        x
    };
    let said = |x, w| find(x, w).unwrap().to_string();
    assert_eq!(said(with(f32::NAN), [1.0; 2]), "input `x` holds NaN");
    assert_eq!(said(good, [1.0, f32::INFINITY]), "parameter `w` holds inf");
    assert_eq!(said(with(-1.0), [1.0; 2]), "`sqrt` gives NaN");
    assert_eq!(said(with(1e5), [1.0; 2]), "`exp` gives inf");
    // The gradient of the square root, 1 / 2 sqrt(x), is made of other operations.
    assert!(said(with(0.0), [1.0; 2]).ends_with("` gives inf"), "{}", said(with(0.0), [1.0; 2]));
}
