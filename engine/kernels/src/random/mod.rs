//! Random numbers as a pure function of (seed, step, site, position), so that results do not depend
//! on threads, on the order of work, or on the instruction set.
//!
//! The generator is Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! 2011): it needs no state, passes BigCrush, and is made of 32-bit multiplications that vectors
//! have, where 64-bit counter generators (Squares) are slow before AVX-512. The seed is its key; its
//! counter holds the step, the site (which random operation of the model it is) and the position.
//!
//! A block of the generator gives 4 words. Positions are dealt out in groups of 64, 16 blocks each:
//! position p is word (p / 16) % 4 of block 16 (p / 64) + p % 16, so a vector of neighbouring
//! positions is one word of neighbouring blocks, and needs no shuffle. Dropout takes half a word for
//! each element: its groups are of 128 positions, the lower halves first.

mod draw;
mod philox;

pub(crate) use draw::{Mask, fill};
use draw::{Normal, Uniform};

use crate::simd::{Kernel, Portable, Simd, dispatch};

/// One stream of random numbers. The position within it is given at each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    /// The run's seed.
    pub seed: u64,
    /// The training step (or any other counter that changes between uses).
    pub step: u64,
    /// Which random operation of the model this is.
    pub site: u32,
}

/// The uniform number in 0 .. 1 (a multiple of 2^-24) at a position.
pub fn uniform_at(stream: Stream, position: u64) -> f32 {
    (philox::word_at(stream, position) >> 8) as f32 / 16_777_216.0
}

/// The factor by which dropout multiplies the element at a position: 1 / keep with probability `keep`
/// (rounded to a multiple of 2^-16, and at least that), and 0 otherwise. See
/// [`DropoutMask`](crate::elementwise::Instruction::DropoutMask).
///
/// # Panics
/// If `keep` is not above 0 and at most 1.
pub fn dropout_factor_at(stream: Stream, position: u64, keep: f32) -> f32 {
    let word = philox::word_at(stream, position / 128 * 64 + position % 64);
    Mask::new(keep).of(if (position / 64).is_multiple_of(2) { word & 0xffff } else { word >> 16 })
}

/// The standard normal number at a position.
pub fn normal_at(stream: Stream, position: u64) -> f32 {
    let mut out = [0.0];
    // SAFETY: `out` has one float.
    unsafe { fill(Portable::<8>, stream, position, out.as_mut_ptr(), 1, Normal) };
    out[0]
}

/// Uniform numbers in 0 .. 1 for the positions `position0 ..`; equal to [`uniform_at`] each.
pub fn fill_uniform(stream: Stream, position0: u64, out: &mut [f32]) {
    dispatch(Fill { stream, position0, out, draw: Uniform });
}

/// Standard normal numbers for the positions `position0 ..`, by the Box-Muller transform of 24- and
/// 32-bit uniforms (so at most 5.8 in size); equal to [`normal_at`] each, bit for bit.
pub fn fill_normal(stream: Stream, position0: u64, out: &mut [f32]) {
    dispatch(Fill { stream, position0, out, draw: Normal });
}

struct Fill<'a, D> {
    stream: Stream,
    position0: u64,
    out: &'a mut [f32],
    draw: D,
}

impl<D: draw::Draw> Kernel for Fill<'_, D> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: the slice is writable for its length.
        unsafe {
            fill(s, self.stream, self.position0, self.out.as_mut_ptr(), self.out.len(), self.draw);
        }
    }
}

#[cfg(test)]
mod tests;
