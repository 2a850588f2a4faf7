//! Gradient checks of layers, for their tests.

use bessemer_graph::GraphError;
use bessemer_graph::gradient_check;

use crate::trace::{Trace, Value};

/// Checks the gradient of what `build` makes of operands of the given shapes, and by every parameter
/// that it declares, in a training trace whose whole batch is the micro-batch of `samples`.
pub(crate) fn check(
    samples: usize,
    shapes: &[&[usize]],
    build: impl Fn(&mut Trace, &[Value]) -> Result<Value, GraphError>,
) {
    check_with_indices(samples, shapes, &[], |t, x, _| build(t, x));
}

/// As [`check`], with operands of integers (shape, values) beside those of floats.
pub(crate) fn check_with_indices(
    samples: usize,
    shapes: &[&[usize]],
    indices: &[(&[usize], &[i32])],
    build: impl Fn(&mut Trace, &[Value], &[Value]) -> Result<Value, GraphError>,
) {
    gradient_check::check_with_indices(shapes, indices, |graph, x, i| {
        let mut t = Trace::new(samples, samples, true);
        std::mem::swap(&mut t.graph, graph);
        let y = build(&mut t, x, i);
        std::mem::swap(&mut t.graph, graph);
        y
    });
}
