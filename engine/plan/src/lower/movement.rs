//! Operations that only move numbers.

use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::pad::{Pad, PadMode};
use bessemer_graph::ops::permute::Permute;
use bessemer_graph::ops::slice::Slice;
use bessemer_graph::ops::unfold::{Fold, Unfold};
use bessemer_graph::shape::around;
use bessemer_kernels::transpose::{self as kernel, copy_strided};

use super::{Lowered, Site};
use crate::error::PlanError;

pub(super) fn broadcast(site: &mut Site) -> Result<Lowered, PlanError> {
    let (from, to) = (site.input(0).shape.clone(), site.output(0).shape.clone());
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("broadcast", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        kernel::broadcast_to(x, &from, &to, y);
    }))
}

pub(super) fn permute(op: &Permute, site: &mut Site) -> Result<Lowered, PlanError> {
    let (shape, axes) = (site.input(0).shape.clone(), op.axes.clone());
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("permute", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        kernel::permute(x, &shape, &axes, y);
    }))
}

pub(super) fn slice(op: &Slice, site: &mut Site) -> Result<Lowered, PlanError> {
    let (outer, axis, inner) = around(&site.input(0).shape, op.axis);
    let (start, len) = (op.start * inner, op.len * inner);
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("slice", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        copy_strided(x, start, &[axis * inner, 1], y, 0, &[len, 1], &[outer, len]);
    }))
}

pub(super) fn pad(op: &Pad, site: &mut Site) -> Result<Lowered, PlanError> {
    let (outer, axis, inner) = around(&site.input(0).shape, op.axis);
    let Pad { before, after, mode, .. } = *op;
    let row = (before + axis + after) * inner;
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("pad", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        copy_strided(x, 0, &[axis * inner, 1], y, before * inner, &[row, 1], &[outer, axis * inner]);
        // What each end is filled from: nothing, or the nearest element over and over.
        for (at, count, edge) in [(0, before, 0), (before + axis, after, axis.saturating_sub(1))] {
            match mode {
                PadMode::Zero => {
                    for row in y.chunks_exact_mut(row) {
                        row[at * inner..(at + count) * inner].fill(0.0);
                    }
                }
                PadMode::Replicate => {
                    let (from, to) = ([axis * inner, 0, 1], [row, inner, 1]);
                    copy_strided(x, edge * inner, &from, y, at * inner, &to, &[outer, count, inner]);
                }
            }
        }
    }))
}

pub(super) fn concat(op: &Concat, site: &mut Site) -> Result<Lowered, PlanError> {
    let (outer, total, inner) = around(&site.output(0).shape, op.axis);
    let mut parts = Vec::new();
    let mut start = 0;
    for (i, place) in site.reads.iter().enumerate() {
        let len = site.input(i).shape[op.axis] * inner;
        parts.push((place.clone(), start, len));
        start += len;
    }
    let [y] = site.writes();
    Ok(Lowered::new("concat", move |f| {
        for (place, start, len) in &parts {
            let operands = f.operands([place], [&y]);
            let ([x], [y]) = (operands.reads, operands.writes);
            copy_strided(x, 0, &[*len, 1], y, *start, &[total * inner, 1], &[outer, *len]);
        }
    }))
}

pub(super) fn unfold(op: &Unfold, site: &mut Site) -> Result<Lowered, PlanError> {
    let (length, rows) = (site.input(0).last(), site.input(0).rows());
    let (size, step) = (op.size, op.step);
    let windows = (length - size) / step + 1;
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("unfold", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        let shape = [rows, windows, size];
        copy_strided(x, 0, &[length, step, 1], y, 0, &[windows * size, size, 1], &shape);
    }))
}

pub(super) fn fold(op: &Fold, site: &mut Site) -> Result<Lowered, PlanError> {
    let shape = &site.input(0).shape;
    let (windows, size) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let (length, step) = (op.length, op.step);
    let ([x], [y]) = (site.reads(), site.writes());
    Ok(Lowered::new("fold", move |f| {
        let operands = f.operands([&x], [&y]);
        let ([x], [y]) = (operands.reads, operands.writes);
        y.fill(0.0);
        for (to, from) in y.chunks_exact_mut(length).zip(x.chunks_exact(windows * size)) {
            for (w, window) in from.chunks_exact(size).enumerate() {
                to[w * step..][..size].iter_mut().zip(window).for_each(|(t, x)| *t += x);
            }
        }
    }))
}
