//! The loops around the micro-kernel: panels of B's columns, blocks of the inner dimension, tiles
//! of rows. Every product of this module is one of these.

use std::mem::MaybeUninit;

use super::epilogue::Finish;
use super::multiply::Multiply;
use super::panel::{Panels, pack_panel};
use super::share::Share;
use super::tile::{accumulate, tallest, widest};
use super::{Epilogue, Strides, check};
use crate::simd::{Kernel, Simd};

/// The part of the inner dimension multiplied at a time, so that it stays in the nearest caches.
pub(super) const K_BLOCK: usize = 512;

/// Floats of the largest tile of any instruction set.
const TILE: usize = 512;

/// A matrix in memory: element (i, j) of batch b is at `ptr + b * batch + i * row + j * col`.
#[derive(Clone, Copy)]
pub(crate) struct Strided {
    pub ptr: *const f32,
    pub batch: usize,
    pub row: usize,
    pub col: usize,
}

/// How B is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As panels, from `pack_b`.
    Packed,
    /// As rows of contiguous columns, read in place where whole vectors lie.
    Rows,
    /// Any strides; panels are packed into scratch.
    Strided,
}

/// `batch` products C[m, n] = A[m, k]·B[k, n], finished by the epilogue.
#[derive(Clone, Copy)]
pub(crate) struct Product<M> {
    pub multiply: M,
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Strided,
    pub b: Strided,
    pub layout: Layout,
    pub finish: Finish,
    pub c_batch: usize,
    /// Room for one block of a panel (see [`block_len`]); may be dangling if packed.
    pub scratch: *mut f32,
    /// The columns to make.
    pub share: Share,
}

impl<M> Product<M> {
    /// One product whose B is packed, in `packed_len` floats.
    ///
    /// # Panics
    /// If a slice is shorter than its shape and strides need, or the packed B has another length.
    pub fn packed(
        multiply: M,
        (m, n, k): (usize, usize, usize),
        (a, a_strides): (&[f32], Strides),
        (packed_b, packed_len): (&[f32], usize),
        (c, c_row): (&mut [f32], usize),
        epilogue: Epilogue,
    ) -> Product<M> {
        check("a", a.len(), (m, k), a_strides);
        assert_eq!(packed_b.len(), packed_len, "packed length");
        check("c", c.len(), (m, n), (c_row, 1));
        Product {
            multiply,
            batch: 1,
            m,
            n,
            k,
            a: Strided { ptr: a.as_ptr(), batch: 0, row: a_strides.0, col: a_strides.1 },
            b: Strided { ptr: packed_b.as_ptr(), batch: 0, row: 0, col: 0 },
            layout: Layout::Packed,
            finish: epilogue.finish(m, n, c.as_mut_ptr(), c_row),
            c_batch: 0,
            scratch: std::ptr::dangling_mut(),
            share: Share::ALL,
        }
    }

    /// One product of matrices of any strides. Scratch holds a block of a panel, if panels are made.
    ///
    /// # Panics
    /// If a slice is shorter than its shape and strides need.
    pub fn unpacked(
        multiply: M,
        (m, n, k): (usize, usize, usize),
        (a, a_strides): (&[f32], Strides),
        (b, b_strides): (&[f32], Strides),
        (c, c_row): (&mut [f32], usize),
        epilogue: Epilogue,
        scratch: *mut f32,
    ) -> Product<M> {
        check("a", a.len(), (m, k), a_strides);
        check("b", b.len(), (k, n), b_strides);
        check("c", c.len(), (m, n), (c_row, 1));
        Product {
            multiply,
            batch: 1,
            m,
            n,
            k,
            a: Strided { ptr: a.as_ptr(), batch: 0, row: a_strides.0, col: a_strides.1 },
            b: Strided { ptr: b.as_ptr(), batch: 0, row: b_strides.0, col: b_strides.1 },
            layout: if b_strides.1 == 1 { Layout::Rows } else { Layout::Strided },
            finish: epilogue.finish(m, n, c.as_mut_ptr(), c_row),
            c_batch: 0,
            scratch,
            share: Share::ALL,
        }
    }

    /// The same product with another way to multiply.
    pub fn with<N>(self, multiply: N) -> Product<N> {
        let Product { batch, m, n, k, a, b, layout, finish, c_batch, scratch, share, .. } = self;
        Product { multiply, batch, m, n, k, a, b, layout, finish, c_batch, scratch, share }
    }
}

/// Floats of scratch that a product whose B is not packed needs.
pub(super) fn block_len<S: Simd>(k: usize) -> usize {
    k.min(K_BLOCK) * widest::<S>() * S::LANES
}

impl<M: Multiply> Kernel for Product<M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for batch in 0..self.batch {
            let a = self.a.ptr.wrapping_add(batch * self.a.batch);
            let b = self.b.ptr.wrapping_add(batch * self.b.batch);
            let mut finish = self.finish;
            finish.c = finish.c.wrapping_add(batch * self.c_batch);
            self.panels(s, a, b, finish);
        }
    }
}

/// Rows of A from which a panel of B is copied even though its rows could be read in place.
const ROWS_WORTH_PACKING: usize = 48;

impl<M: Multiply> Product<M> {
    #[inline(always)]
    fn panels<S: Simd>(&self, s: S, a: *const f32, b: *const f32, finish: Finish) {
        let mut spill = MaybeUninit::<[f32; TILE]>::uninit();
        let parts = if M::WHOLE { 1 } else { self.k.div_ceil(K_BLOCK).max(1) };
        let depth_most = self.k.div_ceil(parts).max(1);
        for (start, vectors) in Panels::new(s, self.n, self.share) {
            let column = start * S::LANES;
            let width = vectors * S::LANES;
            let columns = width.min(self.n - column);
            let mut p = 0;
            while p < self.k || p == 0 {
                let depth = (self.k - p).min(depth_most);
                let (b, b_row) = self.block(s, b, (p, depth), column, width, columns);
                let mut finish = finish.at(0, column);
                if p + depth < self.k {
                    finish = finish.partial();
                }
                finish.accumulate |= p > 0;
                let block = Block {
                    multiply: self.multiply,
                    m: self.m,
                    depth,
                    a: a.wrapping_add(p * self.a.col),
                    a_strides: (self.a.row, self.a.col),
                    b,
                    b_row,
                    column,
                    columns,
                    finish,
                    spill: &mut spill,
                };
                block.rows(s, vectors);
                p += depth_most;
            }
        }
    }

    /// Where rows p.. of a panel of B lie, and the distance between them.
    #[inline(always)]
    fn block<S: Simd>(
        &self,
        s: S,
        b: *const f32,
        (p, depth): (usize, usize),
        column: usize,
        width: usize,
        columns: usize,
    ) -> (*const f32, usize) {
        match self.layout {
            Layout::Packed => (b.wrapping_add(column * self.k + p * width), width),
            // A few rows of A don't pay for a copy of the panel; many do, as rows a power of two apart
            // share the same few sets of the first-level cache. Rows of a panel's width are one already.
            Layout::Rows if columns == width && (self.m < ROWS_WORTH_PACKING || self.b.row == width) => {
                (b.wrapping_add(p * self.b.row + column), self.b.row)
            }
            _ => {
                let from = b.wrapping_add(p * self.b.row + column * self.b.col);
                // SAFETY: the block is inside B, and scratch holds one block.
                unsafe { pack_panel(s, depth, columns, from, (self.b.row, self.b.col), self.scratch, width) };
                (self.scratch.cast_const(), width)
            }
        }
    }
}

/// One block of a panel, against all rows of A.
struct Block<'a, M> {
    multiply: M,
    m: usize,
    depth: usize,
    a: *const f32,
    a_strides: (usize, usize),
    b: *const f32,
    b_row: usize,
    column: usize,
    columns: usize,
    finish: Finish,
    spill: &'a mut MaybeUninit<[f32; TILE]>,
}

impl<M: Multiply> Block<'_, M> {
    #[inline(always)]
    fn rows<S: Simd>(mut self, s: S, vectors: usize) {
        // Tiles as even as can be: one of two rows beside one of eight would run at half speed.
        let count = self.m.div_ceil(tallest::<S>(vectors));
        let (low, high) = (self.m / count.max(1), self.m % count.max(1));
        let mut i = 0;
        for tile in 0..count {
            let rows = low + usize::from(tile < high);
            self.tile(s, i, rows, vectors);
            i += rows;
        }
    }

    #[inline(always)]
    fn tile<S: Simd>(&mut self, s: S, i: usize, rows: usize, vectors: usize) {
        let finish = self.finish.at(i, 0);
        let spilled = !finish.is_cheap() || self.columns < vectors * S::LANES;
        self.choose(s, i, rows, vectors, spilled);
        if spilled {
            // SAFETY: the kernel has just filled the tile; its columns are within C as for the kernel.
            unsafe {
                finish.store_spilled(s, self.spill.as_ptr().cast(), vectors * S::LANES, rows, self.columns);
            }
        }
    }

    /// Chooses the micro-kernel. The conditions are constants, so that an instruction set compiles
    /// only its own.
    #[inline(always)]
    fn choose<S: Simd>(&mut self, s: S, i: usize, rows: usize, vectors: usize, spilled: bool) {
        macro_rules! rows {
            ($c:literal: $($r:literal)*) => {
                if const { $c <= widest::<S>() } {
                    match rows {
                        $($r => if const { $c <= widest::<S>() && $r <= tallest::<S>($c) } {
                            self.multiply.call(s, Tile::<M, $r, $c> { block: self, i, spilled })
                        })*
                        _ => unreachable!("no tile of {rows} rows"),
                    }
                }
            };
        }
        match vectors {
            4 => rows!(4: 1 2 3 4 5 6),
            3 => rows!(3: 1 2 3 4 5 6 7 8),
            2 => rows!(2: 1 2 3 4 5 6 7 8),
            _ => rows!(1: 1 2 3 4 5 6 7 8),
        }
    }
}

/// One tile of a block: `R` rows from row i on, `C` vectors of columns.
struct Tile<'a, 'b, M, const R: usize, const C: usize> {
    block: &'a mut Block<'b, M>,
    i: usize,
    spilled: bool,
}

impl<M: Multiply, const R: usize, const C: usize> Kernel for Tile<'_, '_, M, R, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Tile { block, i, spilled } = self;
        let multiply = block.multiply;
        let a = block.a.wrapping_add(i * block.a_strides.0);
        let finish = block.finish.at(i, 0);
        // SAFETY: every caller of `Product` has checked that A, B, C and what the epilogue names
        // hold the shapes; a panel's padding is in scratch or in the packed B; a tile fits `spill`.
        unsafe {
            finish.prefetch::<S, R, C>(s);
            let (depth, b, b_row) = (block.depth, block.b, block.b_row);
            let mut sum = accumulate::<S, M, R, C>(s, multiply, depth, a, block.a_strides, b, b_row);
            for (r, row) in sum.iter_mut().enumerate() {
                for (j, v) in row.iter_mut().enumerate() {
                    *v = multiply.result(s, *v, i + r, block.column + j * S::LANES);
                }
            }
            if finish.is_plain() && !spilled {
                finish.store(s, sum);
                return;
            }
            let tile = block.spill.as_mut_ptr().cast::<f32>();
            for (i, row) in sum.iter().enumerate() {
                for (j, &v) in row.iter().enumerate() {
                    s.store(tile.add((i * C + j) * S::LANES), v);
                }
            }
            if !spilled {
                finish.store_cheap(s, tile, R, C);
            }
        }
    }
}
