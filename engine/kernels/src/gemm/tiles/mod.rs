//! Products in tile registers (AMX), which multiply bf16 numbers only: of numbers rounded to those, or of floats.
//!
//! A float has 24 bits of precision, a bf16 number 8: a float is the sum of three, high, middle and low,
//! each of what the ones before leave. Of the nine products of parts, six are made; the other three are
//! at most 2^-23 of the product together, where rounding a product to a float costs up to 2^-24, and sums
//! are kept in f32. So the error is that of a product of floats, and the time less than half, as tiles
//! multiply 16 times faster (Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial
//! intelligence datatype for higher-precision computations", 2019).
//!
//! What differs from other instruction sets: numbers and sums below the normal range (1.2e-38) count as 0, so
//! that parts of numbers below 1e-33 lose digits; an operand that is infinite, or above 3.39e38, makes NaN.

use std::cell::RefCell;

use super::epilogue::Finish;
use super::multiply::Floats;
use super::product::{K_BLOCK, Product};
use super::share::for_shares;
use super::square::SIDE;
use super::{Epilogue, Strides, check};
use crate::arena::Arena;
use crate::isa::{Isa, isa};
use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch};

mod parts;
mod registers;
pub use parts::Parts;
use parts::{Operand, split};
use registers::{configure, multiply, release};

/// Lines of a tile, and words of a line.
const TILE: usize = SIDE;
/// Words of a tile.
const TILE_LEN: usize = TILE * TILE;
/// Rows, columns and numbers along the inner dimension that are multiplied at a time: two tiles of rows and two
/// of columns, of two numbers a word.
const BLOCK: usize = 2 * TILE;
/// Elements of A whose parts are kept at a time, in the second-level cache.
const A_LEN: usize = 64 << 10;

thread_local! {
    /// Sums, parts of A and parts of B, one after the other: at most 0.5 MB.
    static ROOM: RefCell<Arena> = RefCell::new(Arena::new(0));
}

/// Multiplications of floats from which a product is faster in tile registers.
const WORTH_TILES: usize = 1 << 18;
/// Rows from which it is so even if the parts of B are made for it alone.
const ROWS_WORTH_PARTS: usize = 32;
/// Rows from which a product of rounded numbers is faster there.
const ROWS_WORTH_ROUNDING: usize = 4;

/// Whether the instruction set in force has tile registers, and products of these sizes by a B from
/// [`pack_tiles`] are faster there than others.
pub fn tiles_pay(parts: Parts, m: usize, n: usize, k: usize) -> bool {
    let enough = match parts {
        Parts::One => m >= ROWS_WORTH_ROUNDING,
        Parts::Three => m >= TILE && m * n * k >= WORTH_TILES,
    };
    isa() == Isa::Amx && n >= BLOCK && k >= BLOCK && enough
}

/// The same of floats by a B that is not packed.
pub(super) fn parts_pay(m: usize, n: usize, k: usize) -> bool {
    m >= ROWS_WORTH_PARTS && tiles_pay(Parts::Three, m, n, k)
}

/// Floats that [`pack_tiles`] writes for B\[k, n\].
pub fn packed_tiles_len(parts: Parts, k: usize, n: usize) -> usize {
    k.div_ceil(BLOCK) * n.div_ceil(BLOCK) * parts.block_len()
}

/// Makes the parts of B\[k, n\] for [`gemm_tiles`].
///
/// # Panics
/// If `b` is shorter than its shape needs, `out` is not [`packed_tiles_len`] long, or the instruction set has
/// no tile registers.
pub fn pack_tiles(parts: Parts, k: usize, n: usize, b: &[f32], strides: Strides, out: &mut [f32]) {
    assert_eq!(isa(), Isa::Amx, "no tile registers");
    check("b", b.len(), (k, n), strides);
    assert_eq!(out.len(), packed_tiles_len(parts, k, n), "packed length");
    dispatch(Pack { parts, k, n, b: b.as_ptr(), strides, out: out.as_mut_ptr() });
}

struct Pack {
    parts: Parts,
    k: usize,
    n: usize,
    b: *const f32,
    strides: Strides,
    out: *mut f32,
}

impl Kernel for Pack {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Pack { parts, k, n, b, strides: (row, col), out } = self;
        // SAFETY: `pack_tiles` has checked both lengths.
        unsafe { split(s, (parts, Operand::B), (n, k), b, (col, row), out) };
    }
}

/// C\[m, n\] = A\[m, k\]·B\[k, n\] for a B from [`pack_tiles`], finished by the epilogue; `c` has a distance
/// between rows. Columns are shared out over `pool` if there is one.
///
/// ```
/// use bessemer_kernels::Isa;
/// use bessemer_kernels::gemm::{Epilogue, Parts, gemm_tiles, pack_tiles, packed_tiles_len};
///
/// let (m, n, k) = (1, 2, 3);
/// let a = [1.0, 2.0, 3.0]; // [m, k]
/// let b = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]; // [k, n]
/// if Isa::available().contains(&Isa::Amx) {
///     Isa::Amx.force(|| {
///         let mut packed = vec![0.0; packed_tiles_len(Parts::Three, k, n)];
///         pack_tiles(Parts::Three, k, n, &b, (n, 1), &mut packed);
///         let mut c = [0.0; 2];
///         let epilogue = Epilogue::default();
///         gemm_tiles(Parts::Three, m, n, k, &a, (k, 1), &packed, (&mut c, n), epilogue, None);
///         assert_eq!(c, [14.0, 140.0]);
///     });
/// }
/// ```
///
/// # Panics
/// If a slice is shorter than its shape and strides need, or the instruction set has no tile registers.
pub fn gemm_tiles(
    parts: Parts,
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_strides: Strides,
    packed_b: &[f32],
    c: (&mut [f32], usize),
    epilogue: Epilogue,
    pool: Option<&Pool>,
) {
    assert_eq!(isa(), Isa::Amx, "no tile registers");
    let packed = (packed_b, packed_tiles_len(parts, k, n));
    let product = Product::packed(Floats, (m, n, k), (a, a_strides), packed, c, epilogue);
    // SAFETY: shares write columns of their own, and need no scratch.
    unsafe { for_shares(pool, |share| run(parts, Product { share, ..product }, true)) };
}

/// C\[m, n\] = A\[m, k\]·B\[k, n\] of numbers rounded to bf16, for any strides of A and B, finished by the epilogue.
///
/// # Panics
/// If a slice is shorter than its shape and strides need, or the instruction set has no tile registers.
pub fn bf16_gemm_tiles(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_strides: Strides,
    b: &[f32],
    b_strides: Strides,
    c: (&mut [f32], usize),
    epilogue: Epilogue,
) {
    assert_eq!(isa(), Isa::Amx, "no tile registers");
    // There are no panels: B is cut into tiles.
    let scratch = std::ptr::dangling_mut();
    let (a, b) = ((a, a_strides), (b, b_strides));
    run(Parts::One, Product::unpacked(Floats, (m, n, k), a, b, c, epilogue, scratch), false);
}

/// Runs a product in tile registers; `packed` if B is there as parts.
pub(super) fn run(parts: Parts, product: Product<Floats>, packed: bool) {
    let Product { m, k, .. } = product;
    if k == 0 {
        // No sums, but what the epilogue makes of 0.
        return dispatch(product);
    }
    let depth = k.div_ceil(k.div_ceil(K_BLOCK)).next_multiple_of(BLOCK);
    let rows = (A_LEN / depth / BLOCK * BLOCK).min(m.next_multiple_of(BLOCK).max(BLOCK));
    let blocks = depth / BLOCK * parts.block_len();
    let (a_len, b_len) = (rows / BLOCK * blocks, if packed { 0 } else { blocks });
    let needed = 4 * TILE_LEN + a_len + b_len;
    ROOM.with_borrow_mut(|room| {
        if room.len() < needed {
            *room = Arena::new(needed);
        }
        let sums = room.as_mut_slice().as_mut_ptr();
        let a_parts = sums.wrapping_add(4 * TILE_LEN);
        let b_parts = (!packed).then(|| a_parts.wrapping_add(a_len));
        // SAFETY: a thread comes here only if its instruction set has tile registers.
        unsafe { configure() };
        dispatch(Tiles { parts, product, depth, rows, sums, a_parts, b_parts });
        // SAFETY: as above.
        unsafe { release() };
    });
}

/// Multiplies blocks that stay in the first-level cache so many times, and returns the operations on floats.
pub(crate) fn multiply_blocks(parts: Parts, times: usize) -> f64 {
    assert_eq!(isa(), Isa::Amx, "no tile registers");
    const BLOCKS: usize = 3;
    let len = BLOCKS * parts.block_len();
    let mut room = Arena::new(4 * TILE_LEN + 2 * len);
    let sums = room.as_mut_slice().as_mut_ptr();
    let a = sums.wrapping_add(4 * TILE_LEN);
    // SAFETY: just asserted; parts and sums have room.
    unsafe {
        configure();
        for _ in 0..times {
            multiply(parts, (true, true), BLOCKS, a, a.wrapping_add(len), sums);
        }
        release();
    }
    (2 * BLOCK.pow(3) * BLOCKS * times) as f64
}

/// A product by so many rows of A and so much of the inner dimension at a time, and where sums and parts have
/// room.
struct Tiles {
    parts: Parts,
    product: Product<Floats>,
    depth: usize,
    rows: usize,
    sums: *mut f32,
    a_parts: *mut f32,
    /// None if B is there as parts.
    b_parts: Option<*mut f32>,
}

impl Kernel for Tiles {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Product { batch: batches, m, k, a, b, finish, c_batch, .. } = self.product;
        for batch in 0..batches {
            let a_at = a.ptr.wrapping_add(batch * a.batch);
            let b_at = b.ptr.wrapping_add(batch * b.batch);
            for p in (0..k).step_by(self.depth) {
                let depth = (k - p).min(self.depth);
                let mut finish = if p + depth < k { finish.partial() } else { finish };
                finish.c = finish.c.wrapping_add(batch * c_batch);
                finish.accumulate |= p > 0;
                for i in (0..m).step_by(self.rows) {
                    let rows = (m - i).min(self.rows);
                    let from = a_at.wrapping_add(i * a.row + p * a.col);
                    // SAFETY: whoever made the product has checked that A holds the shape, and parts of so
                    // many rows have room.
                    unsafe {
                        split(s, (self.parts, Operand::A), (rows, depth), from, (a.row, a.col), self.a_parts)
                    };
                    self.columns(s, b_at, (p, depth), rows, finish.at(i, 0));
                }
            }
        }
    }
}

impl Tiles {
    /// Multiplies the parts of `rows` rows of A and all columns, from p on along the inner dimension.
    #[inline(always)]
    fn columns<S: Simd>(&self, s: S, b: *const f32, (p, depth): (usize, usize), rows: usize, finish: Finish) {
        let Product { n, k, b: given, share, .. } = self.product;
        let (steps, block_len) = (depth.div_ceil(BLOCK), self.parts.block_len());
        for block in share.range(n.div_ceil(BLOCK)) {
            let column = block * BLOCK;
            let columns = (n - column).min(BLOCK);
            let b_parts = match self.b_parts {
                None => b.wrapping_add((block * k.div_ceil(BLOCK) + p / BLOCK) * block_len),
                Some(room) => {
                    let operand = (self.parts, Operand::B);
                    let from = b.wrapping_add(p * given.row + column * given.col);
                    // SAFETY: whoever made the product has checked that B holds the shape; the parts of a
                    // block of columns have room.
                    unsafe { split(s, operand, (columns, depth), from, (given.col, given.row), room) };
                    room.cast_const()
                }
            };
            for i in (0..rows).step_by(BLOCK) {
                let rows = (rows - i).min(BLOCK);
                let a_parts = self.a_parts.wrapping_add(i / BLOCK * steps * block_len);
                let tiles = if columns > TILE { 2 } else { 1 };
                // SAFETY: these are the parts that were made, and four tiles have room in the sums.
                unsafe { multiply(self.parts, (rows > TILE, tiles > 1), steps, a_parts, b_parts, self.sums) };
                store(s, finish.at(i, column), self.sums, rows, columns, tiles);
            }
        }
    }
}

/// Finishes `rows` rows of `columns` columns, of `tiles` tiles a row.
#[inline(always)]
fn store<S: Simd>(s: S, finish: Finish, sums: *const f32, rows: usize, columns: usize, tiles: usize) {
    // SAFETY: the sums are written; C and what else the epilogue names were checked to hold the shape.
    unsafe {
        if finish.is_cheap() && columns == tiles * TILE {
            finish.store_cheap(s, sums, rows, tiles);
        } else {
            finish.store_spilled(s, sums, tiles * TILE, rows, columns);
        }
    }
}

#[cfg(test)]
mod tests;
