//! The micro-kernel: one tile of a product, held in registers over the whole inner dimension.

use super::multiply::Multiply;
use crate::simd::Simd;

/// The widest tile of an instruction set, in vectors.
#[inline(always)]
pub(crate) const fn widest<S: Simd>() -> usize {
    match (S::LANES, S::FUSED) {
        (16, _) => 4,   // 32 registers of 16
        (_, true) => 2, // 16 registers of 8
        _ => 1,
    }
}

/// The most rows of a tile `vectors` wide: the accumulators, one row of B and one broadcast of A
/// fit in the registers.
#[inline(always)]
pub(crate) const fn tallest<S: Simd>(vectors: usize) -> usize {
    match (S::LANES, S::FUSED, vectors) {
        (16, _, 4) => 6,
        (16, _, _) => 8,
        (_, true, 2) => 6,
        (_, true, _) => 8,
        _ => 4,
    }
}

/// The sum over p in `0..k` of `a[i * a_row + p * a_col] * b[p * b_row + j]`, for `R` rows i and
/// `C` vectors of columns j. Each element is summed in the order of p, whatever the tile.
///
/// # Safety
/// Every element named must be readable.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd, M: Multiply, const R: usize, const C: usize>(
    s: S,
    multiply: M,
    k: usize,
    a: *const f32,
    (a_row, a_col): (usize, usize),
    b: *const f32,
    b_row: usize,
) -> [[S::V; C]; R] {
    let mut sum = [[s.splat(0.0); C]; R];
    let (mut a, mut b) = (a, b);
    macro_rules! step {
        () => {
            let mut row = [s.splat(0.0); C];
            for (j, x) in row.iter_mut().enumerate() {
                // SAFETY: the caller's promise for (p, j).
                *x = unsafe { s.load(b.add(j * S::LANES)) };
            }
            for (i, sum) in sum.iter_mut().enumerate() {
                // SAFETY: the caller's promise for (i, p).
                let x = s.splat(unsafe { *a.add(i * a_row) });
                for j in 0..C {
                    sum[j] = multiply.multiply_add(s, x, row[j], sum[j]);
                }
            }
            a = a.wrapping_add(a_col);
            b = b.wrapping_add(b_row);
        };
    }
    // Counting and moving the pointers takes ports that multiply: less of it for each element.
    for _ in 0..k / 4 {
        step!();
        step!();
        step!();
        step!();
    }
    for _ in 0..k % 4 {
        step!();
    }
    sum
}
