//! What a lane does with its micro-batches.

use std::sync::MutexGuard;

use bessemer_kernels::arena::Arena;
use bessemer_kernels::pool::Pool;

use super::{Batch, Executable, MAX_INPUTS};
use crate::finite::NotFinite;
use crate::frame::{Frame, Randomness};
use crate::parameters::Parameters;
use crate::profile::Noted;

/// One lane's memory.
pub(super) struct Lane {
    pub gradients: Arena,
    pub stash: Arena,
    pub stashed: Vec<usize>,
    pub scratch: Vec<f32>,
    pub losses: Vec<f32>,
    pub outputs: Vec<Vec<f32>>,
    /// Calls noted down, if they are.
    pub noted: Vec<Noted>,
    pub fault: Option<String>,
    pub culprit: Option<NotFinite>,
}

/// One thread's memory, whichever lane it runs.
pub(super) struct Arenas {
    /// One segment of one micro-batch.
    pub values: Arena,
    /// One step of a loop.
    pub loops: Arena,
}

impl Arenas {
    /// Of so many floats each.
    pub fn new((values, loops): (usize, usize)) -> Arenas {
        Arenas { values: Arena::new(values), loops: Arena::new(loops) }
    }
}

impl Executable {
    /// Runs a segment of every micro-batch of a lane.
    pub(super) fn run_lane(
        &self,
        pool: Option<&Pool>,
        lane: usize,
        segment: usize,
        parameters: &Parameters,
        batch: &Batch,
    ) {
        let mut memory = self.lanes[lane].lock().expect("no run panicked");
        let memory = &mut *memory;
        let range = self.batching.lane(lane);
        let (thread, mut arenas) = self.free_arenas();
        let arenas = &mut *arenas;
        let mut nothing = Arena::new(0);
        let mut input_ranges = [const { 0..0 }; MAX_INPUTS];
        for (position, micro) in range.clone().enumerate() {
            let samples = micro * self.batching.micro_batch;
            let is_tail = samples + self.batching.micro_batch > self.batching.batch;
            let plan =
                if is_tail { self.tail.as_ref().expect("compiled with the batching") } else { &self.plan };
            for (to, len) in input_ranges.iter_mut().zip(&self.plan.input_lens) {
                let each = len / self.batching.micro_batch;
                let end = (samples + self.batching.micro_batch).min(self.batching.batch);
                *to = samples * each..end * each;
            }
            let mut kept = self.kept.get(micro).map(|kept| kept.lock().expect("no run panicked"));
            let kept = kept.as_deref_mut().unwrap_or(&mut nothing);
            let mut frame = Frame {
                memories: [
                    &mut arenas.values,
                    kept,
                    &mut memory.gradients,
                    &mut memory.stash,
                    &mut arenas.loops,
                ],
                scratch: &mut memory.scratch,
                parameters: parameters.as_slice(),
                derived: self.folds.derived(),
                packed: self.packed.as_slice(),
                constants: &plan.constants,
                inputs: batch.inputs,
                input_ranges: &input_ranges,
                loss_scale: &[batch.loss_scale],
                first: position == 0,
                last: position + 1 == range.len(),
                stashed: &mut memory.stashed,
                randomness: Randomness { seed: batch.seed, step: batch.step, first_sample: samples as u64 },
                time: 0,
                timed: self.timed,
                pool,
                fault: None,
                checked: self.checked,
                culprit: None,
            };
            match self.traced {
                true => plan.run_noted(segment, &mut frame, (thread, is_tail), &mut memory.noted),
                false => plan.run(segment, &mut frame),
            }
            if let Some(culprit) = frame.culprit.take() {
                memory.culprit.get_or_insert(culprit);
            }
            if let Some(fault) = frame.fault.take() {
                memory.fault.get_or_insert(fault);
            }
            if segment + 1 == self.plan.segments.len() {
                memory.losses[position] = plan.loss.as_ref().map_or(0.0, |place| frame.read(place)[0]);
                for (out, ((_, place), (_, full))) in
                    memory.outputs.iter_mut().zip(plan.outputs.iter().zip(&self.outputs))
                {
                    let stride = full.len() / self.batching.batch * self.batching.micro_batch;
                    let value = frame.read(place);
                    out[position * stride..][..value.len()].copy_from_slice(value);
                }
            }
        }
    }

    /// Arenas that no other lane is using, and their number. There are some for every thread.
    fn free_arenas(&self) -> (usize, MutexGuard<'_, Arenas>) {
        loop {
            let free =
                self.arenas.iter().enumerate().find_map(|(i, arenas)| Some((i, arenas.try_lock().ok()?)));
            if let Some(free) = free {
                return free;
            }
            std::hint::spin_loop();
        }
    }
}
