//! The two kinds of products of a head, in tiles that stay in registers.

use super::LINE;
use crate::simd::{Kernel, Simd};

/// What is done with a tile of products of keys and turned queries.
pub(super) trait KeyTile<S: Simd> {
    /// Takes the products of `R` keys from `key` on with `C` vectors of queries from `lane` on.
    ///
    /// # Safety
    /// The tile's rows must be inside what it writes.
    unsafe fn take<const R: usize, const C: usize>(
        &mut self,
        s: S,
        key: usize,
        lane: usize,
        products: [[S::V; C]; R],
    );
}

/// `keys` rows of a matrix times queries (or gradients of results) turned to `[head_dim, LINE]`,
/// for the lanes of `queries`; the sums start from `start + key * start_row`.
///
/// # Safety
/// Everything named must be readable.
#[inline(always)]
pub(super) unsafe fn key_tiles<S: Simd, T: KeyTile<S>>(
    s: S,
    tile: &mut T,
    (rows, row): (*const f32, usize),
    (keys, queries, head_dim): (usize, usize, usize),
    turned: *const f32,
    (start, start_row): (*const f32, usize),
) {
    macro_rules! column {
        ($lane:expr, $c:literal: $($r:literal)*) => {{
            const TALLEST: usize = [$($r),*][[$($r),*].len() - 1];
            // As even as can be.
            let count = keys.div_ceil(TALLEST);
            let (low, high) = (keys / count, keys % count);
            let mut key = 0;
            for t in 0..count {
                let height = low + usize::from(t < high);
                // SAFETY: the caller's promise.
                unsafe {
                    let from = (rows.wrapping_add(key * row), row);
                    let start = (start.wrapping_add(key * start_row + $lane), start_row);
                    match height {
                        $($r => {
                            let products =
                                accumulate::<S, $r, $c>(s, head_dim, from, turned.add($lane), start);
                            tile.take(s, key, $lane, products);
                        })*
                        _ => unreachable!("no tile of {height} keys"),
                    }
                }
                key += height;
            }
        }};
    }
    let mut lane = 0;
    while lane < queries {
        let vectors = (queries - lane).div_ceil(S::LANES);
        if const { S::LANES == 16 } && vectors >= 3 {
            column!(lane, 3: 1 2 3 4 5 6 7 8);
            lane += 3 * S::LANES;
        } else if const { S::LANES == 16 || S::FUSED } && vectors >= 2 {
            column!(lane, 2: 1 2 3 4 5 6);
            lane += 2 * S::LANES;
        } else {
            column!(lane, 1: 1 2 3 4 5 6 7 8);
            lane += S::LANES;
        }
    }
}

/// The sums of a tile: `R` rows of `a` times `C` vectors of queries.
///
/// # Safety
/// Everything named must be readable.
#[inline(always)]
unsafe fn accumulate<S: Simd, const R: usize, const C: usize>(
    s: S,
    depth: usize,
    (a, a_row): (*const f32, usize),
    b: *const f32,
    (start, start_row): (*const f32, usize),
) -> [[S::V; C]; R] {
    let mut sum = [[s.splat(0.0); C]; R];
    // SAFETY: the caller's promise.
    unsafe {
        for (i, sum) in sum.iter_mut().enumerate() {
            for (j, sum) in sum.iter_mut().enumerate() {
                *sum = s.load(start.add(i * start_row + j * S::LANES));
            }
        }
        for p in 0..depth {
            let mut row = [s.splat(0.0); C];
            for (j, x) in row.iter_mut().enumerate() {
                *x = s.load(b.add(p * LINE + j * S::LANES));
            }
            for (i, sum) in sum.iter_mut().enumerate() {
                let x = s.splat(*a.add(i * a_row + p));
                for j in 0..C {
                    sum[j] = s.mul_add(x, row[j], sum[j]);
                }
            }
        }
    }
    sum
}

/// Rows of a result: `to[i, c]` is (or, if `add`, grows by) `factor[i] * sum over p in 0..depth of
/// scores(i, p) * b[p, c]`, where `scores(i, p)` is at `i * ROW + p * COLUMN`.
pub(super) struct RowProduct<const ROW: usize, const COLUMN: usize> {
    pub rows: usize,
    pub depth: usize,
    pub scores: *const f32,
    /// Rows of whole vectors.
    pub b: (*const f32, usize),
    pub columns: usize,
    pub to: (*mut f32, usize),
    /// The factor of row i is at `i * factor.1`.
    pub factor: (*const f32, usize),
    pub add: bool,
}

impl<const ROW: usize, const COLUMN: usize> Kernel for &RowProduct<ROW, COLUMN> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.tiles(s);
    }
}

impl<const ROW: usize, const COLUMN: usize> RowProduct<ROW, COLUMN> {
    /// # Safety
    /// The matrices must hold the shapes; `scores` may be read for `BEYOND` rows more.
    #[inline(always)]
    pub unsafe fn multiply<S: Simd>(&self, s: S) {
        s.call(self);
    }

    #[inline(always)]
    fn tiles<S: Simd>(&self, s: S) {
        // Heights are in threes, as that many rows beyond the last do no harm: nobody stores them.
        macro_rules! column {
            ($c:expr, $v:literal: $($r:literal)*) => {{
                const TALLEST: usize = [$($r),*][[$($r),*].len() - 1];
                let threes = self.rows.div_ceil(3);
                let count = threes.div_ceil(TALLEST / 3);
                let (low, high) = (threes / count, threes % count);
                let mut i = 0;
                for t in 0..count {
                    let height = 3 * (low + usize::from(t < high));
                    // SAFETY: the promise of `multiply`.
                    unsafe {
                        match height {
                            $($r => self.tile::<S, $r, $v>(s, i, $c),)*
                            _ => unreachable!("no tile of {height} rows"),
                        }
                    }
                    i += height;
                }
            }};
        }
        let mut c = 0;
        while c < self.columns {
            let vectors = (self.columns - c).div_ceil(S::LANES);
            if const { S::LANES == 16 } && vectors >= 4 {
                column!(c, 4: 3 6);
                c += 4 * S::LANES;
            } else if const { S::LANES == 16 } && vectors >= 2 {
                column!(c, 2: 3 6 9 12);
                c += 2 * S::LANES;
            } else if const { S::LANES == 16 } {
                column!(c, 1: 3 6 9 12 15 18 21 24);
                c += S::LANES;
            } else if const { S::FUSED } && vectors >= 2 {
                column!(c, 2: 3 6);
                c += 2 * S::LANES;
            } else {
                column!(c, 1: 3 6 9 12);
                c += S::LANES;
            }
        }
    }

    /// # Safety
    /// As [`RowProduct::multiply`].
    #[inline(always)]
    unsafe fn tile<S: Simd, const R: usize, const C: usize>(&self, s: S, first: usize, c: usize) {
        let mut sum = [[s.splat(0.0); C]; R];
        // SAFETY: the caller's promise.
        unsafe {
            let mut a = self.scores.add(first * ROW);
            let mut b = self.b.0.wrapping_add(c);
            for _ in 0..self.depth {
                let mut row = [s.splat(0.0); C];
                for (j, x) in row.iter_mut().enumerate() {
                    *x = s.load(b.add(j * S::LANES));
                }
                for (i, sum) in sum.iter_mut().enumerate() {
                    let x = s.splat(*a.add(i * ROW));
                    for j in 0..C {
                        sum[j] = s.mul_add(x, row[j], sum[j]);
                    }
                }
                a = a.wrapping_add(COLUMN);
                b = b.wrapping_add(self.b.1);
            }
            let whole = first + R <= self.rows && c + C * S::LANES <= self.columns;
            match (whole, self.add) {
                (true, false) => self.store_whole::<S, R, C, false>(s, sum, first, c),
                (true, true) => self.store_whole::<S, R, C, true>(s, sum, first, c),
                (false, _) => self.store_part(s, sum, first, c),
            }
        }
    }

    /// # Safety
    /// As [`RowProduct::multiply`]; the tile is inside the result.
    #[inline(always)]
    unsafe fn store_whole<S: Simd, const R: usize, const C: usize, const ADD: bool>(
        &self,
        s: S,
        sum: [[S::V; C]; R],
        first: usize,
        c: usize,
    ) {
        for (i, sum) in sum.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let factor = s.splat(*self.factor.0.add((first + i) * self.factor.1));
                let to = self.to.0.add((first + i) * self.to.1 + c);
                for (j, sum) in sum.into_iter().enumerate() {
                    let to = to.add(j * S::LANES);
                    let x = if ADD { s.mul_add(sum, factor, s.load(to)) } else { s.mul(sum, factor) };
                    s.store(to, x);
                }
            }
        }
    }

    /// Stores what of a tile is inside the result.
    ///
    /// # Safety
    /// As [`RowProduct::multiply`].
    #[inline(always)]
    unsafe fn store_part<S: Simd, const R: usize, const C: usize>(
        &self,
        s: S,
        sum: [[S::V; C]; R],
        first: usize,
        c: usize,
    ) {
        for (i, sum) in sum.into_iter().enumerate().take(self.rows - first) {
            let i = first + i;
            for (j, sum) in sum.into_iter().enumerate() {
                let c = c + j * S::LANES;
                // SAFETY: the caller's promise.
                unsafe {
                    let factor = s.splat(*self.factor.0.add(i * self.factor.1));
                    let to = self.to.0.wrapping_add(i * self.to.1 + c);
                    if c + S::LANES <= self.columns {
                        let before = if self.add { s.load(to) } else { s.splat(0.0) };
                        s.store(to, s.mul_add(sum, factor, before));
                    } else {
                        let count = self.columns - c;
                        let before = if self.add { s.load_first(to, count) } else { s.splat(0.0) };
                        s.store_first(to, count, s.mul_add(sum, factor, before));
                    }
                }
            }
        }
    }
}
