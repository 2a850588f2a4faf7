//! Products of few rows with a B whose rows are contiguous along the inner dimension (x·Wᵀ): every
//! value of B is used so few times that repacking it would cost more than the product.

use std::ops::Range;

use super::epilogue::Finish;
use super::multiply::Floats;
use super::panel::pack_panel;
use super::product::{Layout, Product, Strided};
use super::share::{Share, for_shares};
use super::square::{SIDE, transpose};
use super::tile::accumulate;
use crate::isa::{Isa, isa};
use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch};

/// The most rows for which [`gemm`](super::gemm()) reads the B of A·Bᵀ as it lies.
pub const FEW_ROWS: usize = 64;

/// The most rows of A taken as dot products.
const DOT_ROWS: usize = 4;

/// Columns of C taken together as dot products.
const DOT_COLUMNS: usize = 4;

/// C[m, n] = A[m, k]·B[k, n], where B's elements lie next to each other along k (`b.row` is 1).
#[derive(Clone, Copy)]
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

/// Multiplies; columns are shared out over `pool` if there is one. The result is the same.
pub(super) fn few_rows(product: FewRows, pool: Option<&Pool>) {
    let FewRows { m, a, finish, .. } = product;
    if isa() == Isa::Scalar {
        return dispatch(Shared { product, share: Share::ALL });
    }
    if product.is_dots() {
        // SAFETY: shares write columns of their own; dot products need no scratch.
        return unsafe { for_shares(pool, |share| dispatch(Shared { product, share })) };
    }
    let mut i = 0;
    while i < m {
        let a = Strided { ptr: a.ptr.wrapping_add(i * a.row), ..a };
        let rows = dispatch(TurnRows(FewRows { m: m - i, a, ..product }));
        let product = FewRows { m: rows, a, finish: finish.at(i, 0), ..product };
        // SAFETY: shares write columns of their own; they only read scratch.
        unsafe { for_shares(pool, |share| dispatch(Turned { product, share })) };
        i += rows;
    }
}

/// Turns as many rows of A as a vector has lanes, or fewer, into scratch. Returns how many.
struct TurnRows(FewRows);

impl Kernel for TurnRows {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let FewRows { m, k, a, scratch, .. } = self.0;
        let rows = S::LANES.min(m);
        // SAFETY: those rows are inside A; scratch holds k vectors.
        unsafe { pack_panel(s, k, rows, a.ptr, (a.col, a.row), scratch, S::LANES) };
        rows
    }
}

/// One share of the columns, of rows that scratch holds turned.
struct Turned {
    product: FewRows,
    share: Share,
}

impl Kernel for Turned {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.product.columns(s, self.share);
    }
}

/// One share of the columns: dot products, or whatever there is without vectors.
struct Shared {
    product: FewRows,
    share: Share,
}

impl Kernel for Shared {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Shared { product, share } = self;
        let FewRows { m, n, k, a, b, finish, scratch } = product;
        if S::LANES < DOT_COLUMNS && m == 1 && a.col == 1 {
            product.one_by_one(s);
        } else if S::LANES < DOT_COLUMNS {
            // Tiles are spilled in rows of a vector.
            let (layout, multiply) = (Layout::Strided, Floats);
            Product { multiply, batch: 1, m, n, k, a, b, layout, finish, c_batch: 0, scratch, share }.run(s);
        } else {
            match m {
                1 => product.dots::<S, 1>(s, share),
                2 => product.dots::<S, 2>(s, share),
                3 => product.dots::<S, 3>(s, share),
                _ => product.dots::<S, 4>(s, share),
            }
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
    /// Whether every element is a dot product.
    #[inline(always)]
    fn is_dots(&self) -> bool {
        self.m <= DOT_ROWS && self.a.col == 1
    }

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
    fn dots<S: Simd, const R: usize>(&self, s: S, share: Share) {
        let mut tile = [[0.0f32; SIDE]; R];
        let Range { start, end } = share.range(self.n.div_ceil(DOT_COLUMNS));
        let mut j = start * DOT_COLUMNS;
        while j < (end * DOT_COLUMNS).min(self.n) {
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

    /// Cᵀ = Bᵀ·Aᵀ: the rows of A, turned in scratch, as the packed operand, `LANES` columns of B as rows, and
    /// the square that comes out turned in registers.
    #[inline(always)]
    fn columns<S: Simd>(&self, s: S, share: Share) {
        let Range { start, end } = share.range(self.n.div_ceil(S::LANES));
        let mut j = start * S::LANES;
        while j < (end * S::LANES).min(self.n) {
            let columns = S::LANES.min(self.n - j);
            if columns == S::LANES {
                self.square(s, j);
            } else {
                self.square_by_column(s, j, columns);
            }
            j += S::LANES;
        }
    }

    #[inline(always)]
    fn square<S: Simd>(&self, s: S, j: usize) {
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
        self.store(s, j, S::LANES, square);
    }

    #[inline(always)]
    fn square_by_column<S: Simd>(&self, s: S, j: usize, columns: usize) {
        let mut square = [s.splat(0.0); SIDE];
        for (c, v) in square.iter_mut().enumerate().take(columns) {
            let b = self.b.ptr.wrapping_add((j + c) * self.b.col);
            // SAFETY: as for `square`, for one column.
            let sum = unsafe {
                accumulate::<S, Floats, 1, 1>(s, Floats, self.k, b, (0, 1), self.scratch, S::LANES)
            };
            *v = sum[0][0];
        }
        self.store(s, j, columns, square);
    }

    #[inline(always)]
    fn store<S: Simd>(&self, s: S, j: usize, columns: usize, mut square: [S::V; SIDE]) {
        transpose(s, &mut square);
        let mut tile = [0.0f32; SIDE * SIDE];
        for (line, v) in square.into_iter().enumerate().take(S::LANES) {
            // SAFETY: `tile` holds the largest square.
            unsafe { s.store(tile.as_mut_ptr().add(line * S::LANES), v) };
        }
        // SAFETY: those rows and columns are inside C.
        unsafe { self.finish.at(0, j).store_spilled(s, tile.as_ptr(), S::LANES, self.m, columns) };
    }
}
