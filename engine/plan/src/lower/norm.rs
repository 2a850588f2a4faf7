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
    let how = [site.accumulate[1], site.accumulate[2]];
    Ok(Lowered::new("layer_norm_backward", move |f| {
        let accumulate = how.map(|how| f.accumulates(how));
        let operands = f.operands([&x, &gamma, &mean, &rstd, &dy], [&dx, &dgamma, &dbeta]);
        let ([x, gamma, mean, rstd, dy], [dx, dgamma, dbeta]) = (operands.reads, operands.writes);
        let mut backward = |dgamma: &mut [f32], dbeta: &mut [f32], add| {
            let (gamma, dgamma, dbeta) = (Some(gamma), Some(dgamma), Some(dbeta));
            kernel::layer_norm_backward(x, gamma, mean, rstd, dy, dx, dgamma, dbeta, add, rows, d);
        };
        if accumulate[0] == accumulate[1] {
            return backward(dgamma, dbeta, accumulate[0]);
        }
        // One of the two is shared with another layer: it adds, the other doesn't.
        let (a, b) = operands.scratch[..2 * d].split_at_mut(d);
        backward(a, b, false);
        for ((to, from), add) in [(dgamma, a), (dbeta, b)].into_iter().zip(accumulate) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = if add { *to + *from } else { *from });
        }
    })
    .with_scratch(2 * d))
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
        kernel::rms_norm_backward(x, Some(gamma), rstd, dy, dx, Some(dgamma), accumulate, rows, d);
    }))
}
