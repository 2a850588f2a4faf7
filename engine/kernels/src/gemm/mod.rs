//! Matrix products in f32.
//!
//! One micro-kernel serves all: a tile of C in registers, A read in place by broadcasts, B as panels
//! of columns that were packed before ([`pack_b`], for weights: once a training step), are packed on
//! the way, or are read in place where their columns are contiguous. Few rows against a transposed B
//! have kernels of their own, as there packing costs more than the product.
//!
//! The `gemm` crate is measured against (`examples/gemm_speed.rs`) but not used: it allocates in
//! every call, and it repacks where we need not. GFLOP/s on one Zen 5 core, the best of five runs on
//! a busy machine on which multiply-adds that touch no memory reach 245:
//!
//! | m x n x k | crate | [`gemm()`] | [`gemm_packed`] | packed, bias and ReLU |
//! |---|---|---|---|---|
//! | 336 x 384 x 128 | 233 | 227 | 238 | 231 |
//! | 336 x 128 x 128 | 236 | 238 | 251 | 228 |
//! | 336 x 256 x 128 | 240 | 235 | 244 | 232 |
//! | 336 x 128 x 256 | 234 | 239 | 240 | 244 |
//! | 8 x 96 x 5376 | 166 | 193 | 233 | 228 |
//! | 16 x 512 x 512 | 233 | 221 | 234 | 223 |
//! | 32 x 512 x 512 | 224 | 226 | 234 | 231 |
//! | 256 x 512 x 512 | 229 | 227 | 243 | 238 |
//! | 1024 x 512 x 512 | 222 | 216 | 217 | 218 |
//! | 42 x 42 x 16 | 101 | 108 | 121 | 108 |
//! | 1 x 512 x 512 | 44 | 47 | 66 | 67 |
//!
//! | m x n x k | crate A·Bᵀ | [`gemm()`] A·Bᵀ | crate Aᵀ·B | C += Aᵀ·B |
//! |---|---|---|---|---|
//! | 336 x 128 x 384 | 222 | 227 | 232 | 228 |
//! | 384 x 128 x 336 | 225 | 227 | 231 | 228 |
//! | 128 x 128 x 336 | 205 | 214 | 225 | 226 |
//! | 256 x 128 x 336 | 224 | 229 | 234 | 231 |
//! | 128 x 256 x 336 | 205 | 214 | 211 | 225 |
//! | 96 x 5376 x 8 | 161 | 125 | 183 | 118 |
//! | 512 x 512 x 16 | 204 | 191 | 209 | 162 |
//! | 512 x 512 x 256 | 207 | 229 | 211 | 210 |
//! | 512 x 512 x 1024 | 166 | 218 | 197 | 191 |
//! | 16 x 512 x 512 | 36 | 192 | 223 | 222 |
//! | 32 x 512 x 512 | 62 | 191 | 215 | 218 |
//! | 1 x 512 x 512 | 61 | 64 | 43 | 47 |
//!
//! (The crate's Aᵀ·B replaces C; ours also reads it, which is what tells at k of 8 and 16.)

mod activation;
mod epilogue;
mod few_rows;
mod half;
mod int8;
mod multiply;
mod panel;
mod product;
mod share;
mod square;
mod tile;
mod tiles;

pub use activation::Activation;
pub use epilogue::Epilogue;
pub use few_rows::FEW_ROWS;
pub use half::{Half, half_gemm, half_gemm_packed, pair_columns, pair_count, pair_rows};
pub use int8::{INT8_LONGEST, Int8Shape, int8_gemm, int8_parts, pack_int8, quantize_rows, round_int8};
pub use tiles::{Parts, bf16_gemm_tiles, gemm_tiles, pack_tiles, packed_tiles_len, tiles_pay};

use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch};
use few_rows::{FewRows, few_rows};
use multiply::Floats;
use panel::{Pack, PackedLen};
use product::{Layout, Product, Strided, block_len};
use share::{Share, for_shares};

/// For other kernels that are made of products.
pub(crate) mod kernels {
    pub(crate) use super::epilogue::Finish;
    pub(crate) use super::half::{columns as pair_columns, rows as pair_rows, run as multiply_pairs};
    pub(crate) use super::multiply::{Floats, Multiply, NativePairs, NativeQuads, WidenedPairs};
    pub(crate) use super::panel::pack_panel;
    pub(crate) use super::product::{Layout, Product, Strided};
    pub(crate) use super::share::Share;
    pub(crate) use super::square::{SIDE, transpose};
    pub(crate) use super::tiles::multiply_blocks;
}

/// Row and column stride of a matrix: element (i, j) is at `i * row + j * col`.
pub type Strides = (usize, usize);

/// C[m, n] = A[m, k]·B[k, n], for any strides of A and B, finished by the epilogue.
///
/// `scratch` holds at least [`gemm_scratch`] floats.
///
/// # Panics
/// If a slice is shorter than its shape and strides need.
pub fn gemm(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_strides: Strides,
    b: &[f32],
    b_strides: Strides,
    c: &mut [f32],
    c_row: usize,
    epilogue: Epilogue,
    scratch: &mut [f32],
) {
    batched_gemm(1, m, n, k, a, (0, a_strides), b, (0, b_strides), c, (0, c_row), epilogue, scratch);
}

/// C[m, n] = A·Bᵀ for rows A[m, k] and B[n, k], finished by the epilogue, with columns shared out over `pool`.
/// Of up to [`FEW_ROWS`] rows, the result is that of [`gemm()`] to the last bit.
///
/// `scratch` holds at least [`gemm_scratch`] floats.
///
/// # Panics
/// If a slice is shorter than its shape needs.
pub fn gemm_shared(
    (m, n, k): (usize, usize, usize),
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    epilogue: Epilogue,
    scratch: &mut [f32],
    pool: &Pool,
) {
    check("a", a.len(), (m, k), (k, 1));
    check("b", b.len(), (n, k), (k, 1));
    check("c", c.len(), (m, n), (n, 1));
    let needed = gemm_scratch(k);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let a = Strided { ptr: a.as_ptr(), batch: 0, row: k, col: 1 };
    let b = Strided { ptr: b.as_ptr(), batch: 0, row: 1, col: k };
    let finish = epilogue.finish(m, n, c.as_mut_ptr(), n);
    let scratch = scratch.as_mut_ptr();
    few_rows(FewRows { m, n, k, a, b, finish, scratch }, Some(pool));
}

/// Floats of scratch for [`gemm()`] and [`batched_gemm`].
pub fn gemm_scratch(k: usize) -> usize {
    struct Len(usize);
    impl Kernel for Len {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> usize {
            // A block of a panel, or a vector of A's rows over all of k.
            block_len::<S>(self.0).max(self.0 * S::LANES)
        }
    }
    dispatch(Len(k))
}

/// `batch` products C[m, n] = A[m, k]·B[k, n]; each matrix is given with its batch stride.
///
/// The epilogue's bias, if any, is shared; it may hold neither a residual nor a pre-activation
/// unless `batch` is 1. `scratch` holds at least [`gemm_scratch`] floats.
///
/// # Panics
/// If a slice is shorter than its shape and strides need.
pub fn batched_gemm(
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    (a_batch, a_strides): (usize, Strides),
    b: &[f32],
    (b_batch, b_strides): (usize, Strides),
    c: &mut [f32],
    (c_batch, c_row): (usize, usize),
    epilogue: Epilogue,
    scratch: &mut [f32],
) {
    if batch == 0 {
        return;
    }
    let last = batch - 1;
    check("a", a.len().saturating_sub(last * a_batch), (m, k), a_strides);
    check("b", b.len().saturating_sub(last * b_batch), (k, n), b_strides);
    check("c", c.len().saturating_sub(last * c_batch), (m, n), (c_row, 1));
    assert!(
        batch == 1 || (epilogue.residual.is_none() && epilogue.pre_activation.is_none()),
        "a batched product takes neither residual nor pre-activation"
    );
    let needed = gemm_scratch(k);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let a = Strided { ptr: a.as_ptr(), batch: a_batch, row: a_strides.0, col: a_strides.1 };
    let b = Strided { ptr: b.as_ptr(), batch: b_batch, row: b_strides.0, col: b_strides.1 };
    let finish = epilogue.finish(m, n, c.as_mut_ptr(), c_row);
    let scratch = scratch.as_mut_ptr();
    if batch == 1 && (1..=FEW_ROWS).contains(&m) && b.row == 1 && b.col != 1 {
        few_rows(FewRows { m, n, k, a, b, finish, scratch }, None);
    } else {
        let layout = if b.col == 1 { Layout::Rows } else { Layout::Strided };
        let product = Product {
            multiply: Floats,
            batch,
            m,
            n,
            k,
            a,
            b,
            layout,
            finish,
            c_batch,
            scratch,
            share: Share::ALL,
        };
        if tiles::parts_pay(m, n, k) { tiles::run(Parts::Three, product, false) } else { dispatch(product) }
    }
}

/// Floats that [`pack_b`] writes for B[k, n] (under the instruction set in force).
pub fn packed_len(k: usize, n: usize) -> usize {
    dispatch(PackedLen { k, n })
}

/// Packs B[k, n] for [`gemm_packed`] under the same instruction set.
///
/// # Panics
/// If `b` is shorter than its shape needs, or `out` is not [`packed_len`] long.
pub fn pack_b(k: usize, n: usize, b: &[f32], strides: Strides, out: &mut [f32]) {
    check("b", b.len(), (k, n), strides);
    assert_eq!(out.len(), packed_len(k, n), "packed length");
    dispatch(Pack { k, n, b: b.as_ptr(), strides, out: out.as_mut_ptr() });
}

/// C[m, n] = A[m, k]·B[k, n] for a B from [`pack_b`], finished by the epilogue; `c` has a distance between
/// rows. Columns are shared out over `pool` if there is one.
///
/// # Panics
/// If a slice is shorter than its shape and strides need.
pub fn gemm_packed(
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
    let packed = (packed_b, packed_len(k, n));
    let product = Product::packed(Floats, (m, n, k), (a, a_strides), packed, c, epilogue);
    // SAFETY: shares write columns of their own, and need no scratch.
    unsafe { for_shares(pool, |share| dispatch(Product { share, ..product })) };
}

/// Asserts that a slice of `len` holds a matrix.
fn check(name: &str, len: usize, (rows, cols): (usize, usize), (row, col): Strides) {
    if rows > 0 && cols > 0 {
        let needed = (rows - 1) * row + (cols - 1) * col + 1;
        assert!(
            len >= needed,
            "{name}: {len} floats, but [{rows}, {cols}] with strides ({row}, {col}) needs {needed}"
        );
    }
}

#[cfg(test)]
mod tests;
