//! Normalising rows.

use crate::simd::{Kernel, Part, Simd, dispatch, each_vector, sum};

/// Layer norm of x \[rows, d\] into y; gamma and beta \[d\] where given; saves the mean and 1 / standard
/// deviation of each row for the backward pass.
///
/// # Panics
/// If a length does not fit the shape, as all functions here.
pub fn layer_norm(
    x: &[f32],
    gamma: Option<&[f32]>,
    beta: Option<&[f32]>,
    eps: f32,
    y: &mut [f32],
    mean: &mut [f32],
    rstd: &mut [f32],
    rows: usize,
    d: usize,
) {
    check(&[x.len(), y.len()], &[gamma, beta], &[mean.len(), rstd.len()], rows, d);
    dispatch(Forward::<true> { x, gamma, beta, eps, y, mean, rstd, rows, d });
}

/// RMS norm of x \[rows, d\] into y; gamma \[d\] where given; saves 1 / root mean square of each row.
pub fn rms_norm(
    x: &[f32],
    gamma: Option<&[f32]>,
    eps: f32,
    y: &mut [f32],
    rstd: &mut [f32],
    rows: usize,
    d: usize,
) {
    check(&[x.len(), y.len()], &[gamma], &[rstd.len()], rows, d);
    dispatch(Forward::<false> { x, gamma, beta: None, eps, y, mean: &mut [], rstd, rows, d });
}

/// Checks the lengths of full, per-column and per-row slices.
pub(super) fn check(full: &[usize], columns: &[Option<&[f32]>], per_row: &[usize], rows: usize, d: usize) {
    assert!(full.iter().all(|&len| len == rows * d), "lengths {full:?} for {rows} x {d}");
    assert!(columns.iter().flatten().all(|c| c.len() == d), "gamma or beta not of length {d}");
    assert!(per_row.iter().all(|&len| len == rows), "statistics {per_row:?} for {rows} rows");
}

/// `CENTRE` is layer norm's subtraction of the mean.
struct Forward<'a, const CENTRE: bool> {
    x: &'a [f32],
    gamma: Option<&'a [f32]>,
    beta: Option<&'a [f32]>,
    eps: f32,
    y: &'a mut [f32],
    mean: &'a mut [f32],
    rstd: &'a mut [f32],
    rows: usize,
    d: usize,
}

impl<const CENTRE: bool> Kernel for Forward<'_, CENTRE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let d = self.d;
        for row in 0..self.rows {
            // SAFETY of this block: `check` compared every length with rows and d.
            unsafe {
                let x = self.x.as_ptr().add(row * d);
                let y = self.y.as_mut_ptr().add(row * d);
                let mean = if CENTRE { sum(s, x, d) / d as f32 } else { 0.0 };
                let variance = squares(s, x, d, mean) / d as f32;
                let rstd = 1.0 / (variance + self.eps).sqrt();
                if CENTRE {
                    *self.mean.get_unchecked_mut(row) = mean;
                }
                *self.rstd.get_unchecked_mut(row) = rstd;

                let (mean, rstd) = (s.splat(mean), s.splat(rstd));
                macro_rules! write {
                    (|$i:ident, $part:ident, $normal:ident| $value:expr) => {
                        each_vector!(s, d, |$i, $part| {
                            let x = $part.load(s, x.add($i));
                            let $normal = s.mul(if CENTRE { s.sub(x, mean) } else { x }, rstd);
                            $part.store(s, y.add($i), $value);
                        })
                    };
                }
                match (self.gamma.map(<[f32]>::as_ptr), self.beta.map(<[f32]>::as_ptr)) {
                    (Some(gamma), Some(beta)) => write!(|i, part, normal| s.mul_add(
                        normal,
                        part.load(s, gamma.add(i)),
                        part.load(s, beta.add(i))
                    )),
                    (Some(gamma), None) => {
                        write!(|i, part, normal| s.mul(normal, part.load(s, gamma.add(i))))
                    }
                    (None, Some(beta)) => {
                        write!(|i, part, normal| s.add(normal, part.load(s, beta.add(i))))
                    }
                    (None, None) => write!(|i, part, normal| normal),
                }
            }
        }
    }
}

/// The sum of (x - mean)^2.
///
/// # Safety
/// `x` must be readable for `len` floats.
#[inline(always)]
unsafe fn squares<S: Simd>(s: S, x: *const f32, len: usize, mean: f32) -> f32 {
    let mean = s.splat(mean);
    let mut sums = [s.splat(0.0); 2];
    // SAFETY: every load ends at `len` or before it.
    unsafe {
        let mut i = 0;
        while i + 2 * S::LANES <= len {
            let a = s.sub(s.load(x.add(i)), mean);
            let b = s.sub(s.load(x.add(i + S::LANES)), mean);
            sums = [s.mul_add(a, a, sums[0]), s.mul_add(b, b, sums[1])];
            i += 2 * S::LANES;
        }
        let x = x.add(i);
        each_vector!(s, len - i, |j, part| {
            let a = part.keep(s, s.sub(part.load(s, x.add(j)), mean), 0.0);
            sums[0] = s.mul_add(a, a, sums[0]);
        });
    }
    s.reduce_add(s.add(sums[0], sums[1]))
}
