//! 1-D convolution.

use bessemer_graph::ops::conv1d as op;
use bessemer_kernels::conv1d::{Conv1d, conv1d_backward_input, conv1d_backward_weight, conv1d_forward};

use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::Place;

/// The kernel's sizes for x `[batch, channels, length]` and weight `[out, .., kernel]`.
fn sizes(op: &op::Conv1d, x: &[usize], out_channels: usize, kernel: usize) -> Conv1d {
    Conv1d {
        batch: x[0],
        in_channels: x[1],
        out_channels,
        length: x[2],
        kernel,
        stride: op.stride,
        padding: op.padding,
        dilation: op.dilation,
        groups: op.groups,
    }
}

pub(super) fn forward(op: &op::Conv1d, site: &mut Site) -> Result<Lowered, PlanError> {
    let w = &site.input(1).shape;
    let conv = sizes(op, &site.input(0).shape, w[0], w[2]);
    let has_bias = op.bias;
    let ([x, w], [y]) = (site.reads(), site.writes());
    let bias = if has_bias { site.reads[2].clone() } else { Place::Nowhere };
    let scratch = conv.scratch();
    Ok(Lowered::new("conv1d", move |f| {
        let operands = f.operands([&x, &w, &bias], [&y]);
        let ([x, w, bias], [y]) = (operands.reads, operands.writes);
        conv1d_forward(&conv, x, w, has_bias.then_some(bias), y, operands.scratch);
    })
    .with_scratch(scratch))
}

pub(super) fn input_grad(op: &op::Conv1dInputGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let w = &site.input(0).shape;
    let conv = sizes(&op.conv, &site.output(0).shape, w[0], w[2]);
    let ([w, dy], [dx]) = (site.reads(), site.writes());
    let scratch = conv.scratch();
    Ok(Lowered::new("conv1d_backward_input", move |f| {
        let operands = f.operands([&w, &dy], [&dx]);
        let ([w, dy], [dx]) = (operands.reads, operands.writes);
        conv1d_backward_input(&conv, dy, w, dx, operands.scratch);
    })
    .with_scratch(scratch))
}

pub(super) fn weight_grad(op: &op::Conv1dWeightGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let conv = sizes(&op.conv, &site.input(0).shape, site.input(1).shape[1], op.kernel);
    let ([x, dy], [dw], accumulate) = (site.reads(), site.writes(), site.accumulate[0]);
    let scratch = conv.scratch();
    Ok(Lowered::new("conv1d_backward_weight", move |f| {
        let accumulate = f.accumulates(accumulate);
        let operands = f.operands([&x, &dy], [&dw]);
        let ([x, dy], [dw]) = (operands.reads, operands.writes);
        if !accumulate {
            dw.fill(0.0); // the kernel adds
        }
        conv1d_backward_weight(&conv, x, dy, dw, None, operands.scratch);
    })
    .with_scratch(scratch))
}
