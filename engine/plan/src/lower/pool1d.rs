//! 1-D pooling.

use bessemer_graph::ops::avg_pool1d::{AvgPool1d, AvgPool1dGrad};
use bessemer_graph::ops::max_pool1d::{MaxPool1d, MaxPool1dGrad};
use bessemer_kernels::pool1d::{self as kernel, Pool1d};

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn max(op: &MaxPool1d, site: &mut Site) -> Result<Lowered, PlanError> {
    let MaxPool1d { kernel, stride, padding, ceil_mode } = *op;
    let (planes, length) = (site.input(0).rows(), site.input(0).last());
    let pool = Pool1d { planes, length, kernel, stride, padding, ceil_mode };
    let ([x], [y, places]) = (site.reads(), site.writes());
    Ok(Lowered::new("max_pool1d", move |f| {
        let operands = f.operands([&x], [&y, &places]);
        let ([x], [y, places]) = (operands.reads, operands.writes);
        kernel::max_pool1d_forward(&pool, x, y, bytemuck::cast_slice_mut(places));
    }))
}

pub(super) fn max_grad(op: &MaxPool1dGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let (windows, length) = (site.input(0).last(), op.length);
    let ([places, dy], [dx]) = (site.reads(), site.writes());
    Ok(Lowered::new("max_pool1d_backward", move |f| {
        let operands = f.operands([&places, &dy], [&dx]);
        let ([places, dy], [dx]) = (operands.reads, operands.writes);
        kernel::max_pool1d_backward(length, windows, dy, bytemuck::cast_slice(places), dx);
    }))
}

fn average(op: &AvgPool1d, planes: usize, length: usize) -> Pool1d {
    let AvgPool1d { kernel, stride, padding, ceil_mode } = *op;
    Pool1d { planes, length, kernel, stride, padding, ceil_mode }
}

pub(super) fn avg(op: &AvgPool1d, site: &mut Site) -> Result<Lowered, PlanError> {
    let pool = average(op, site.input(0).rows(), site.input(0).last());
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("avg_pool1d", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        kernel::average_pool1d_forward(&pool, true, x, y);
    }))
}

pub(super) fn avg_grad(op: &AvgPool1dGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let pool = average(&op.pool, site.output(0).rows(), op.length);
    let ([dy], [dx]) = (site.reads(), site.writes());
    Ok(Lowered::new("avg_pool1d_backward", move |f| {
        let operands = f.operands([&dy], [&dx]);
        let ([dy], [dx]) = (operands.reads, operands.writes);
        kernel::average_pool1d_backward(&pool, true, dy, dx);
    }))
}
