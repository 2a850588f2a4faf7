//! What a training computes again instead of keeping it.

use bessemer::plan::Recomputing;
use serde::Serialize;

use crate::table::plain;

/// Of a full micro-batch.
#[derive(Serialize)]
pub struct Dropped {
    /// The memory of values alive at once, beside what it would be.
    share: f64,
    values: Vec<Value>,
    #[serde(skip)]
    megabytes: (f64, f64),
}

/// A value that is computed again.
#[derive(Serialize)]
struct Value {
    operation: &'static str,
    layer: String,
    mb: f64,
    gflop: f64,
}

impl Dropped {
    /// What a plan says.
    pub fn of(recomputing: &Recomputing) -> Dropped {
        let Recomputing { choices, before, after } = recomputing;
        let value = |choice: &bessemer::graph::passes::Recomputed| Value {
            operation: choice.operation,
            layer: choice.scope.to_string(),
            mb: megabytes(choice.floats),
            gflop: choice.cost.flops * 1e-9,
        };
        Dropped {
            share: *after as f64 / (*before).max(1) as f64,
            values: choices.iter().map(value).collect(),
            megabytes: (megabytes(*before), megabytes(*after)),
        }
    }

    /// What was asked for and reached, and a table in the order of choice.
    pub fn render(&self, percent: u8) -> String {
        let reached = 100.0 * self.share;
        let (before, after) = self.megabytes;
        let missed = if reached > f64::from(percent) + 0.05 { ", which can't be had" } else { "" };
        let cells = |value: &Value| {
            let (operation, layer) = (value.operation.to_string(), value.layer.clone());
            [operation, layer, format!("{:.3}", value.mb), format!("{:.4}", value.gflop)]
        };
        if self.values.is_empty() {
            return format!("nothing is computed again: {reached:.1} % of {before:.3} MB{missed}\n");
        }
        let table = plain(vec!["computed again", "layer", "MB", "GFLOP"], self.values.iter().map(cells));
        format!(
            "values of a micro-batch alive at once: {percent} % asked for{missed}; {after:.3} of {before:.3} MB, \
             {reached:.1} %\n{table}"
        )
    }
}

/// MB of so many floats.
pub fn megabytes(floats: usize) -> f64 {
    floats as f64 * 4e-6
}
