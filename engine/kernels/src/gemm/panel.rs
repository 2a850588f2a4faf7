//! B cut into panels of columns, each as wide as a tile, padded to whole vectors.
//!
//! Panel after panel, and inside a panel row after row: what the micro-kernel reads in order.

use std::ops::Range;

use super::share::Share;
use super::square::{SIDE, transpose};
use super::tile::widest;
use crate::simd::{Kernel, Simd};

/// The panels of `n` columns: (first vector, vectors), as even as can be; those of one share.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    vectors: usize,
    count: usize,
    next: usize,
    end: usize,
}

impl Panels {
    #[inline(always)]
    pub fn new<S: Simd>(_: S, n: usize, share: Share) -> Self {
        let vectors = n.div_ceil(S::LANES);
        let count = vectors.div_ceil(widest::<S>());
        let Range { start, end } = share.range(count);
        Panels { vectors, count, next: start, end }
    }
}

impl Iterator for Panels {
    type Item = (usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, usize)> {
        if self.next == self.end {
            return None;
        }
        let start = self.vectors * self.next / self.count;
        self.next += 1;
        Some((start, self.vectors * self.next / self.count - start))
    }
}

/// Copies `k` rows of `columns` columns into a panel of `width`: at least one column, and as many
/// whole vectors as that takes. What stands in the padding is of no account.
///
/// # Safety
/// The source must be readable there, and `out` writable for `k * width`.
#[inline(always)]
pub(crate) unsafe fn pack_panel<S: Simd>(
    s: S,
    k: usize,
    columns: usize,
    b: *const f32,
    (row, col): (usize, usize),
    out: *mut f32,
    width: usize,
) {
    // SAFETY: the caller's promise, for row p and column j below.
    unsafe {
        if col == 1 {
            for p in 0..k {
                let (from, to) = (b.add(p * row), out.add(p * width));
                let mut j = 0;
                while j + S::LANES <= columns {
                    s.store(to.add(j), s.load(from.add(j)));
                    j += S::LANES;
                }
                if j < columns {
                    s.store(to.add(j), s.load_first(from.add(j), columns - j));
                }
            }
        } else if row == 1 {
            let mut j = 0;
            while j < width {
                let mut p = 0;
                while p + S::LANES <= k {
                    let mut square = [s.splat(0.0); SIDE];
                    // A constant count keeps the square in registers, so the last column stands in
                    // for those beyond: nobody looks at what padding gives.
                    for (c, v) in square.iter_mut().enumerate().take(S::LANES) {
                        *v = s.load(b.add((j + c).min(columns - 1) * col + p));
                    }
                    transpose(s, &mut square);
                    for (c, v) in square.into_iter().enumerate().take(S::LANES) {
                        s.store(out.add((p + c) * width + j), v);
                    }
                    p += S::LANES;
                }
                pack_strided(
                    k - p,
                    S::LANES.min(columns.saturating_sub(j)),
                    S::LANES,
                    b.add(j * col + p),
                    (1, col),
                    out.add(p * width + j),
                    width,
                );
                j += S::LANES;
            }
        } else {
            pack_strided(k, columns, width, b, (row, col), out, width);
        }
    }
}

/// Copies element by element `k` rows of `columns` columns, padded to `padded`.
///
/// # Safety
/// As [`pack_panel`].
#[inline(always)]
unsafe fn pack_strided(
    k: usize,
    columns: usize,
    padded: usize,
    b: *const f32,
    (row, col): (usize, usize),
    out: *mut f32,
    width: usize,
) {
    for p in 0..k {
        for j in 0..padded {
            // SAFETY: the caller's promise.
            unsafe { *out.add(p * width + j) = if j < columns { *b.add(p * row + j * col) } else { 0.0 } };
        }
    }
}

/// Packs all of B.
pub(super) struct Pack {
    pub k: usize,
    pub n: usize,
    pub b: *const f32,
    pub strides: (usize, usize),
    pub out: *mut f32,
}

impl Kernel for Pack {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (start, vectors) in Panels::new(s, self.n, Share::ALL) {
            let (column, width) = (start * S::LANES, vectors * S::LANES);
            let columns = width.min(self.n - column);
            let from = self.b.wrapping_add(column * self.strides.1);
            let to = self.out.wrapping_add(column * self.k);
            // SAFETY: `pack_b` has checked both lengths.
            unsafe { pack_panel(s, self.k, columns, from, self.strides, to, width) };
        }
    }
}

/// Floats that B takes when packed.
pub(super) struct PackedLen {
    pub k: usize,
    pub n: usize,
}

impl Kernel for PackedLen {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        self.k * self.n.next_multiple_of(S::LANES)
    }
}
