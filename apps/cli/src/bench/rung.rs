//! The rungs of `bench ladder`: how a training step is run, from plain loops to everything.

use bessemer::kernels::isa::Isa;
use bessemer::plan::{PlanOptions, Precision};
use clap::ValueEnum;

/// A way to run a training step: all that the rungs below it have, and one thing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Rung {
    /// Plain loops, one float and one sample at a time, one thread, nothing joined, scores of
    /// attention in memory
    Scalar,
    /// The processor's vectors, and weights packed for them
    Simd,
    /// Element-wise operations and linear layers joined with their neighbours; no work twice
    Fusion,
    /// Attention that never holds its scores
    Attention,
    /// Micro-batches that fit the cache, in lanes, on all threads
    Lanes,
    /// Memory used again as soon as it is free
    Memory,
    /// Products with weights in bf16
    Bf16,
}

impl Rung {
    /// All, from the bottom.
    pub const ALL: [Rung; 7] =
        [Rung::Scalar, Rung::Simd, Rung::Fusion, Rung::Attention, Rung::Lanes, Rung::Memory, Rung::Bf16];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Rung::Scalar => "scalar",
            Rung::Simd => "simd",
            Rung::Fusion => "fusion",
            Rung::Attention => "attention",
            Rung::Lanes => "lanes",
            Rung::Memory => "memory",
            Rung::Bf16 => "bf16",
        }
    }

    /// What the planner may do.
    pub fn options(self) -> PlanOptions {
        let has = |rung: Rung| self >= rung;
        let one = if has(Rung::Lanes) { None } else { Some(1) };
        PlanOptions {
            training: true,
            simplify: has(Rung::Fusion),
            fold: has(Rung::Fusion),
            fuse: has(Rung::Fusion),
            attention: has(Rung::Attention),
            pack: has(Rung::Simd),
            defer: has(Rung::Lanes),
            reuse: has(Rung::Memory),
            activations: None,
            precision: if has(Rung::Bf16) { Precision::Bf16 } else { Precision::F32 },
            micro_batch: one,
            lanes: one,
        }
    }

    /// Threads, of those that there are.
    pub fn threads(self, threads: usize) -> usize {
        if self >= Rung::Lanes { threads } else { 1 }
    }

    /// Runs `body` with the rung's instruction set, if it works on the calling thread alone.
    pub fn under<R>(self, body: impl FnOnce() -> R) -> R {
        if self == Rung::Scalar { Isa::Scalar.force(body) } else { body() }
    }
}
