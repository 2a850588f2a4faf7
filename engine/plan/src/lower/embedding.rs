//! Rows of a table by index.

use bessemer_kernels::embedding::{embedding_backward, embedding_forward};

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn forward(site: &mut Site) -> Result<Lowered, PlanError> {
    let width = site.output(0).last();
    let ([table, indices], [y]) = (site.reads(), site.writes());
    let scope = site.node.scope.to_string();
    Ok(Lowered::new("embedding", move |f| {
        let operands = f.operands([&table, &indices], [&y]);
        let ([table, indices], [y]) = (operands.reads, operands.writes);
        if let Err(error) = embedding_forward(table, width, bytemuck::cast_slice(indices), y) {
            f.fault.get_or_insert(format!("`{scope}`: {error}"));
        }
    }))
}

pub(super) fn backward(site: &mut Site) -> Result<Lowered, PlanError> {
    let width = site.output(0).last();
    let ([dy, indices], [table], accumulate) = (site.reads(), site.writes(), site.accumulate[0]);
    Ok(Lowered::new("embedding_backward", move |f| {
        let accumulate = f.accumulates(accumulate);
        let operands = f.operands([&dy, &indices], [&table]);
        let ([dy, indices], [table]) = (operands.reads, operands.writes);
        if !accumulate {
            table.fill(0.0);
        }
        // An index out of range was reported by the forward pass; the run fails.
        _ = embedding_backward(dy, width, bytemuck::cast_slice(indices), table);
    }))
}
