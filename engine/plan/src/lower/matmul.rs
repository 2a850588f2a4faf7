//! Matrix products.

use std::ops::Range;

use bessemer_graph::ops::matmul::MatMul;
use bessemer_kernels::gemm::{Epilogue, batched_gemm, gemm_scratch};

use super::weight::{WeightGradient, WeightProduct};
use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::{Accumulate, Place};
use crate::stashes::Stash;

pub(super) fn lower(op: &MatMul, site: &mut Site) -> Result<Lowered, PlanError> {
    let s =
        op.sizes(&site.input(0).shape, &site.input(1).shape).map_err(|problem| site.unsupported(problem))?;
    let (m, n, k) = (s.m, s.n, s.k);
    let a_strides = if op.transpose_a { (1, m) } else { (k, 1) };
    let b_strides = if op.transpose_b { (1, k) } else { (n, 1) };
    let accumulate = site.accumulate[0];
    let [a, b] = site.reads();
    let [c] = site.writes();
    if s.batch == 1 && (op.transpose_a, op.transpose_b) == (true, false) && matches!(c, Place::Gradient(_)) {
        return Ok(gradient(site, k, [a, b], c, (m, n), accumulate));
    }
    if s.batch == 1 {
        let product = WeightProduct::new(site, (m, n, k), a_strides, b, b_strides);
        let run = product.clone();
        return Ok(Lowered::new(product.kernel(), move |f| {
            let epilogue = Epilogue { accumulate: f.accumulates(accumulate), ..Default::default() };
            let pool = f.pool;
            let x = f.operands([&a, &run.weight], [&c]);
            let ([a, b], [c]) = (x.reads, x.writes);
            run.run(a, b, c, epilogue, x.scratch, pool);
        })
        .with_weight(&product));
    }
    let scratch = gemm_scratch(k);
    Ok(Lowered::new("batched_gemm", move |f| {
        let epilogue = Epilogue { accumulate: f.accumulates(accumulate), ..Default::default() };
        let x = f.operands([&a, &b], [&c]);
        let ([a, b], [c]) = (x.reads, x.writes);
        let (a_batch, b_batch, c_batch) = (m * k, k * n, m * n);
        batched_gemm(
            s.batch,
            m,
            n,
            k,
            a,
            (a_batch, a_strides),
            b,
            (b_batch, b_strides),
            c,
            (c_batch, n),
            epilogue,
            x.scratch,
        );
    })
    .with_scratch(scratch))
}

/// dYᵀ·X, the gradient `[m, n]` of a weight.
fn gradient(
    site: &mut Site,
    rows: usize,
    [dy, x]: [Place; 2],
    gradient: Place,
    (m, n): (usize, usize),
    accumulate: Accumulate,
) -> Lowered {
    let product = WeightGradient::new(m, n, site.options.precision);
    if site.options.defer
        && site.whole_gradient[0]
        && site.stashes.pays(rows, m, n)
        && let Place::Gradient(parameter) = &gradient
    {
        let stash = site.stashes.request(parameter.clone(), rows, m, n);
        return deferred(product, (m, n, rows), dy, x, gradient, stash);
    }
    Lowered::new(product.kernel(), move |f| {
        let accumulate = f.accumulates(accumulate);
        let o = f.operands([&dy, &x], [&gradient]);
        let ([dy, x], [c]) = (o.reads, o.writes);
        product.run(rows, dy, x, c, accumulate, o.scratch);
    })
    .with_scratch(product.scratch(rows))
}

/// dYᵀ·X of all the rows of a lane, after its last micro-batch (see [`crate::stashes`]).
fn deferred(
    product: WeightGradient,
    (m, n, k): (usize, usize, usize),
    dy: Place,
    x: Place,
    gradient: Place,
    stash: Stash,
) -> Lowered {
    let scratch = product.scratch(stash.rows);
    Lowered::new(product.deferred_kernel(), move |f| {
        let held = if f.first { 0 } else { f.stashed[stash.index] };
        let rows = held + k;
        f.stashed[stash.index] = rows;
        let rows_of = |whole: &Range<usize>, width: usize, rows: Range<usize>| {
            Place::Stash(whole.start + rows.start * width..whole.start + rows.end * width)
        };
        let new = (rows_of(&stash.dy, m, held..rows), rows_of(&stash.x, n, held..rows));
        let o = f.operands([&dy, &x], [&new.0, &new.1]);
        o.writes.into_iter().zip(o.reads).for_each(|(to, from)| to.copy_from_slice(from));
        if f.last {
            let all = (rows_of(&stash.dy, m, 0..rows), rows_of(&stash.x, n, 0..rows));
            let o = f.operands([&all.0, &all.1], [&gradient]);
            let ([dy, x], [c]) = (o.reads, o.writes);
            product.run(rows, dy, x, c, false, o.scratch);
        }
    })
    .with_scratch(scratch)
}
