//! Compares gradients with central differences in f64, for the tests of operations and layers.

use crate::differentiate::gradients_of;
use crate::error::GraphError;
use crate::evaluate::{Bindings, evaluate};
use crate::graph::{Graph, ValueId};
use crate::operation::Op;
use crate::ops::source::Source;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Checks the gradient of whatever `build` makes of operands of the given shapes, by them and by every
/// parameter that it declares.
///
/// # Panics
/// If a gradient differs from the central difference by more than 1e-6 of its size.
pub fn check(shapes: &[&[usize]], build: impl Fn(&mut Graph, &[ValueId]) -> Result<ValueId, GraphError>) {
    check_with_indices(shapes, &[], |g, x, _| build(g, x));
}

/// As [`check`], with operands of integers (shape, values) beside those of floats.
///
/// # Panics
/// If a gradient differs from the central difference by more than 1e-6 of its size.
pub fn check_with_indices(
    shapes: &[&[usize]],
    indices: &[(&[usize], &[i32])],
    build: impl Fn(&mut Graph, &[ValueId], &[ValueId]) -> Result<ValueId, GraphError>,
) {
    let mut graph = Graph::new();
    let names: Vec<String> = (0..shapes.len()).map(|i| format!("x{i}")).collect();
    let operands: Vec<ValueId> =
        names.iter().zip(shapes).map(|(n, s)| graph.parameter(n, s).expect("distinct names")).collect();
    let integers: Vec<ValueId> = indices.iter().map(|(s, _)| graph.input("i", Type::i32(*s))).collect();
    let y = build(&mut graph, &operands, &integers).expect("the graph builds");

    // The operands, and parameters that `build` declared beside them, in order.
    let parameters = graph.nodes().iter().filter(|n| matches!(n.op, Op::Source(Source::Parameter(_))));
    let operands: Vec<ValueId> = parameters.map(|n| n.outputs[0]).collect();
    let shapes: Vec<Vec<usize>> = graph.parameters().iter().map(|p| p.shape.clone()).collect();

    // A weighted sum, so that every output element matters differently.
    let shape = graph.shape(y).to_vec();
    let len: usize = shape.iter().product();
    let weights: Vec<f32> = (0..len).map(|i| pseudo_random(1_000 + i) as f32).collect();
    let weights = graph.constant(&shape, weights);
    let weighted = graph.mul(y, weights).expect("same shape");
    let loss = graph.sum_all(weighted).expect("a sum");
    let seed = graph.loss_scale();
    let grads = gradients_of(&mut graph, &[(loss, seed)], &operands, false).expect("differentiable");

    let mut bindings = Bindings { loss_scale: 1.0, ..Default::default() };
    let mut count = 0;
    for shape in &shapes {
        bindings.parameters.push(Tensor::from_fn(shape.clone(), |_| {
            count += 1;
            pseudo_random(count)
        }));
    }
    for (shape, values) in indices {
        bindings.inputs.push(Tensor::new(*shape, values.iter().map(|&i| i as f64).collect()));
    }
    let values = evaluate(&graph, &bindings);
    for (operand, grad) in grads.iter().enumerate() {
        let zeros;
        let analytic = match grad.first() {
            Some(g) => &values[g.index()],
            None => {
                zeros = Tensor::full(shapes[operand].clone(), 0.0);
                &zeros
            }
        };
        for element in 0..analytic.data.len() {
            let eps = 1e-5;
            let mut at = |step: f64| {
                let before = bindings.parameters[operand].data[element];
                bindings.parameters[operand].data[element] = before + step;
                let result = evaluate(&graph, &bindings)[loss.index()].data[0];
                bindings.parameters[operand].data[element] = before;
                result
            };
            let numeric = (at(eps) - at(-eps)) / (2.0 * eps);
            let exact = analytic.data[element];
            assert!(
                (numeric - exact).abs() <= 1e-6 * (1.0 + exact.abs()),
                "operand {operand}, element {element}: gradient {exact}, central difference {numeric}"
            );
        }
    }
}

/// A number in (-1, 1), at least 1e-3 away from zero and distinct for every index.
fn pseudo_random(i: usize) -> f64 {
    let golden = 0.618_033_988_749_894_9;
    let x = ((i as f64 + 0.5) * golden).fract() * 2.0 - 1.0;
    if x.abs() < 1e-3 { 0.5 } else { x }
}
