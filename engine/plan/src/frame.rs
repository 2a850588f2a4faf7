//! What a kernel call sees while it runs: where its operands lie.

use std::ops::Range;

use bessemer_kernels::arena::Arena;
use bessemer_kernels::pool::Pool;

use crate::finite::NotFinite;
use crate::folds::tensor;

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the arena, which holds one segment of one micro-batch at a time.
    Arena(Range<usize>),
    /// In the arena of the micro-batch, which lasts from segment to segment.
    Kept(Range<usize>),
    /// Among the parameters, or behind them what was derived from them.
    Parameter(Range<usize>),
    /// Among the packed weights.
    Packed(Range<usize>),
    /// Among the constants.
    Constant(Range<usize>),
    /// The micro-batch's part of an input.
    Input(usize),
    /// The factor on the loss.
    LossScale,
    /// In the lane's gradient accumulator.
    Gradient(Range<usize>),
    /// Among the operands that the lane keeps for its end.
    Stash(Range<usize>),
    /// In the arena of a loop, which holds one step of it at a time.
    Loop(Range<usize>),
    /// In a loop, the part of one step of what holds all steps, one after the other.
    Step {
        /// All steps.
        all: Box<Place>,
        /// Floats of a step.
        len: usize,
        /// Which step, counted from the one that runs.
        shift: isize,
    },
    /// Nowhere: nobody reads it.
    Nowhere,
}

/// The memories that a call can write.
const MEMORIES: usize = 5;

impl Place {
    /// Which memory of a [`Frame`] holds the place, if a call can write there, and where in it.
    pub(crate) fn in_memory(&self, time: usize) -> Option<(usize, Range<usize>)> {
        match self {
            Place::Arena(range) => Some((0, range.clone())),
            Place::Kept(range) => Some((1, range.clone())),
            Place::Gradient(range) => Some((2, range.clone())),
            Place::Stash(range) => Some((3, range.clone())),
            Place::Loop(range) => Some((4, range.clone())),
            Place::Step { all, len, shift } => all.in_memory(time).map(|(memory, range)| {
                let part = step_part(time, *shift, *len);
                (memory, range.start + part.start..range.start + part.end)
            }),
            _ => None,
        }
    }
}

/// The floats of a step among those of all steps.
fn step_part(time: usize, shift: isize, len: usize) -> Range<usize> {
    let start = time.wrapping_add_signed(shift) * len;
    start..start + len
}

/// How a call writes one of its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// It replaces what was there.
    Never,
    /// It adds, but for the lane's first micro-batch of a step.
    AfterFirst,
    /// It always adds.
    Always,
}

/// Random numbers' coordinates within a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Randomness {
    /// The run's seed.
    pub seed: u64,
    /// The step.
    pub step: u64,
    /// Index of the micro-batch's first sample in the batch.
    pub first_sample: u64,
}

/// The memory of one micro-batch being run.
pub struct Frame<'a> {
    /// The arena, the micro-batch's own, the lane's gradient accumulator, the operands of products that
    /// are put off to the lane's end, and the arena of loops.
    pub(crate) memories: [&'a mut Arena; MEMORIES],
    pub(crate) scratch: &'a mut [f32],
    pub(crate) parameters: &'a [f32],
    pub(crate) derived: &'a [f32],
    pub(crate) packed: &'a [f32],
    pub(crate) constants: &'a [f32],
    pub(crate) inputs: &'a [&'a [f32]],
    pub(crate) input_ranges: &'a [Range<usize>],
    pub(crate) loss_scale: &'a [f32; 1],
    pub(crate) first: bool,
    /// This is the lane's last micro-batch.
    pub(crate) last: bool,
    /// Rows that each stash holds.
    pub(crate) stashed: &'a mut [usize],
    pub(crate) randomness: Randomness,
    /// The step of the loop that runs.
    pub(crate) time: usize,
    /// Threads that have nothing else to do, if this is the only lane.
    pub(crate) pool: Option<&'a Pool>,
    /// Whether calls are timed.
    pub(crate) timed: bool,
    /// Set by a call that met an index outside its table.
    pub(crate) fault: Option<String>,
    /// Whether what calls write is looked through.
    pub(crate) checked: bool,
    /// The first call that wrote something that is no number.
    pub(crate) culprit: Option<NotFinite>,
}

/// The operands of a call: what it reads, what it writes, and working space.
pub struct Operands<'a, const R: usize, const W: usize> {
    /// The values read.
    pub reads: [&'a [f32]; R],
    /// The values written.
    pub writes: [&'a mut [f32]; W],
    /// Working space.
    pub scratch: &'a mut [f32],
}

impl Frame<'_> {
    /// Whether an output written in this way adds to what is there.
    pub fn accumulates(&self, how: Accumulate) -> bool {
        match how {
            Accumulate::Never => false,
            Accumulate::AfterFirst => !self.first,
            Accumulate::Always => true,
        }
    }

    /// The operands at the given places.
    pub fn operands<const R: usize, const W: usize>(
        &mut self,
        reads: [&Place; R],
        writes: [&Place; W],
    ) -> Operands<'_, R, W> {
        let time = self.time;
        let mut resolved = [&[] as &[f32]; R];
        let mut written = [(); W].map(|()| &mut [] as &mut [f32]);
        // Found once, as calls in loops are many and short.
        let from = reads.map(|place| place.in_memory(time));
        let to = writes.map(|place| place.in_memory(time));
        for (memory, arena) in self.memories.iter_mut().enumerate() {
            let is_here = |found: &Option<(usize, Range<usize>)>| matches!(found, Some((m, range)) if *m == memory && !range.is_empty());
            if !from.iter().chain(&to).any(is_here) {
                continue;
            }
            let here = |found: &Option<(usize, Range<usize>)>| match found {
                Some((_, range)) if is_here(found) => range.clone(),
                _ => 0..0,
            };
            let (parts, mut targets) = arena.parts(from.each_ref().map(here), to.each_ref().map(here));
            for ((slot, part), found) in resolved.iter_mut().zip(parts).zip(&from) {
                if is_here(found) {
                    *slot = part;
                }
            }
            for ((slot, target), found) in written.iter_mut().zip(&mut targets).zip(&to) {
                if is_here(found) {
                    *slot = std::mem::take(target);
                }
            }
        }
        let shared = Shared {
            parameters: self.parameters,
            derived: self.derived,
            packed: self.packed,
            constants: self.constants,
            inputs: self.inputs,
            input_ranges: self.input_ranges,
            loss_scale: self.loss_scale,
        };
        for ((slot, place), found) in resolved.iter_mut().zip(reads).zip(&from) {
            if found.is_none() {
                *slot = shared.get(place, time);
            }
        }
        Operands { reads: resolved, writes: written, scratch: self.scratch }
    }

    /// One value, to read.
    pub fn read(&self, place: &Place) -> &[f32] {
        match place.in_memory(self.time) {
            Some((memory, range)) => &self.memories[memory].as_slice()[range],
            None => Shared {
                parameters: self.parameters,
                derived: self.derived,
                packed: self.packed,
                constants: self.constants,
                inputs: self.inputs,
                input_ranges: self.input_ranges,
                loss_scale: self.loss_scale,
            }
            .get(place, self.time),
        }
    }
}

/// What all lanes read.
struct Shared<'a> {
    parameters: &'a [f32],
    derived: &'a [f32],
    packed: &'a [f32],
    constants: &'a [f32],
    inputs: &'a [&'a [f32]],
    input_ranges: &'a [Range<usize>],
    loss_scale: &'a [f32; 1],
}

impl<'a> Shared<'a> {
    fn get(&self, place: &Place, time: usize) -> &'a [f32] {
        match place {
            Place::Parameter(r) => tensor(self.parameters, self.derived, r),
            Place::Packed(r) => &self.packed[r.clone()],
            Place::Constant(r) => &self.constants[r.clone()],
            Place::Input(i) => &self.inputs[*i][self.input_ranges[*i].clone()],
            Place::LossScale => self.loss_scale,
            Place::Step { all, len, shift } => &self.get(all, time)[step_part(time, *shift, *len)],
            _ => &[],
        }
    }
}

/// A kernel call with its operands' places fixed.
pub type Call = Box<dyn Fn(&mut Frame) + Send + Sync>;
