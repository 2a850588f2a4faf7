//! Moving values without changing them: transposes, permutations, slices, padding, broadcasting.
//!
//! Everything comes down to [`copy_strided`], which finds the fastest inner loop for its strides: a
//! block copy, a fill, a transpose in 8 x 8 blocks, or one value at a time. Shapes have up to
//! [`MAX_AXES`] axes, are row-major, and list the slowest axis first.

mod shapes;
mod strided;

pub use shapes::{broadcast_to, concat, pad, permute, slice};
pub use strided::{MAX_AXES, copy_strided};

use crate::simd::{Kernel, Simd, dispatch};

/// dst \[cols, rows\] = the transpose of src \[rows, cols\].
///
/// # Panics
/// If the lengths do not fit the shape.
pub fn transpose(src: &[f32], dst: &mut [f32], rows: usize, cols: usize) {
    assert_eq!([src.len(), dst.len()], [rows * cols; 2]);
    dispatch(Transpose { src, dst, rows, cols });
}

struct Transpose<'a> {
    src: &'a [f32],
    dst: &'a mut [f32],
    rows: usize,
    cols: usize,
}

impl Kernel for Transpose<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (rows, cols) = (self.rows, self.cols);
        // SAFETY: `transpose` checked both lengths against the shape.
        unsafe { transpose_strided(s, self.src.as_ptr(), cols, self.dst.as_mut_ptr(), rows, rows, cols) };
    }
}

/// dst\[j * dst_stride + i\] = src\[i * src_stride + j\] for i below `rows` and j below `cols`.
///
/// # Safety
/// Every such place must be valid.
#[inline(always)]
unsafe fn transpose_strided<S: Simd>(
    s: S,
    src: *const f32,
    src_stride: usize,
    dst: *mut f32,
    dst_stride: usize,
    rows: usize,
    cols: usize,
) {
    // A strip of 64 rows and two blocks of columns: each cache line that is read (16 columns) is used
    // up before it can be evicted, even where the stride maps the strip's lines to few cache sets.
    const STRIP: usize = 64;
    let (whole_rows, whole_cols) = (rows - rows % 8, cols - cols % 8);
    // SAFETY: i and j stay below `rows` and `cols`.
    unsafe {
        let mut top = 0;
        while top < whole_rows {
            let bottom = (top + STRIP).min(whole_rows);
            let mut j = 0;
            while j < whole_cols {
                let mut i = top;
                while i < bottom {
                    let (from, to) = (src.add(i * src_stride + j), dst.add(j * dst_stride + i));
                    s.transpose_8x8(from, src_stride, to, dst_stride);
                    i += 8;
                }
                j += 8;
            }
            top = bottom;
        }
        for i in 0..rows {
            let first = if i < whole_rows { whole_cols } else { 0 };
            for j in first..cols {
                *dst.add(j * dst_stride + i) = *src.add(i * src_stride + j);
            }
        }
    }
}

#[cfg(test)]
mod tests;
