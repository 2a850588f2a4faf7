//! Loops over time.
//!
//! The body is laid out twice: for the first step, which reads the initial states, and for all others.
//! Its slices, and the states that it hands on, are the parts of one step of values of the outer graph,
//! so nothing is copied but what a step hands through as it is; what lives within a step shares a small
//! arena.

use std::sync::Arc;

use bessemer_graph::ops::scan::Scan;

use super::{Lowered, Site};
use crate::error::PlanError;
use crate::frame::{Frame, Place};
use crate::plan::{Plan, Step, Surroundings};
use crate::step::rewritten;

pub(super) fn lower(op: &Scan, site: &mut Site) -> Result<Lowered, PlanError> {
    let (states, reverse) = (op.states(), op.reverse());
    let steps = site.input(states).shape[0];
    let mut body = op.body().clone();
    let inputs = body.inputs().len();
    // What only a gradient would read is not even computed.
    let wanted = |i: usize| i < states || site.writes[i] != Place::Nowhere;
    let outputs: Vec<usize> = (0..body.outputs().len()).filter(|i| wanted(*i)).collect();
    body.keep_outputs(wanted);
    let body = rewritten(body, site.options)?;
    let step_of =
        |all: &Place, len: usize, shift: isize| Place::Step { all: Box::new(all.clone()), len, shift };
    let writes: Vec<Place> =
        outputs.iter().map(|&i| step_of(&site.writes[i], site.output(i).len() / steps, 0)).collect();
    let slices: Vec<Place> =
        (states..inputs).map(|i| step_of(&site.reads[i], site.input(i).len() / steps, 0)).collect();
    // As parts of steps too, so that no state is taken for a weight.
    let first = if reverse { 1 - steps as isize } else { 0 };
    let initial: Vec<Place> =
        (0..states).map(|i| step_of(&site.reads[i], site.input(i).len(), first)).collect();
    let before: Vec<Place> = (0..states)
        .map(|i| step_of(&site.writes[i], site.output(i).len() / steps, if reverse { 1 } else { -1 }))
        .collect();
    let weights = site.reads[inputs..].to_vec();

    let mut plans = Vec::new();
    for states_from in [&initial, &before] {
        let inputs: Vec<Place> = states_from.iter().chain(&slices).cloned().collect();
        let around =
            Surroundings { parameters: &weights, inputs: &inputs, outputs: &writes, memory: Place::Loop };
        plans.push(Plan::within(
            &around,
            &body,
            &[],
            site.constants,
            site.packs,
            site.stashes,
            site.options,
            site.micro_batches * steps,
        )?);
    }
    let most = |len: fn(&Plan) -> usize| plans.iter().map(len).max().unwrap_or(0);
    let (loop_len, scratch) = (most(|p| p.arena_len), most(|p| p.scratch_len));
    let [first, rest] = [0, 1].map(|_| Arc::<[Step]>::from(plans.remove(0).steps));
    let inner = rest.clone();
    let call = move |f: &mut Frame| {
        for i in 0..steps {
            f.time = if reverse { steps - 1 - i } else { i };
            let calls = if i == 0 { &first } else { &rest };
            calls.iter().for_each(|step| step.run(f));
        }
    };
    Ok(Lowered { loop_len, inner, ..Lowered::new("scan", call).with_scratch(scratch) })
}
