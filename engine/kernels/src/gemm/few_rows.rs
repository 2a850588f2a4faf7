//! Products of few rows with a B whose rows are contiguous along the inner dimension (x·Wᵀ): every
//! value of B is used so few times that repacking it would cost more than the product.

use super::epilogue::Finish;
use super::multiply::Floats;
use super::panel::pack_panel;
use super::product::{Layout, Product, Strided};
use super::square::{SIDE, transpose};
use super::tile::accumulate;
use crate::simd::{Kernel, Simd};

/// The most rows worth it.
pub(super) const MOST: usize = 64;

/// The most rows of A taken as dot products.
const DOT_ROWS: usize = 4;

/// Columns of C taken together as dot products.
const DOT_COLUMNS: usize = 4;

/// C[m, n] = A[m, k]·B[k, n], where B's elements lie next to each other along k (`b.row` is 1).
pub(super) struct FewRows {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Strided,
    pub b: Strided,
    pub finish: Finish,
    /// Room for k vectors.
    pub scratch: *mut f32,
}

impl Kernel for FewRows {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if S::LANES < DOT_COLUMNS && self.m == 1 && self.a.col == 1 {
            self.one_by_one(s);
        } else if S::LANES < DOT_COLUMNS {
            // Tiles are spilled in rows of a vector.
            let FewRows { m, n, k, a, b, finish, scratch } = self;
            let layout = Layout::Strided;
            Product { multiply: Floats, batch: 1, m, n, k, a, b, layout, finish, c_batch: 0, scratch }.run(s);
        } else if self.m <= DOT_ROWS && self.a.col == 1 {
            match self.m {
                1 => self.dots::<S, 1>(s),
                2 => self.dots::<S, 2>(s),
                3 => self.dots::<S, 3>(s),
                _ => self.dots::<S, 4>(s),
            }
        } else {
            self.turned(s);
        }
    }
}

/// Loads `count <= LANES` floats, zeros after them.
///
/// # Safety
/// They must be readable.
#[inline(always)]
unsafe fn load<S: Simd>(s: S, p: *const f32, count: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { if count == S::LANES { s.load(p) } else { s.load_first(p, count) } }
}

impl FewRows {
    /// One row, an element at a time.
    #[inline(always)]
    fn one_by_one<S: Simd>(&self, s: S) {
        for j in 0..self.n {
            let mut sum = 0.0f32;
            for p in 0..self.k {
                // SAFETY: inside the row of A and the column of B.
                unsafe { sum += *self.a.ptr.add(p) * *self.b.ptr.add(j * self.b.col + p) };
            }
            let tile = [sum; SIDE];
            // SAFETY: the column is inside C; a vector of the tile is read.
            unsafe { self.finish.at(0, j).store_spilled(s, tile.as_ptr(), SIDE, 1, 1) };
        }
    }

    /// Every element a dot product.
    #[inline(always)]
    fn dots<S: Simd, const R: usize>(&self, s: S) {
        let mut tile = [[0.0f32; SIDE]; R];
        let mut j = 0;
        while j < self.n {
            let columns = DOT_COLUMNS.min(self.n - j);
            let b: [*const f32; DOT_COLUMNS] =
                std::array::from_fn(|c| self.b.ptr.wrapping_add((j + c.min(columns - 1)) * self.b.col));
            let mut sum = [[s.splat(0.0); DOT_COLUMNS]; R];
            let mut p = 0;
            while p < self.k {
                let count = (self.k - p).min(S::LANES);
                let mut column = [s.splat(0.0); DOT_COLUMNS];
                for c in 0..DOT_COLUMNS {
                    // SAFETY: `count` floats from p on are inside every column of B.
                    column[c] = unsafe { load(s, b[c].add(p), count) };
                }
                for (i, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: and inside every row of A.
                    let x = unsafe { load(s, self.a.ptr.add(i * self.a.row + p), count) };
                    for c in 0..DOT_COLUMNS {
                        sum[c] = s.mul_add(x, column[c], sum[c]);
                    }
                }
                p += S::LANES;
            }
            for (line, sum) in tile.iter_mut().zip(sum) {
                for (x, sum) in line.iter_mut().zip(sum) {
                    *x = s.reduce_add(sum);
                }
            }
            // SAFETY: the tile is as wide as a vector; its columns are inside C.
            unsafe { self.finish.at(0, j).store_spilled(s, tile.as_ptr().cast(), SIDE, R, columns) };
            j += DOT_COLUMNS;
        }
    }

    /// Cᵀ = Bᵀ·Aᵀ: a vector of A's rows at a time as the packed operand, `LANES` columns of B as
    /// rows, and the square that comes out turned in registers.
    #[inline(always)]
    fn turned<S: Simd>(&self, s: S) {
        let mut i = 0;
        while i < self.m {
            let rows = S::LANES.min(self.m - i);
            let a = self.a.ptr.wrapping_add(i * self.a.row);
            // SAFETY: those rows are inside A; scratch holds k vectors.
            unsafe { pack_panel(s, self.k, rows, a, (self.a.col, self.a.row), self.scratch, S::LANES) };
            let mut j = 0;
            while j < self.n {
                let columns = S::LANES.min(self.n - j);
                if columns == S::LANES {
                    self.square(s, (i, j), rows, columns);
                } else {
                    self.square_by_column(s, (i, j), rows, columns);
                }
                j += S::LANES;
            }
            i += S::LANES;
        }
    }

    #[inline(always)]
    fn square<S: Simd>(&self, s: S, (i, j): (usize, usize), rows: usize, columns: usize) {
        let mut square = [s.splat(0.0); SIDE];
        let b = self.b.ptr.wrapping_add(j * self.b.col);
        // SAFETY: `LANES` columns from j on are inside B, scratch holds A packed.
        unsafe {
            if S::LANES == 16 {
                let sum = accumulate::<S, Floats, 16, 1>(
                    s,
                    Floats,
                    self.k,
                    b,
                    (self.b.col, 1),
                    self.scratch,
                    S::LANES,
                );
                for (to, [v]) in square.iter_mut().zip(sum) {
                    *to = v;
                }
            } else {
                let sum = accumulate::<S, Floats, 8, 1>(
                    s,
                    Floats,
                    self.k,
                    b,
                    (self.b.col, 1),
                    self.scratch,
                    S::LANES,
                );
                for (to, [v]) in square.iter_mut().zip(sum) {
                    *to = v;
                }
            }
        }
        self.store(s, (i, j), rows, columns, square);
    }

    #[inline(always)]
    fn square_by_column<S: Simd>(&self, s: S, (i, j): (usize, usize), rows: usize, columns: usize) {
        let mut square = [s.splat(0.0); SIDE];
        for (c, v) in square.iter_mut().enumerate().take(columns) {
            let b = self.b.ptr.wrapping_add((j + c) * self.b.col);
            // SAFETY: as for `square`, for one column.
            let sum = unsafe {
                accumulate::<S, Floats, 1, 1>(s, Floats, self.k, b, (0, 1), self.scratch, S::LANES)
            };
            *v = sum[0][0];
        }
        self.store(s, (i, j), rows, columns, square);
    }

    #[inline(always)]
    fn store<S: Simd>(
        &self,
        s: S,
        (i, j): (usize, usize),
        rows: usize,
        columns: usize,
        mut square: [S::V; SIDE],
    ) {
        transpose(s, &mut square);
        let mut tile = [0.0f32; SIDE * SIDE];
        for (line, v) in square.into_iter().enumerate().take(S::LANES) {
            // SAFETY: `tile` holds the largest square.
            unsafe { s.store(tile.as_mut_ptr().add(line * S::LANES), v) };
        }
        // SAFETY: those rows and columns are inside C.
        unsafe { self.finish.at(i, j).store_spilled(s, tile.as_ptr(), S::LANES, rows, columns) };
    }
}
