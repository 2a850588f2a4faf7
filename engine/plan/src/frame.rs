//! What a kernel call sees while it runs: where its operands lie.

use std::ops::Range;

use bessemer_kernels::arena::Arena;

/// Where a value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the lane's arena.
    Arena(Range<usize>),
    /// Among the parameters.
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
    /// Nowhere: nobody reads it.
    Nowhere,
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
    pub(crate) arena: &'a mut Arena,
    pub(crate) gradients: &'a mut Arena,
    pub(crate) scratch: &'a mut [f32],
    pub(crate) parameters: &'a [f32],
    pub(crate) packed: &'a [f32],
    pub(crate) constants: &'a [f32],
    pub(crate) inputs: &'a [&'a [f32]],
    pub(crate) input_ranges: &'a [Range<usize>],
    pub(crate) loss_scale: &'a [f32; 1],
    pub(crate) first: bool,
    /// This is the lane's last micro-batch.
    pub(crate) last: bool,
    /// Operands of products that are put off to the lane's end.
    pub(crate) stash: &'a mut Arena,
    /// Rows that each stash holds.
    pub(crate) stashed: &'a mut [usize],
    pub(crate) randomness: Randomness,
    /// Set by a call that met an index outside its table.
    pub(crate) fault: Option<String>,
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
        let in_arena = |p: &Place| if let Place::Arena(r) = p { r.clone() } else { 0..0 };
        let in_gradients = |p: &Place| if let Place::Gradient(r) = p { r.clone() } else { 0..0 };
        let (arena_reads, arena_writes) = self.arena.parts(reads.map(in_arena), writes.map(in_arena));
        let in_stash = |p: &Place| if let Place::Stash(r) = p { r.clone() } else { 0..0 };
        let (stash_reads, mut stash_writes) = self.stash.parts(reads.map(in_stash), writes.map(in_stash));
        let (_, mut gradient_writes) = self.gradients.parts([], writes.map(in_gradients));
        let shared = Shared {
            parameters: self.parameters,
            packed: self.packed,
            constants: self.constants,
            inputs: self.inputs,
            input_ranges: self.input_ranges,
            loss_scale: self.loss_scale,
        };
        let mut resolved = arena_reads;
        for ((slot, stashed), place) in resolved.iter_mut().zip(stash_reads).zip(reads) {
            match place {
                Place::Arena(_) => {}
                Place::Stash(_) => *slot = stashed,
                _ => *slot = shared.get(place),
            }
        }
        let mut written = arena_writes;
        let others = gradient_writes.iter_mut().zip(&mut stash_writes);
        for ((slot, (gradient, stash)), place) in written.iter_mut().zip(others).zip(writes) {
            match place {
                Place::Gradient(_) => *slot = std::mem::take(gradient),
                Place::Stash(_) => *slot = std::mem::take(stash),
                _ => {}
            }
        }
        Operands { reads: resolved, writes: written, scratch: self.scratch }
    }

    /// One value, to read.
    pub fn read(&self, place: &Place) -> &[f32] {
        match place {
            Place::Arena(r) => &self.arena.as_slice()[r.clone()],
            Place::Stash(r) => &self.stash.as_slice()[r.clone()],
            _ => Shared {
                parameters: self.parameters,
                packed: self.packed,
                constants: self.constants,
                inputs: self.inputs,
                input_ranges: self.input_ranges,
                loss_scale: self.loss_scale,
            }
            .get(place),
        }
    }
}

/// What all lanes read.
struct Shared<'a> {
    parameters: &'a [f32],
    packed: &'a [f32],
    constants: &'a [f32],
    inputs: &'a [&'a [f32]],
    input_ranges: &'a [Range<usize>],
    loss_scale: &'a [f32; 1],
}

impl<'a> Shared<'a> {
    fn get(&self, place: &Place) -> &'a [f32] {
        match place {
            Place::Parameter(r) => &self.parameters[r.clone()],
            Place::Packed(r) => &self.packed[r.clone()],
            Place::Constant(r) => &self.constants[r.clone()],
            Place::Input(i) => &self.inputs[*i][self.input_ranges[*i].clone()],
            Place::LossScale => self.loss_scale,
            Place::Arena(_) | Place::Gradient(_) | Place::Stash(_) | Place::Nowhere => &[],
        }
    }
}

/// A kernel call with its operands' places fixed.
pub type Call = Box<dyn Fn(&mut Frame) + Send + Sync>;
