//! Numbers as the bf16 numbers that stand for them, in pairs, in the order in which tiles are loaded.

use super::{BLOCK, TILE, TILE_LEN};
use crate::gemm::half::load;
use crate::gemm::square::{SIDE, transpose};
use crate::simd::{Simd, rounded_pairs};

/// What of a number is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// The nearest bf16 number.
    One,
    /// Three bf16 numbers that add up to it.
    Three,
}

impl Parts {
    /// Words of the parts of a block of two tiles.
    pub(super) const fn block_len(self) -> usize {
        match self {
            Parts::One => 2 * TILE_LEN,
            Parts::Three => 6 * TILE_LEN,
        }
    }
}

/// Which factor of a product an operand is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A, whose rows are lines of tiles.
    A,
    /// B, whose columns are words of lines.
    B,
}

/// Parts of the `across` rows of A, or columns of B: for every 32 of them, and then every 32 numbers of the
/// `depth` along the inner dimension, a block of two tiles of each part. Strides are those across and along.
///
/// # Safety
/// The numbers must be readable, and `out` writable for every block.
#[inline(always)]
pub(super) unsafe fn split<S: Simd>(
    s: S,
    (parts, operand): (Parts, Operand),
    (across, depth): (usize, usize),
    from: *const f32,
    (step, along): (usize, usize),
    out: *mut f32,
) {
    let mut out = out;
    for i in (0..across).step_by(BLOCK) {
        for p in (0..depth).step_by(BLOCK) {
            let (first, second) = ((depth - p).min(TILE), (depth - p).saturating_sub(TILE).min(TILE));
            for tile in 0..(across - i).div_ceil(TILE).min(2) {
                let i = i + tile * TILE;
                let count = (across - i).min(TILE);
                let from = from.wrapping_add(i * step + p * along);
                let later = from.wrapping_add(TILE * along);
                let out = out.wrapping_add(tile * TILE_LEN);
                // SAFETY: the caller's promise.
                unsafe {
                    match operand {
                        Operand::A => {
                            let (first, second) = ((from, (count, first)), (later, (count, second)));
                            split_tile(s, parts, first, second, (step, along), out);
                        }
                        Operand::B => {
                            let (first, second) = ((from, (first, count)), (later, (second, count)));
                            split_tile(s, parts, first, second, (along, step), out);
                        }
                    }
                }
            }
            out = out.wrapping_add(parts.block_len());
        }
    }
}

/// Tiles of the parts, high ones first, of pairs of numbers: one of up to 16 x 16 numbers at `first`,
/// the other of as many or fewer at `second`, and zeros beyond.
///
/// # Safety
/// The numbers must be readable, and `out` writable for a tile of each part, two tiles apart.
#[inline(always)]
unsafe fn split_tile<S: Simd>(
    s: S,
    parts: Parts,
    (first, first_sizes): (*const f32, (usize, usize)),
    (second, second_sizes): (*const f32, (usize, usize)),
    (row, col): (usize, usize),
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if col == 1 && second_sizes == (TILE, TILE) {
            for i in 0..TILE {
                let (x, y) = (s.load(first.add(i * row)), s.load(second.add(i * row)));
                split_line(s, parts, x, y, out.add(i * TILE));
            }
        } else {
            let x = square(s, first, (row, col), first_sizes);
            let y = square(s, second, (row, col), second_sizes);
            for i in 0..TILE {
                split_line(s, parts, x[i], y[i], out.add(i * TILE));
            }
        }
    }
}

/// Up to 16 rows of up to 16 numbers each, and zeros.
///
/// # Safety
/// The numbers must be readable.
#[inline(always)]
unsafe fn square<S: Simd>(
    s: S,
    from: *const f32,
    (row, col): (usize, usize),
    (rows, cols): (usize, usize),
) -> [S::V; SIDE] {
    let mut square = [s.splat(0.0); SIDE];
    // SAFETY: the caller's promise.
    unsafe {
        if col == 1 {
            for (i, v) in square.iter_mut().enumerate() {
                if i < rows {
                    *v = load(s, from.add(i * row), cols);
                }
            }
        } else if row == 1 {
            for (j, v) in square.iter_mut().enumerate() {
                if j < cols {
                    *v = load(s, from.add(j * col), rows);
                }
            }
            transpose(s, &mut square);
        } else {
            for (i, v) in square.iter_mut().enumerate() {
                if i < rows {
                    let mut line = [0.0; SIDE];
                    for (j, x) in line.iter_mut().enumerate().take(cols) {
                        *x = *from.add(i * row + j * col);
                    }
                    *v = s.load(line.as_ptr());
                }
            }
        }
    }
    square
}

/// The parts of a line of pairs of numbers: of three the high, middle and low ones.
///
/// # Safety
/// `out` must be writable for a line in the tile of each part, two tiles apart.
#[inline(always)]
unsafe fn split_line<S: Simd>(s: S, parts: Parts, x: S::V, y: S::V, out: *mut f32) {
    if parts == Parts::One {
        // SAFETY: the caller's promise.
        return unsafe { s.store(out, rounded_pairs(s, x, y)) };
    }
    let upper = s.splat_i(0xffff_0000_u32 as i32);
    let half = s.splat_i(0x8000);
    macro_rules! rounded {
        ($x:expr) => {
            s.as_float(s.and_i(s.add_i(s.bits($x), half), upper))
        };
    }
    macro_rules! word {
        ($first:expr, $second:expr) => {
            s.as_float(s.or_i(s.shr_i::<16>(s.bits($first)), s.and_i(s.bits($second), upper)))
        };
    }
    let (x_high, y_high) = (rounded!(x), rounded!(y));
    let (x, y) = (s.sub(x, x_high), s.sub(y, y_high));
    let (x_middle, y_middle) = (rounded!(x), rounded!(y));
    // What is left has 8 bits: nothing is cut off.
    let (x, y) = (s.sub(x, x_middle), s.sub(y, y_middle));
    // SAFETY: the caller's promise.
    unsafe {
        s.store(out, word!(x_high, y_high));
        s.store(out.add(2 * TILE_LEN), word!(x_middle, y_middle));
        s.store(out.add(4 * TILE_LEN), word!(x, y));
    }
}
