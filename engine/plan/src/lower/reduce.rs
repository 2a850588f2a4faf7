//! Reductions over axes.

use bessemer_graph::ops::reduce::{Reduce, Reduction};
use bessemer_kernels::reduce::{self as kernel, reduce};

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn lower(op: &Reduce, site: &mut Site) -> Result<Lowered, PlanError> {
    let (outer, axis, inner) = op.sizes(&site.input(0).shape);
    let reduction = match op.reduction {
        Reduction::Sum => kernel::Reduction::Sum,
        Reduction::Mean => kernel::Reduction::Mean,
        Reduction::Max => kernel::Reduction::Max,
    };
    let ([x], [y], accumulate) = (site.reads(), site.writes(), site.accumulate[0]);
    Ok(Lowered::new("reduce", move |f| {
        let accumulate = f.accumulates(accumulate);
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        reduce(reduction, x, y, outer, axis, inner, accumulate);
    }))
}
