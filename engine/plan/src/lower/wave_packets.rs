//! Sums of wave packets.

use bessemer_graph::Type;
use bessemer_graph::ops::wave_packets::{self as op, WavePacketsGrad};
use bessemer_kernels::wave_packets as kernel;

use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::Place;

pub(super) fn forward(op: &op::WavePackets, site: &mut Site) -> Result<Lowered, PlanError> {
    let shape = shape(op, site.input(0), site.input(2));
    let [points, packets, head] = site.reads();
    let mut derivatives = site.writes[1..=op.order].iter().cloned();
    let [first, second] = [(); 2].map(|()| derivatives.next().unwrap_or(Place::Nowhere));
    let (y, kept) = (site.writes[0].clone(), site.writes[op.order + 1].clone());
    Ok(Lowered::new("wave_packets", move |f| {
        let operands = f.operands([&points, &packets, &head], [&y, &first, &second, &kept]);
        let ([points, packets, head], [y, first, second, kept]) = (operands.reads, operands.writes);
        let to = kernel::Outputs { y, first, second, kept };
        kernel::wave_packets_forward(&shape, points, packets, head, to, operands.scratch);
    })
    .with_scratch(kernel::wave_packets_forward_scratch(&shape)))
}

pub(super) fn backward(op: &WavePacketsGrad, site: &mut Site) -> Result<Lowered, PlanError> {
    let shape = shape(&op.of, site.input(0), site.input(2));
    let has = op.given;
    let mut grads = site.reads[4..].iter().cloned();
    let [y, first, second] =
        has.map(|given| if given { grads.next().expect("inferred") } else { Place::Nowhere });
    let [packets, head, kept] = [1, 2, 3].map(|i| site.reads[i].clone());
    let ([dpackets, dhead], how) = (site.writes(), [site.accumulate[0], site.accumulate[1]]);
    Ok(Lowered::new("wave_packets_backward", move |f| {
        let [add_packets, add_head] = how.map(|how| f.accumulates(how));
        let operands = f.operands([&packets, &head, &kept, &y, &first, &second], [&dpackets, &dhead]);
        let ([packets, head, kept, y, first, second], [dpackets, dhead]) = (operands.reads, operands.writes);
        let given = kernel::OutputGradients {
            y: has[0].then_some(y),
            first: has[1].then_some(first),
            second: has[2].then_some(second),
        };
        let to = kernel::Gradients { packets: dpackets, add_packets, head: dhead, add_head };
        kernel::wave_packets_backward(&shape, packets, head, kept, given, to, operands.scratch);
    })
    .with_scratch(kernel::wave_packets_backward_scratch(&shape)))
}

fn shape(op: &op::WavePackets, points: &Type, head: &Type) -> kernel::WavePackets {
    let form = match op.form {
        op::Form::Faithful { space } => kernel::Form::Faithful { space },
        op::Form::Packet { axes, chirp, moving } => kernel::Form::Packet { axes, chirp, moving },
    };
    let (points, waves, outputs) = (points.rows(), head.last(), head.rows());
    kernel::WavePackets { form, order: op.order, points, waves, outputs }
}
