//! How a loop over a slice treats its vectors: all whole but perhaps the last.

use super::Simd;

/// How much of a vector a step of a loop covers.
pub(crate) trait Part: Copy {
    /// Loads it, with zeros beyond.
    ///
    /// # Safety
    /// `p` must be readable for this many floats.
    unsafe fn load<S: Simd>(self, s: S, p: *const f32) -> S::V;
    /// Stores it.
    ///
    /// # Safety
    /// `p` must be writable for this many floats.
    unsafe fn store<S: Simd>(self, s: S, p: *mut f32, v: S::V);
    /// `v`, with `fill` in the lanes beyond.
    fn keep<S: Simd>(self, s: S, v: S::V, fill: f32) -> S::V;
}

/// All lanes.
#[derive(Clone, Copy)]
pub(crate) struct Whole;

/// The first few lanes: at least one, and not all.
#[derive(Clone, Copy)]
pub(crate) struct First(pub usize);

impl Part for Whole {
    #[inline(always)]
    unsafe fn load<S: Simd>(self, s: S, p: *const f32) -> S::V {
        // SAFETY: the caller's promise is this one.
        unsafe { s.load(p) }
    }
    #[inline(always)]
    unsafe fn store<S: Simd>(self, s: S, p: *mut f32, v: S::V) {
        // SAFETY: the caller's promise is this one.
        unsafe { s.store(p, v) }
    }
    #[inline(always)]
    fn keep<S: Simd>(self, _: S, v: S::V, _: f32) -> S::V {
        v
    }
}

impl Part for First {
    #[inline(always)]
    unsafe fn load<S: Simd>(self, s: S, p: *const f32) -> S::V {
        // SAFETY: the caller's promise is this one.
        unsafe { s.load_first(p, self.0) }
    }
    #[inline(always)]
    unsafe fn store<S: Simd>(self, s: S, p: *mut f32, v: S::V) {
        // SAFETY: the caller's promise is this one.
        unsafe { s.store_first(p, self.0, v) }
    }
    #[inline(always)]
    fn keep<S: Simd>(self, s: S, v: S::V, fill: f32) -> S::V {
        let inside = s.lt(s.to_float(s.iota()), s.splat(self.0 as f32));
        s.select(inside, v, s.splat(fill))
    }
}

/// Floats in a vector of `s`.
#[inline(always)]
pub(crate) fn lanes<S: Simd>(_: S) -> usize {
    S::LANES
}

/// Runs the body for each vector of `0 .. len`: `each_vector!(s, len, |i, part| body)`, where `i` is
/// the offset and `part` a [`Part`]. A macro and not a function, as a closure that the compiler
/// decides not to inline would be compiled for the wrong instruction set.
macro_rules! each_vector {
    ($s:expr, $len:expr, |$i:ident, $part:ident| $body:expr) => {{
        let len: usize = $len;
        let lanes = $crate::simd::lanes($s);
        let end = len - len % lanes;
        let mut $i = 0;
        while $i < end {
            let $part = $crate::simd::Whole;
            $body;
            $i += lanes;
        }
        if $i < len {
            let $part = $crate::simd::First(len - $i);
            $body;
        }
    }};
}
pub(crate) use each_vector;
