//! What a product does with two 32-bit lanes: multiply two floats, two pairs of bf16 numbers, or two
//! quadruples of 8-bit integers.

use crate::simd::{Kernel, Simd, widened_dot};

/// How a tile multiplies what it reads.
pub(crate) trait Multiply: Copy {
    /// c + a·b in every lane.
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V;

    /// Runs a kernel with the instructions it needs, as a function of its own.
    #[inline(always)]
    fn call<S: Simd, K: Kernel>(self, s: S, kernel: K) -> K::Output {
        s.call(kernel)
    }

    /// Whether sums are no floats before [`Multiply::result`], so that the inner dimension must not be
    /// cut into parts.
    const WHOLE: bool = false;

    /// The float that a sum stands for, in a row of the product and a vector of columns from `column`.
    #[inline(always)]
    fn result<S: Simd>(self, _: S, sum: S::V, _row: usize, _column: usize) -> S::V {
        sum
    }
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

/// Pairs of f16 numbers, each widened to a float.
#[derive(Clone, Copy)]
pub(crate) struct WidenedHalves;

impl Multiply for WidenedHalves {
    #[inline(always)]
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V {
        let ([a0, a1], [b0, b1]) = (s.widen_halves(a), s.widen_halves(b));
        s.mul_add(a1, b1, s.mul_add(a0, b0, c))
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

    #[inline(always)]
    fn call<S: Simd, K: Kernel>(self, s: S, kernel: K) -> K::Output {
        // SAFETY: as above.
        unsafe { s.call_pairs(kernel) }
    }
}

/// What takes integer sums back to floats.
#[derive(Clone, Copy)]
pub(crate) struct Scales {
    /// One a row.
    pub rows: *const f32,
    /// One a column.
    pub columns: *const f32,
    /// What each column's sum is too large by, as the bits of whole numbers.
    pub sums: *const f32,
}

/// Quadruples of integers: unsigned bytes of a row, signed ones of a column. Sums are the bits of whole
/// numbers.
#[derive(Clone, Copy)]
pub(crate) struct Quads<const NATIVE: bool>(Scales);

/// By shifts and multiplications.
pub(crate) type WidenedQuads = Quads<false>;
/// By the processor's instruction for them.
pub(crate) type NativeQuads = Quads<true>;

impl WidenedQuads {
    /// # Safety
    /// Scales must be readable for every row, and every column with the padding of whole vectors.
    pub unsafe fn new(scales: Scales) -> WidenedQuads {
        Quads(scales)
    }
}

impl NativeQuads {
    /// For sums alone.
    ///
    /// # Safety
    /// [`Multiply::result`] must not be asked for; and as [`NativeQuads::native`].
    pub unsafe fn unscaled() -> NativeQuads {
        let nowhere = std::ptr::null();
        Quads(Scales { rows: nowhere, columns: nowhere, sums: nowhere })
    }

    /// # Safety
    /// To be used within [`crate::simd::dispatch_quads`] only.
    pub unsafe fn native(other: WidenedQuads) -> NativeQuads {
        Quads(other.0)
    }
}

impl<const NATIVE: bool> Multiply for Quads<NATIVE> {
    const WHOLE: bool = true;

    #[inline(always)]
    fn multiply_add<S: Simd>(self, s: S, a: S::V, b: S::V, c: S::V) -> S::V {
        let (a, b, c) = (s.bits(a), s.bits(b), s.bits(c));
        // SAFETY: whoever made a native one promised the instruction.
        s.as_float(if NATIVE { unsafe { s.dot_quads(a, b, c) } } else { s.widened_dot_quads(a, b, c) })
    }

    #[inline(always)]
    fn call<S: Simd, K: Kernel>(self, s: S, kernel: K) -> K::Output {
        // SAFETY: as above.
        if NATIVE { unsafe { s.call_quads(kernel) } } else { s.call(kernel) }
    }

    #[inline(always)]
    fn result<S: Simd>(self, s: S, sum: S::V, row: usize, column: usize) -> S::V {
        // SAFETY: the promise of `new`.
        unsafe {
            let excess = s.bits(s.load(self.0.sums.add(column)));
            let sum = s.to_float(s.sub_i(s.bits(sum), excess));
            let scale = s.mul(s.splat(*self.0.rows.add(row)), s.load(self.0.columns.add(column)));
            s.mul(sum, scale)
        }
    }
}
