//! What the products of long heads multiply: floats, or pairs of bf16 numbers made from them.

use super::lanes::put_rows;
use crate::gemm::kernels::{
    Finish, Floats, Layout, Multiply, Product, Share, Strided, WidenedPairs, multiply_pairs, pair_columns,
    pair_rows,
};
use crate::gemm::{Half, pair_count};
use crate::simd::{Kernel, Simd, dispatch, has_pairs};

/// A matrix in memory: its first number, and the distance between rows.
pub(super) type Matrix = (*const f32, usize);

/// One way to multiply. Operands are made from floats along the side that a product sums over.
pub(super) trait Operands: 'static {
    /// Whether operands are anything but the floats themselves.
    const CONVERTED: bool;

    /// Words that `k` numbers along the inner side take.
    fn depth(k: usize) -> usize;

    /// Makes an operand of X\[m, k\] with k inside: \[m, `depth(k)`\].
    ///
    /// # Safety
    /// X must be readable and `out` writable as the shapes say.
    unsafe fn columns(sizes: (usize, usize), x: Matrix, out: *mut f32);

    /// Makes an operand of X\[k, n\] with k inside: \[`depth(k)`, n\].
    ///
    /// # Safety
    /// X must be readable and `out` writable as the shapes say.
    unsafe fn rows(sizes: (usize, usize), x: Matrix, out: *mut f32);

    /// C\[m, n\] (+)= A\[m, k\]·B\[k, n\]: A with strides of rows and columns, B with contiguous columns,
    /// `k` in words.
    ///
    /// # Safety
    /// All must hold their shapes, `scratch` what `gemm_scratch(k)` says.
    unsafe fn product(
        sizes: (usize, usize, usize),
        a: (*const f32, usize, usize),
        b: Matrix,
        c: (*mut f32, usize),
        accumulate: bool,
        scratch: *mut f32,
    );
}

fn of<M: Multiply>(
    multiply: M,
    (m, n, k): (usize, usize, usize),
    a: (*const f32, usize, usize),
    b: Matrix,
    c: (*mut f32, usize),
    accumulate: bool,
    scratch: *mut f32,
) -> Product<M> {
    Product {
        multiply,
        batch: 1,
        m,
        n,
        k,
        a: Strided { ptr: a.0, batch: 0, row: a.1, col: a.2 },
        b: Strided { ptr: b.0, batch: 0, row: b.1, col: 1 },
        layout: Layout::Rows,
        finish: Finish::plain(c.0, c.1, accumulate),
        c_batch: 0,
        scratch,
        share: Share::ALL,
    }
}

/// The floats themselves. Making an operand brings rows together that lie far apart: rows a power of two
/// apart share a few sets of the first-level cache.
pub(super) struct Plain;

impl Operands for Plain {
    const CONVERTED: bool = false;

    fn depth(k: usize) -> usize {
        k
    }

    unsafe fn columns((m, k): (usize, usize), x: Matrix, out: *mut f32) {
        dispatch(Gather { rows: m, width: k, x, out });
    }

    unsafe fn rows((k, n): (usize, usize), x: Matrix, out: *mut f32) {
        dispatch(Gather { rows: k, width: n, x, out });
    }

    unsafe fn product(
        sizes: (usize, usize, usize),
        a: (*const f32, usize, usize),
        b: Matrix,
        c: (*mut f32, usize),
        accumulate: bool,
        scratch: *mut f32,
    ) {
        dispatch(of(Floats, sizes, a, b, c, accumulate, scratch));
    }
}

/// Pairs of bf16 numbers, see [`half_gemm`](crate::gemm::half_gemm).
pub(super) struct Pairs;

impl Operands for Pairs {
    const CONVERTED: bool = true;

    fn depth(k: usize) -> usize {
        pair_count(k)
    }

    unsafe fn columns(sizes: (usize, usize), x: Matrix, out: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { pair_columns(Half::Bf16, sizes, x, out) };
    }

    unsafe fn rows(sizes: (usize, usize), x: Matrix, out: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { pair_rows(Half::Bf16, sizes, x, out) };
    }

    unsafe fn product(
        sizes: (usize, usize, usize),
        a: (*const f32, usize, usize),
        b: Matrix,
        c: (*mut f32, usize),
        accumulate: bool,
        scratch: *mut f32,
    ) {
        let product = of(WidenedPairs, sizes, a, b, c, accumulate, scratch);
        multiply_pairs(Half::Bf16, product, has_pairs());
    }
}

/// Copies rows of `width` one behind the other.
struct Gather {
    rows: usize,
    width: usize,
    x: Matrix,
    out: *mut f32,
}

impl Kernel for Gather {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: the promise of `Operands`.
        unsafe { put_rows(s, (self.rows, self.width), Some(self.x), false, (self.out, self.width)) };
    }
}
