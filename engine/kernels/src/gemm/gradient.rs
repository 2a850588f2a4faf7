//! Gradients of weights and biases: products whose inner dimension is the rows of a batch.

use super::{Epilogue, Strides, check, gemm};
use crate::simd::{Kernel, Simd, dispatch};

/// Columns summed at a time, in vectors.
const WIDE: usize = 4;

/// C[n, k] (+)= A[m, n]ᵀ·B[m, k], and, if asked for, the sums over the rows of A added to
/// `column_sums`, `[n]`.
///
/// With a weight stored `[out, in]`, A is the gradient of the output and B the input: C is the
/// gradient of the weight, and the sums are that of the bias. `scratch` holds at least
/// `gemm_scratch(m)` floats.
///
/// # Panics
/// If a slice is shorter than its shape and row stride need.
pub fn gemm_tn(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_row: usize,
    b: &[f32],
    b_row: usize,
    c: &mut [f32],
    c_row: usize,
    accumulate: bool,
    column_sums: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    let strides: Strides = (1, a_row);
    let epilogue = Epilogue { accumulate, ..Epilogue::default() };
    gemm(n, k, m, a, strides, b, (b_row, 1), c, c_row, epilogue, scratch);
    if let Some(sums) = column_sums {
        add_column_sums(m, n, a, a_row, sums);
    }
}

/// Adds to each of `sums` the sum of its column of A, `[m, n]`.
///
/// # Panics
/// If a slice is shorter than its shape and row stride need.
pub fn add_column_sums(m: usize, n: usize, a: &[f32], a_row: usize, sums: &mut [f32]) {
    check("a", a.len(), (m, n), (a_row, 1));
    assert_eq!(sums.len(), n, "one sum a column");
    dispatch(ColumnSums { m, n, a: a.as_ptr(), a_row, sums: sums.as_mut_ptr() });
}

struct ColumnSums {
    m: usize,
    n: usize,
    a: *const f32,
    a_row: usize,
    sums: *mut f32,
}

impl Kernel for ColumnSums {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut j = 0;
        // SAFETY: `add_column_sums` has checked that A holds m rows of n, and `sums` n values.
        unsafe {
            while j + WIDE * S::LANES <= self.n {
                self.columns::<S, WIDE>(s, j);
                j += WIDE * S::LANES;
            }
            while j + S::LANES <= self.n {
                self.columns::<S, 1>(s, j);
                j += S::LANES;
            }
            if j < self.n {
                let count = self.n - j;
                let mut sum = s.load_first(self.sums.add(j), count);
                for i in 0..self.m {
                    sum = s.add(sum, s.load_first(self.a.add(i * self.a_row + j), count));
                }
                s.store_first(self.sums.add(j), count, sum);
            }
        }
    }
}

impl ColumnSums {
    /// # Safety
    /// `V` vectors of columns from j on are inside A.
    #[inline(always)]
    unsafe fn columns<S: Simd, const V: usize>(&self, s: S, j: usize) {
        let mut sum = [s.splat(0.0); V];
        // SAFETY: the caller's promise.
        unsafe {
            for i in 0..self.m {
                for (v, sum) in sum.iter_mut().enumerate() {
                    *sum = s.add(*sum, s.load(self.a.add(i * self.a_row + j + v * S::LANES)));
                }
            }
            for (v, sum) in sum.into_iter().enumerate() {
                let to = self.sums.add(j + v * S::LANES);
                s.store(to, s.add(s.load(to), sum));
            }
        }
    }
}
