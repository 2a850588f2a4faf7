//! Layer and RMS normalisation.

use bessemer_graph::ops::layer_norm::LayerNorm;
use bessemer_graph::ops::rms_norm::RmsNorm;
use bessemer_kernels::norm as kernel;

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn layer_norm(op: &LayerNorm, site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, d, eps) = (site.input(0).rows(), site.input(0).last(), op.eps);
    let ([x, gamma, beta], [y, mean, rstd]) = (site.reads(), site.writes());
    Ok(Lowered::new("layer_norm", move |f| {
        let operands = f.operands([&x, &gamma, &beta], [&y, &mean, &rstd]);
        let ([x, gamma, beta], [y, mean, rstd]) = (operands.reads, operands.writes);
        kernel::layer_norm(x, Some(gamma), Some(beta), eps, y, mean, rstd, rows, d);
    }))
}

pub(super) fn layer_norm_grad(site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, d) = (site.input(0).rows(), site.input(0).last());
    let ([x, gamma, mean, rstd, dy], [dx, dgamma, dbeta]) = (site.reads(), site.writes());
    let accumulate = site.accumulate[1];
    if site.accumulate[2] != accumulate {
        return Err(site.unsupported("gamma and beta must be used together wherever they are used"));
    }
    Ok(Lowered::new("layer_norm_backward", move |f| {
        let accumulate = f.accumulates(accumulate);
        let operands = f.operands([&x, &gamma, &mean, &rstd, &dy], [&dx, &dgamma, &dbeta]);
        let ([x, gamma, mean, rstd, dy], [dx, dgamma, dbeta]) = (operands.reads, operands.writes);
        kernel::layer_norm_backward(
            x,
            Some(gamma),
            mean,
            rstd,
            dy,
            None,
            dx,
            Some(dgamma),
            Some(dbeta),
            accumulate,
            rows,
            d,
        );
    }))
}

pub(super) fn rms_norm(op: &RmsNorm, site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, d, eps) = (site.input(0).rows(), site.input(0).last(), op.eps);
    let ([x, gamma], [y, rstd]) = (site.reads(), site.writes());
    Ok(Lowered::new("rms_norm", move |f| {
        let operands = f.operands([&x, &gamma], [&y, &rstd]);
        let ([x, gamma], [y, rstd]) = (operands.reads, operands.writes);
        kernel::rms_norm(x, Some(gamma), eps, y, rstd, rows, d);
    }))
}

pub(super) fn rms_norm_grad(site: &mut Site) -> Result<Lowered, PlanError> {
    let (rows, d) = (site.input(0).rows(), site.input(0).last());
    let ([x, gamma, rstd, dy], [dx, dgamma]) = (site.reads(), site.writes());
    let accumulate = site.accumulate[1];
    Ok(Lowered::new("rms_norm_backward", move |f| {
        let accumulate = f.accumulates(accumulate);
        let operands = f.operands([&x, &gamma, &rstd, &dy], [&dx, &dgamma]);
        let ([x, gamma, rstd, dy], [dx, dgamma]) = (operands.reads, operands.writes);
        kernel::rms_norm_backward(x, Some(gamma), rstd, dy, None, dx, Some(dgamma), accumulate, rows, d);
    }))
}
