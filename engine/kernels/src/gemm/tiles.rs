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

#[cfg(target_arch = "x86_64")]
use std::arch::asm;
use std::cell::RefCell;

use super::epilogue::Finish;
use super::half::load;
use super::multiply::Floats;
use super::product::{K_BLOCK, Product, Strided};
use super::share::for_shares;
use super::square::{SIDE, transpose};
use super::{Epilogue, Strides, check};
use crate::isa::{Isa, isa};
use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch, rounded_pairs};

/// Lines of a tile, and words of a line.
const TILE: usize = SIDE;
/// Words of a tile.
const TILE_LEN: usize = TILE * TILE;
/// Rows, columns and numbers along the inner dimension that are multiplied at a time: two tiles of rows and two
/// of columns, of two numbers a word.
const BLOCK: usize = 2 * TILE;
/// Elements of A whose parts are kept at a time, in the second-level cache.
const A_LEN: usize = 64 << 10;

/// A line of a tile.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "read and written by address")] [f32; TILE]);

thread_local! {
    /// Sums, parts of A and parts of B, one after the other: at most 0.5 MB.
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

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
    const fn block_len(self) -> usize {
        match self {
            Parts::One => 2 * TILE_LEN,
            Parts::Three => 6 * TILE_LEN,
        }
    }
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
        let len = self.k.div_ceil(BLOCK) * self.parts.block_len();
        for column in (0..self.n).step_by(BLOCK) {
            let columns = (self.n - column).min(BLOCK);
            let from = self.b.wrapping_add(column * self.strides.1);
            let out = self.out.wrapping_add(column / BLOCK * len);
            // SAFETY: `pack_tiles` has checked both lengths.
            unsafe { split_b(s, self.parts, (self.k, columns), from, self.strides, out) };
        }
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
    (c, c_row): (&mut [f32], usize),
    epilogue: Epilogue,
    pool: Option<&Pool>,
) {
    assert_eq!(isa(), Isa::Amx, "no tile registers");
    check("a", a.len(), (m, k), a_strides);
    assert_eq!(packed_b.len(), packed_tiles_len(parts, k, n), "packed length");
    check("c", c.len(), (m, n), (c_row, 1));
    let finish = epilogue.finish(m, n, c.as_mut_ptr(), c_row);
    let product = Product::packed(Floats, (m, n, k), (a, a_strides), packed_b, finish);
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
    (c, c_row): (&mut [f32], usize),
    epilogue: Epilogue,
) {
    assert_eq!(isa(), Isa::Amx, "no tile registers");
    check("a", a.len(), (m, k), a_strides);
    check("b", b.len(), (k, n), b_strides);
    check("c", c.len(), (m, n), (c_row, 1));
    let finish = epilogue.finish(m, n, c.as_mut_ptr(), c_row);
    let b_at = Strided { ptr: b.as_ptr(), batch: 0, row: b_strides.0, col: b_strides.1 };
    let product = Product::packed(Floats, (m, n, k), (a, a_strides), b, finish);
    run(Parts::One, Product { b: b_at, ..product }, false);
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
    let needed = (4 * TILE_LEN + a_len + b_len) / TILE;
    LINES.with_borrow_mut(|lines| {
        if lines.len() < needed {
            *lines = vec![Line([0.0; TILE]); needed];
        }
        let sums = lines.as_mut_ptr().cast::<f32>();
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
    let mut lines = vec![Line([0.0; TILE]); (2 * len + 4 * TILE_LEN) / TILE];
    let sums = lines.as_mut_ptr().cast::<f32>();
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
                    unsafe { split_a(s, self.parts, (rows, depth), from, (a.row, a.col), self.a_parts) };
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
                Some(parts) => {
                    let from = b.wrapping_add(p * given.row + column * given.col);
                    // SAFETY: whoever made the product has checked that B holds the shape; the parts of a
                    // block of columns have room.
                    unsafe { split_b(s, self.parts, (depth, columns), from, (given.row, given.col), parts) };
                    parts.cast_const()
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

/// Parts of `rows` rows of A: for every 32 rows and then every 32 numbers of the inner dimension a block.
///
/// # Safety
/// A must be readable there and `out` writable for every block.
#[inline(always)]
unsafe fn split_a<S: Simd>(
    s: S,
    parts: Parts,
    (rows, depth): (usize, usize),
    a: *const f32,
    (row, col): (usize, usize),
    out: *mut f32,
) {
    let mut out = out;
    for i in (0..rows).step_by(BLOCK) {
        for p in (0..depth).step_by(BLOCK) {
            let (first, second) = ((depth - p).min(TILE), (depth - p).saturating_sub(TILE).min(TILE));
            for tile in 0..(rows - i).div_ceil(TILE).min(2) {
                let i = i + tile * TILE;
                let count = (rows - i).min(TILE);
                let from = a.wrapping_add(i * row + p * col);
                let later = from.wrapping_add(TILE * col);
                let out = out.wrapping_add(tile * TILE_LEN);
                // SAFETY: the caller's promise.
                unsafe {
                    split_tile(s, parts, from, (count, first), later, (count, second), (row, col), out)
                };
            }
            out = out.wrapping_add(parts.block_len());
        }
    }
}

/// Parts of up to 32 columns of B: for every 32 numbers of the inner dimension a block.
///
/// # Safety
/// As [`split_a`].
#[inline(always)]
unsafe fn split_b<S: Simd>(
    s: S,
    parts: Parts,
    (depth, columns): (usize, usize),
    b: *const f32,
    (row, col): (usize, usize),
    out: *mut f32,
) {
    let mut out = out;
    for p in (0..depth).step_by(BLOCK) {
        let (first, second) = ((depth - p).min(TILE), (depth - p).saturating_sub(TILE).min(TILE));
        for tile in 0..columns.div_ceil(TILE) {
            let j = tile * TILE;
            let count = (columns - j).min(TILE);
            let from = b.wrapping_add(p * row + j * col);
            let later = from.wrapping_add(TILE * row);
            let out = out.wrapping_add(tile * TILE_LEN);
            // SAFETY: the caller's promise.
            unsafe { split_tile(s, parts, from, (first, count), later, (second, count), (row, col), out) };
        }
        out = out.wrapping_add(parts.block_len());
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
    first: *const f32,
    (first_rows, first_cols): (usize, usize),
    second: *const f32,
    (second_rows, second_cols): (usize, usize),
    (row, col): (usize, usize),
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if col == 1 && second_rows == TILE && second_cols == TILE {
            for i in 0..TILE {
                let (x, y) = (s.load(first.add(i * row)), s.load(second.add(i * row)));
                split_line(s, parts, x, y, out.add(i * TILE));
            }
        } else {
            let x = square(s, first, (row, col), (first_rows, first_cols));
            let y = square(s, second, (row, col), (second_rows, second_cols));
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

/// Makes all eight tiles 16 lines of 64 bytes.
///
/// # Safety
/// The processor must have tile registers, and the system must allow them.
#[cfg(target_arch = "x86_64")]
unsafe fn configure() {
    #[repr(align(64))]
    struct Config([u8; 64]);
    static CONFIG: Config = {
        let mut config = [0; 64];
        config[0] = 1; // the palette
        let mut tile = 0;
        while tile < 8 {
            config[16 + 2 * tile] = 64; // bytes of a line
            config[48 + tile] = 16; // lines
            tile += 1;
        }
        Config(config)
    };
    // SAFETY: the caller's promise.
    unsafe { asm!("ldtilecfg [{}]", in(reg) CONFIG.0.as_ptr(), options(nostack, readonly, preserves_flags)) };
}

/// Gives the tiles back, so that the system need not keep them for this thread.
///
/// # Safety
/// As [`configure`].
#[cfg(target_arch = "x86_64")]
unsafe fn release() {
    // SAFETY: the caller's promise; nothing is expected of tiles any more.
    unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn configure() {}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn release() {}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn multiply(_: Parts, _: (bool, bool), _: usize, _: *const f32, _: *const f32, _: *mut f32) {
    unreachable!("no tile registers")
}

/// Sums of products of A's and B's parts over `steps` steps, for one or two tiles of rows and of columns: rows
/// of one or two lines each, one after the other.
///
/// # Safety
/// Tiles must be configured, parts readable for so many steps, and `sums` writable for the tiles.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn multiply(
    parts: Parts,
    two: (bool, bool),
    steps: usize,
    a: *const f32,
    b: *const f32,
    sums: *mut f32,
) {
    macro_rules! zero {
        (1 1) => {
            "tilezero tmm0\n"
        };
        (1 2) => {
            "tilezero tmm0\n tilezero tmm1\n"
        };
        (2 1) => {
            "tilezero tmm0\n tilezero tmm2\n"
        };
        (2 2) => {
            "tilezero tmm0\n tilezero tmm1\n tilezero tmm2\n tilezero tmm3\n"
        };
    }
    macro_rules! load_a {
        (1 $at:literal) => { concat!("tileloadd tmm4, [{a} + {line} + ", $at, "]\n") };
        (2 $at:literal) => {
            concat!(load_a!(1 $at), "tileloadd tmm5, [{a} + {line} + ", $at, " + 1024]\n")
        };
    }
    macro_rules! load_b {
        (1 $at:literal) => { concat!("tileloadd tmm6, [{b} + {line} + ", $at, "]\n") };
        (2 $at:literal) => {
            concat!(load_b!(1 $at), "tileloadd tmm7, [{b} + {line} + ", $at, " + 1024]\n")
        };
    }
    macro_rules! add {
        (1 1) => { "tdpbf16ps tmm0, tmm4, tmm6\n" };
        (1 2) => { concat!(add!(1 1), "tdpbf16ps tmm1, tmm4, tmm7\n") };
        (2 1) => { concat!(add!(1 1), "tdpbf16ps tmm2, tmm5, tmm6\n") };
        (2 2) => {
            concat!(add!(1 2), "tdpbf16ps tmm2, tmm5, tmm6\n", "tdpbf16ps tmm3, tmm5, tmm7\n")
        };
    }
    macro_rules! store {
        (1 1) => { "tilestored [{c} + {row}], tmm0\n" };
        (1 2) => { concat!(store!(1 1), "tilestored [{c} + {row} + 64], tmm1\n") };
        (2 1) => { concat!(store!(1 1), "tilestored [{c} + {row} + 1024], tmm2\n") };
        (2 2) => {
            concat!(
                store!(1 2),
                "tilestored [{c} + {row} + 2048], tmm2\n",
                "tilestored [{c} + {row} + 2112], tmm3\n",
            )
        };
    }
    // High parts are at 0, middle ones at 2048, low ones at 4096.
    macro_rules! block {
        (One $rows:tt $columns:tt) => {
            concat!(
                load_a!($rows "0"), load_b!($columns "0"), add!($rows $columns),
                "add {a}, 2048\n add {b}, 2048",
            )
        };
        (Three $rows:tt $columns:tt) => {
            concat!(
                load_a!($rows "0"), load_b!($columns "4096"), add!($rows $columns),
                load_b!($columns "2048"), add!($rows $columns),
                load_b!($columns "0"), add!($rows $columns),
                load_a!($rows "4096"), add!($rows $columns),
                load_a!($rows "2048"), add!($rows $columns),
                load_b!($columns "2048"), add!($rows $columns),
                "add {a}, 6144\n add {b}, 6144",
            )
        };
    }
    macro_rules! tiles {
        ($parts:tt $rows:tt $columns:tt) => {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    zero!($rows $columns),
                    "2:",
                    block!($parts $rows $columns),
                    "dec {steps}",
                    "jnz 2b",
                    store!($rows $columns),
                    a = inout(reg) a => _,
                    b = inout(reg) b => _,
                    steps = inout(reg) steps => _,
                    c = in(reg) sums,
                    line = in(reg) 64_usize,
                    row = in(reg) 64 * $columns as usize,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                )
            }
        };
    }
    match (parts, two) {
        (Parts::One, (true, true)) => tiles!(One 2 2),
        (Parts::One, (true, false)) => tiles!(One 2 1),
        (Parts::One, (false, true)) => tiles!(One 1 2),
        (Parts::One, (false, false)) => tiles!(One 1 1),
        (Parts::Three, (true, true)) => tiles!(Three 2 2),
        (Parts::Three, (true, false)) => tiles!(Three 2 1),
        (Parts::Three, (false, true)) => tiles!(Three 1 2),
        (Parts::Three, (false, false)) => tiles!(Three 1 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::{Strides, gemm, gemm_scratch};
    use crate::random::{Stream, normal_at};

    fn numbers(len: usize, seed: u64) -> Vec<f32> {
        (0..len as u64).map(|i| normal_at(Stream { seed, step: 0, site: 0 }, i)).collect()
    }

    /// Runs what needs tile registers, or says that there are none.
    fn with_tiles(body: impl FnOnce()) {
        if Isa::available().contains(&Isa::Amx) {
            Isa::Amx.force(body);
        } else {
            eprintln!("skipped: this machine has no tile registers");
        }
    }

    fn packed(k: usize, n: usize, b: &[f32], strides: Strides) -> Vec<f32> {
        let mut out = vec![f32::NAN; packed_tiles_len(Parts::Three, k, n)];
        pack_tiles(Parts::Three, k, n, b, strides, &mut out);
        out
    }

    fn product(sizes: (usize, usize, usize), a: &[f32], b: &[f32]) -> Vec<f32> {
        let (m, n, k) = sizes;
        let mut c = vec![f32::NAN; m * n];
        let b = packed(k, n, b, (n, 1));
        gemm_tiles(Parts::Three, m, n, k, a, (k, 1), &b, (&mut c, n), Epilogue::default(), None);
        c
    }

    #[test]
    fn parts_add_up_to_the_number() {
        with_tiles(|| {
            // Of every size that parts keep, and with all 24 bits in use.
            let x: Vec<f32> = numbers(BLOCK * BLOCK, 1)
                .iter()
                .enumerate()
                .map(|(i, x)| x * 2f32.powi(i as i32 % 220 - 100))
                .collect();
            let words = packed(BLOCK, BLOCK, &x, (BLOCK, 1));
            for (i, &x) in x.iter().enumerate() {
                let (row, column) = (i / BLOCK, i % BLOCK);
                let at = column / TILE * TILE_LEN + row % TILE * TILE + column % TILE;
                let part = |part: usize| {
                    let bits = words[part * 2 * TILE_LEN + at].to_bits();
                    f64::from(f32::from_bits(if row < TILE { bits << 16 } else { bits & 0xffff_0000 }))
                };
                let (high, middle, low) = (part(0), part(1), part(2));
                assert_eq!(high + middle + low, f64::from(x));
                assert!(middle.abs() <= high.abs() / 256.0 && low.abs() <= high.abs() / 65536.0);
            }
        });
    }

    #[test]
    fn any_strides_give_the_same_parts() {
        with_tiles(|| {
            let (k, n) = (45, 51);
            let b = numbers(k * n, 1);
            let rows = packed(k, n, &b, (n, 1));
            let transposed: Vec<f32> = (0..k * n).map(|i| b[i % k * n + i / k]).collect();
            assert_eq!(packed(k, n, &transposed, (1, k)), rows);
            let spread: Vec<f32> = b.iter().flat_map(|&x| [x, f32::NAN]).collect();
            assert_eq!(packed(k, n, &spread, (2 * n, 2)), rows);
        });
    }

    /// The largest error of an element, in units of the sum of its products' magnitudes.
    fn error((m, n, k): (usize, usize, usize), a: &[f32], b: &[f32], c: &[f32]) -> f64 {
        let mut worst = 0.0_f64;
        for i in 0..m {
            for j in 0..n {
                let products = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j]));
                let (sum, size) =
                    products.fold((0.0, 0.0), |(sum, size): (f64, f64), x| (sum + x, size + x.abs()));
                worst = worst.max((f64::from(c[i * n + j]) - sum).abs() / size);
            }
        }
        worst
    }

    #[test]
    fn products_are_as_exact_as_those_of_floats() {
        with_tiles(|| {
            for sizes in [(64, 64, 32), (70, 33, 257), (32, 40, 2000)] {
                let (m, n, k) = sizes;
                // Numbers of very different sizes beside each other.
                let spread = |x: Vec<f32>| -> Vec<f32> {
                    x.iter().enumerate().map(|(i, x)| x * 2f32.powi(i as i32 * 7 % 31 - 15)).collect()
                };
                let (a, b) = (spread(numbers(m * k, 1)), spread(numbers(k * n, 2)));
                let mut floats = vec![0.0; m * n];
                Isa::Avx512.force(|| {
                    let mut scratch = vec![0.0; gemm_scratch(k)];
                    gemm(m, n, k, &a, (k, 1), &b, (n, 1), &mut floats, n, Epilogue::default(), &mut scratch);
                });
                let tiles = product(sizes, &a, &b);
                assert_ne!(tiles, floats, "the same bits: were tiles used?");
                let (tiles, floats) = (error(sizes, &a, &b, &tiles), error(sizes, &a, &b, &floats));
                // Twice 2^-24 for what is left out of a product, beside what sums are rounded by.
                assert!(tiles <= floats.max(1.2e-7), "{sizes:?}: {tiles:e}, floats {floats:e}");
            }
        });
    }

    #[test]
    fn rounded_products_are_those_of_the_nearest_numbers() {
        let nearest = |x: f32| {
            // Up to the tie, and over it if the last digit that stays is odd.
            let bits = x.to_bits();
            f64::from(f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
        };
        with_tiles(|| {
            for (m, n, k) in [(5, 40, 33), (64, 64, 64), (70, 33, 1100)] {
                let (a, b, before) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
                let a_turned: Vec<f32> = (0..m * k).map(|i| a[i % m * k + i / m]).collect();
                let mut packed = vec![f32::NAN; packed_tiles_len(Parts::One, k, n)];
                pack_tiles(Parts::One, k, n, &b, (n, 1), &mut packed);
                let (mut by_packed, mut by_rows) = (before.clone(), before.clone());
                let sum = Epilogue::accumulate;
                gemm_tiles(Parts::One, m, n, k, &a, (k, 1), &packed, (&mut by_packed, n), sum(), None);
                bf16_gemm_tiles(m, n, k, &a_turned, (1, m), &b, (n, 1), (&mut by_rows, n), sum());
                assert_eq!(by_packed, by_rows);
                for (at, &got) in by_rows.iter().enumerate() {
                    let (i, j) = (at / n, at % n);
                    let products = (0..k).map(|p| nearest(a[i * k + p]) * nearest(b[p * n + j]));
                    let (sum, size) =
                        products.fold((0.0, 0.0), |(sum, size): (f64, f64), x| (sum + x, size + x.abs()));
                    let expected = sum + f64::from(before[at]);
                    assert!(
                        (f64::from(got) - expected).abs() <= 1e-6 * (size + 4.0),
                        "{got}, not {expected}"
                    );
                }
            }
        });
    }

    #[test]
    fn what_is_not_finite_is_not_hidden() {
        with_tiles(|| {
            let (m, n, k) = (35, 37, 40);
            for bad in [f32::NAN, f32::from_bits(0x7fff_ffff), f32::INFINITY, f32::NEG_INFINITY] {
                let (mut a, mut b) = (numbers(m * k, 1), numbers(k * n, 2));
                a[3 * k + 33] = bad;
                b[5 * n + 36] = bad;
                for (i, x) in product((m, n, k), &a, &b).iter().enumerate() {
                    assert_eq!(x.is_finite(), i / n != 3 && i % n != 36, "{bad} at row {}", i / n);
                }
            }
        });
    }

    #[test]
    fn sums_of_nothing_are_zero() {
        with_tiles(|| {
            assert_eq!(product((3, 2, 0), &[], &[]), [0.0; 6]);
            assert_eq!(product((0, 2, 3), &[], &[1.0; 6]), []);
            assert_eq!(product((2, 0, 3), &[1.0; 6], &[]), []);
        });
    }

    #[test]
    fn large_products_take_tiles_and_small_ones_do_not() {
        let (one, three) =
            (|m, n, k| tiles_pay(Parts::One, m, n, k), |m, n, k| tiles_pay(Parts::Three, m, n, k));
        with_tiles(|| {
            assert!(three(64, 64, 64) && !three(63, 64, 64));
            assert!(three(16, 512, 512) && !parts_pay(31, 512, 512) && parts_pay(32, 512, 512));
            assert!(!three(15, 512, 512) && !three(512, 31, 512) && !three(512, 512, 31));
            assert!(one(4, 32, 32) && !one(3, 512, 512) && !one(512, 31, 512) && !one(512, 512, 31));
        });
        for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::Amx) {
            assert!(!isa.force(|| one(512, 512, 512) || three(512, 512, 512)));
        }
    }
}
