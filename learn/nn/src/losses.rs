//! Losses, as sums over a micro-batch: the step divides by the number of elements.

use bessemer_graph::GraphError;
use bessemer_graph::ops::unary::Unary;

use crate::trace::{Trace, Value};

/// Σ (prediction - target)², weighted.
pub fn squared_error(
    t: &mut Trace,
    prediction: Value,
    target: Value,
    weight: Option<Value>,
) -> Result<Value, GraphError> {
    let error = t.graph.sub(prediction, target)?;
    let square = t.apply(Unary::Square, &[error])?;
    let weighted = match weight {
        Some(weight) => t.graph.mul(square, weight)?,
        None => square,
    };
    t.graph.sum_all(weighted)
}
