//! Softmax and its logarithm.

use bessemer_graph::ops::softmax::{Softmax, SoftmaxGrad};
use bessemer_kernels::softmax as kernel;

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn forward(op: &Softmax, site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, cols, log) = (site.input(0).rows(), site.input(0).last(), op.log);
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("softmax", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        match log {
            true => kernel::log_softmax(x, y, rows, cols),
            false => kernel::softmax(x, y, rows, cols),
        }
    }))
}

pub(super) fn backward(op: &SoftmaxGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, cols, log) = (site.input(0).rows(), site.input(0).last(), op.log);
    let ([y, dy], [dx]) = (site.reads(), site.writes());
    Ok(Lowered::new("softmax_backward", move |f| {
        let operands = f.operands([&y, &dy], [&dx]);
        let ([y, dy], [dx]) = (operands.reads, operands.writes);
        match log {
            true => kernel::log_softmax_backward(y, dy, dx, rows, cols),
            false => kernel::softmax_backward(y, dy, dx, rows, cols),
        }
    }))
}
