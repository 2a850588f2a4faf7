//! Products with a weight, and what follows them in the same sweep.

use bessemer_graph::ops::linear::Linear;
use bessemer_graph::ops::unary::Unary;
use bessemer_kernels::gemm::{Activation, Epilogue};

use super::weight::WeightProduct;
use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::Place;

pub(super) fn lower(op: &Linear, site: &mut Site) -> Result<Lowered, PlanError> {
    let (m, k, n) = (site.input(0).rows(), site.input(0).last(), site.input(1).shape[0]);
    let activation = match op.activation {
        None => Activation::None,
        Some(Unary::Relu) => Activation::Relu,
        Some(Unary::GeluErf) => Activation::GeluErf,
        Some(Unary::GeluTanh) => Activation::GeluTanh,
        Some(Unary::Silu) => Activation::Silu,
        Some(Unary::Tanh) => Activation::Tanh,
        Some(Unary::Sigmoid) => Activation::Sigmoid,
        Some(other) => return Err(site.unsupported(format!("no epilogue for {other:?}"))),
    };
    let [x, weight] = site.reads();
    let bias = if op.bias { site.reads[2].clone() } else { Place::Nowhere };
    let residual = if op.residual { site.reads[site.reads.len() - 1].clone() } else { Place::Nowhere };
    let y = site.writes[0].clone();
    let before = site.writes.get(1).cloned().unwrap_or(Place::Nowhere);
    let product = WeightProduct::new(site, (m, n, k), (k, 1), weight, (1, k)); // B = Wᵀ
    let (has_bias, has_residual, has_before) = (op.bias, op.residual, before != Place::Nowhere);
    let run = product.clone();
    Ok(Lowered::new(product.kernel(), move |f| {
        let pool = f.pool;
        let operands = f.operands([&x, &run.weight, &bias, &residual], [&y, &before]);
        let ([x, weight, bias, residual], [y, before]) = (operands.reads, operands.writes);
        let epilogue = Epilogue {
            accumulate: false,
            bias: has_bias.then_some(bias),
            activation,
            pre_activation: has_before.then_some((before, n)),
            residual: has_residual.then_some((residual, n)),
        };
        run.run(x, weight, y, epilogue, operands.scratch, pool);
    })
    .with_weight(&product))
}
