//! Matrix products.

use bessemer_graph::ops::matmul::MatMul;
use bessemer_kernels::gemm::{Epilogue, batched_gemm, gemm, gemm_packed, gemm_scratch};

use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::Place;
use crate::packs::Packs;

pub(super) fn lower(op: &MatMul, site: &mut Site) -> Result<Lowered, PlanError> {
    let s =
        op.sizes(&site.input(0).shape, &site.input(1).shape).map_err(|problem| site.unsupported(problem))?;
    let (m, n, k) = (s.m, s.n, s.k);
    let a_strides = if op.transpose_a { (1, m) } else { (k, 1) };
    let b_strides = if op.transpose_b { (1, k) } else { (n, 1) };
    let accumulate = site.accumulate[0];
    let [a, mut b] = site.reads();
    let [c] = site.writes();
    let pays = site.options.pack && s.shared && Packs::pays(b_strides, m * site.micro_batches);
    if let (Place::Parameter(range), true) = (&b, pays) {
        b = Place::Packed(site.packs.request(range.clone(), k, n, b_strides));
        return Ok(Lowered::new("gemm_packed", move |f| {
            let epilogue = Epilogue { accumulate: f.accumulates(accumulate), ..Default::default() };
            let x = f.operands([&a, &b], [&c]);
            let ([a, b], [c]) = (x.reads, x.writes);
            gemm_packed(m, n, k, a, a_strides, b, c, n, epilogue);
        }));
    }
    let scratch = gemm_scratch(k);
    if s.batch == 1 {
        return Ok(Lowered::new("gemm", move |f| {
            let epilogue = Epilogue { accumulate: f.accumulates(accumulate), ..Default::default() };
            let x = f.operands([&a, &b], [&c]);
            let ([a, b], [c]) = (x.reads, x.writes);
            gemm(m, n, k, a, a_strides, b, b_strides, c, n, epilogue, x.scratch);
        })
        .with_scratch(scratch));
    }
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
