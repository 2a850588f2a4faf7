//! What a training computes again instead of keeping it.

use bessemer::graph::passes::Recomputed;
use serde::Serialize;

use crate::table::plain;

/// A value that is computed again.
#[derive(Serialize)]
pub struct Dropped {
    operation: &'static str,
    layer: String,
    mb: f64,
    gflop: f64,
}

impl Dropped {
    /// Of a full micro-batch.
    pub fn of(recomputed: &Recomputed) -> Dropped {
        Dropped {
            operation: recomputed.operation,
            layer: recomputed.scope.to_string(),
            mb: megabytes(recomputed.floats),
            gflop: recomputed.cost.flops * 1e-9,
        }
    }
}

/// As a table, in the order of choice.
pub fn render(dropped: &[Dropped]) -> String {
    let cells = |d: &Dropped| {
        let (operation, layer) = (d.operation.to_string(), d.layer.clone());
        [operation, layer, format!("{:.3}", d.mb), format!("{:.4}", d.gflop)]
    };
    plain(vec!["computed again", "layer", "MB", "GFLOP"], dropped.iter().map(cells)).to_string()
}

/// MB of so many floats.
pub fn megabytes(floats: usize) -> f64 {
    floats as f64 * 4.0 / f64::from(1 << 20)
}
