//! The part of a micro-batch in the moments of a batch.

use bessemer_graph::ops::batch_moments::BatchMoments;
use bessemer_kernels::moments::moments;

use super::Lowered;
use crate::frame::Place;

/// Means of x of this shape, then squared distances from them, to `to`.
pub(crate) fn local(shape: &[usize], x: Place, to: Place) -> Lowered {
    let sizes = BatchMoments::sizes(shape);
    Lowered::new("moments", move |f| {
        let o = f.operands([&x], [&to]);
        let ([x], [to]) = (o.reads, o.writes);
        let (mean, squares) = to.split_at_mut(sizes.1);
        moments(x, sizes, mean, squares);
    })
}
