//! Fused attention.

use bessemer_graph::ops::attention::{self as op, AttentionGrad};
use bessemer_kernels::attention::{
    Attention, Bias, Gradients, Rows, attention_backward, attention_backward_scratch, attention_forward,
    attention_forward_scratch,
};

use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::Place;
use crate::options::Precision;

/// The kernel's view of an attention, without its mask and bias.
fn settings(op: &op::Attention, site: &Site) -> Attention<'static> {
    let q = &site.input(0).shape;
    let k = &site.input(op.sources().min(2) - 1).shape;
    let sizes = op.sizes(q, k);
    Attention {
        batch: sizes.batch,
        heads: op.heads,
        kv_heads: op.kv_heads,
        q_len: sizes.q_len,
        k_len: sizes.k_len,
        head_dim: sizes.head_dim,
        scale: op.scale,
        causal: op.causal,
        key_mask: None,
        bias: None,
        bf16: site.options.precision == Precision::Bf16,
    }
}

/// Places of q, k, v (the packed one three times), mask and bias.
fn sources(op: &op::Attention, site: &Site) -> [Place; 5] {
    let place =
        |present: bool, index: usize| if present { site.reads[index].clone() } else { Place::Nowhere };
    let apart = !op.packed;
    [
        site.reads[0].clone(),
        place(apart, 1),
        place(apart, 2),
        place(op.masked, op.sources()),
        place(op.biased, op.arity() - 1),
    ]
}

/// Where q, k and v begin in a row, and its length, if they are packed.
fn packed_row(a: &Attention) -> ([usize; 3], usize) {
    let (width, kv_width) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
    ([0, width, width + kv_width], width + 2 * kv_width)
}

/// The bias of an attention, of scores or of distances.
fn bias<'a>(op: &op::Attention, distances: bool, values: &'a [f32]) -> Option<Bias<'a>> {
    op.biased.then_some(if distances { Bias::Distances(values) } else { Bias::Scores(values) })
}

/// Whether there is a bias, and it is one of distances.
fn has_distances(op: &op::Attention, site: &Site) -> bool {
    op.biased && site.input(op.arity() - 1).shape.len() == 2
}

/// q, k and v as rows of their places.
fn rows<'a>(a: &Attention, packed: bool, [q, k, v]: [&'a [f32]; 3]) -> [Rows<'a>; 3] {
    let (width, kv_width) = (a.heads * a.head_dim, a.kv_heads * a.head_dim);
    let (offsets, row) = packed_row(a);
    match packed {
        true => offsets.map(|offset| Rows { values: &q[offset..], row }),
        false => [(q, width), (k, kv_width), (v, kv_width)].map(|(values, row)| Rows { values, row }),
    }
}

pub(super) fn forward(op: &op::Attention, site: &mut Site) -> Result<Lowered, PlanError> {
    let settings = settings(op, site);
    let op = *op;
    let distances = has_distances(&op, site);
    let width = settings.heads * settings.head_dim;
    let [q, k, v, mask, added] = sources(&op, site);
    let [out, lse] = site.writes();
    // The scratch depends on whether there is a bias, not on its values.
    let scratch = attention_forward_scratch(&Attention { bias: bias(&op, distances, &[]), ..settings });
    let kernel = if settings.rounds() { "bf16_attention" } else { "attention" };
    Ok(Lowered::new(kernel, move |f| {
        let x = f.operands([&q, &k, &v, &mask, &added], [&out, &lse]);
        let ([q, k, v, mask, added], [out, lse]) = (x.reads, x.writes);
        let key_mask = op.masked.then_some(mask);
        let attention = Attention { key_mask, bias: bias(&op, distances, added), ..settings };
        let [q, k, v] = rows(&settings, op.packed, [q, k, v]);
        attention_forward(&attention, q, k, v, out, width, lse, x.scratch);
    })
    .with_scratch(scratch))
}

pub(super) fn backward(op: &AttentionGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let settings = settings(&op.attention, site);
    let op = op.attention;
    let distances = has_distances(&op, site);
    let width = settings.heads * settings.head_dim;
    let [q, k, v, mask, added] = sources(&op, site);
    let rest: [Place; 3] = std::array::from_fn(|i| site.reads[op.arity() + i].clone());
    let [out, lse, d_out] = rest;
    let given =
        |present: bool, index: usize| if present { site.writes[index].clone() } else { Place::Nowhere };
    let ((offsets, row), kv_width) = (packed_row(&settings), settings.kv_heads * settings.head_dim);
    let dq = site.writes[0].clone();
    let (dk, dv) = (given(!op.packed, 1), given(!op.packed, 2));
    let d_bias = given(op.biased, op.sources());
    let scratch = attention_backward_scratch(&Attention { bias: bias(&op, distances, &[]), ..settings });
    let kernel = if settings.rounds() { "bf16_attention_backward" } else { "attention_backward" };
    Ok(Lowered::new(kernel, move |f| {
        let x = f.operands([&q, &k, &v, &mask, &added, &out, &lse, &d_out], [&dq, &dk, &dv, &d_bias]);
        let ([q, k, v, mask, added, out, lse, d_out], [dq, dk, dv, d_bias]) = (x.reads, x.writes);
        let key_mask = op.masked.then_some(mask);
        let attention = Attention { key_mask, bias: bias(&op, distances, added), ..settings };
        let [q, k, v] = rows(&settings, op.packed, [q, k, v]);
        let out = Rows { values: out, row: width };
        let d_out = Rows { values: d_out, row: width };
        let gradients = match op.packed {
            true => Gradients::Packed { values: dq, row, offsets },
            false => Gradients::Separate { dq: (dq, width), dk: (dk, kv_width), dv: (dv, kv_width) },
        };
        d_bias.fill(0.0);
        attention_backward(
            &attention,
            q,
            k,
            v,
            out,
            d_out,
            lse,
            gradients,
            op.biased.then_some(d_bias),
            x.scratch,
        );
    })
    .with_scratch(scratch))
}
