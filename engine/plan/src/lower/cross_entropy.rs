//! Cross-entropy from logits.

use bessemer_graph::ops::cross_entropy::{CrossEntropy, CrossEntropyGrad};
use bessemer_kernels::softmax as kernel;

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn forward(op: &CrossEntropy, site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, cols, smoothing) = (site.input(0).rows(), site.input(0).last(), op.smoothing);
    let ([x, labels], [sum, lse]) = (site.reads(), site.writes());
    let scope = site.node.scope.to_string();
    Ok(Lowered::new("cross_entropy", move |f| {
        let operands = f.operands([&x, &labels], [&sum, &lse]);
        let ([x, labels], [sum, lse]) = (operands.reads, operands.writes);
        let labels: &[i32] = bytemuck::cast_slice(labels);
        if let Some(bad) = labels.iter().find(|&&label| label >= cols as i32) {
            let problem = format!("label {bad}, but `{scope}` has {cols} classes");
            f.fault.get_or_insert(problem);
            return;
        }
        let losses = &mut operands.scratch[..rows];
        sum[0] = kernel::cross_entropy(x, labels, smoothing, losses, lse, rows, cols).0 as f32;
    })
    .with_scratch(rows))
}

pub(super) fn backward(op: &CrossEntropyGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, cols, smoothing) = (site.input(0).rows(), site.input(0).last(), op.smoothing);
    let ([x, labels, lse, dy], [dx]) = (site.reads(), site.writes());
    Ok(Lowered::new("cross_entropy_backward", move |f| {
        if f.fault.is_some() {
            return; // a label is out of range; the run will fail
        }
        let operands = f.operands([&x, &labels, &lse, &dy], [&dx]);
        let ([x, labels, lse, dy], [dx]) = (operands.reads, operands.writes);
        kernel::cross_entropy_backward(x, bytemuck::cast_slice(labels), smoothing, lse, dy, dx, rows, cols);
    }))
}
