//! Dropout.

use bessemer_graph::ops::dropout::Dropout;
use bessemer_kernels::random::{Stream, dropout};

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn lower(op: &Dropout, site: &mut Site) -> Result<Lowered, PlanError> {
    let (keep, number) = (1.0 - op.rate, op.site);
    let per_sample = (site.input(0).len() / site.input(0).shape[0].max(1)) as u64;
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("dropout", move |f| {
        let r = f.randomness;
        let stream = Stream { seed: r.seed, step: r.step, site: number };
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        dropout(x, y, keep, stream, r.first_sample * per_sample);
    }))
}
