//! What a product does with two 32-bit lanes: multiply two floats, or two pairs of bf16 numbers.

use crate::simd::{Simd, widened_dot};

/// How a tile multiplies what it reads.
pub(crate) trait Multiply: Copy {
    /// c + a·b in every lane.
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V;
}

/// Floats.
#[derive(Clone, Copy)]
pub(crate) struct Floats;

impl Multiply for Floats {
    #[inline(always)]
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V {
        s.mul_add(a, b, c)
    }
}

/// Pairs of bf16 numbers, each widened to a float.
#[derive(Clone, Copy)]
pub(crate) struct WidenedPairs;

impl Multiply for WidenedPairs {
    #[inline(always)]
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V {
        widened_dot(s, a, b, c)
    }
}

/// Pairs of bf16 numbers by the processor's instruction for them.
#[derive(Clone, Copy)]
pub(crate) struct NativePairs(());

impl NativePairs {
    /// # Safety
    /// To be used within [`crate::simd::dispatch_pairs`] only.
    pub unsafe fn new() -> NativePairs {
        NativePairs(())
    }
}

impl Multiply for NativePairs {
    #[inline(always)]
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V {
        // SAFETY: whoever made this value promised the instruction.
        unsafe { s.dot_pairs(a, b, c) }
    }
}
