//! Gradients of the norms.
//!
//! With n = (x - mean) rstd and g = dy gamma: dgamma = sum over rows of dy n, dbeta = sum of dy, and
//! dx = rstd (g - mean(g) - n mean(g n)); RMS norm leaves out mean(g).

use super::forward::check;
use crate::simd::{Kernel, Part, Simd, dispatch, each_vector};

/// The gradients of layer norm: dx \[rows, d\], and dgamma and dbeta \[d\] where given, which are added
/// to with `accumulate` and overwritten otherwise.
///
/// # Panics
/// If a length does not fit the shape.
pub fn layer_norm_backward(
    x: &[f32],
    gamma: Option<&[f32]>,
    mean: &[f32],
    rstd: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dgamma: Option<&mut [f32]>,
    dbeta: Option<&mut [f32]>,
    accumulate: bool,
    rows: usize,
    d: usize,
) {
    check(&[x.len(), dy.len(), dx.len()], &[gamma], &[mean.len(), rstd.len()], rows, d);
    let (dgamma, dbeta) = (start(dgamma, accumulate, d), start(dbeta, accumulate, d));
    dispatch(Backward::<true> { x, gamma, mean, rstd, dy, dx, dgamma, dbeta, rows, d });
}

/// The gradients of RMS norm, as [`layer_norm_backward`].
pub fn rms_norm_backward(
    x: &[f32],
    gamma: Option<&[f32]>,
    rstd: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dgamma: Option<&mut [f32]>,
    accumulate: bool,
    rows: usize,
    d: usize,
) {
    check(&[x.len(), dy.len(), dx.len()], &[gamma], &[rstd.len()], rows, d);
    let (dgamma, dbeta) = (start(dgamma, accumulate, d), None);
    dispatch(Backward::<false> { x, gamma, mean: &[], rstd, dy, dx, dgamma, dbeta, rows, d });
}

/// Checks an accumulator, and clears it unless it is to be added to.
fn start(sums: Option<&mut [f32]>, accumulate: bool, d: usize) -> Option<&mut [f32]> {
    let sums = sums?;
    assert_eq!(sums.len(), d, "dgamma or dbeta");
    if !accumulate {
        sums.fill(0.0);
    }
    Some(sums)
}

struct Backward<'a, const CENTRE: bool> {
    x: &'a [f32],
    gamma: Option<&'a [f32]>,
    mean: &'a [f32],
    rstd: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    dgamma: Option<&'a mut [f32]>,
    dbeta: Option<&'a mut [f32]>,
    rows: usize,
    d: usize,
}

impl<const CENTRE: bool> Kernel for Backward<'_, CENTRE> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let d = self.d;
        let gamma = self.gamma.map(<[f32]>::as_ptr);
        let dgamma = self.dgamma.as_mut().map(|x| x.as_mut_ptr());
        let dbeta = self.dbeta.as_mut().map(|x| x.as_mut_ptr());
        for row in 0..self.rows {
            // SAFETY of this block: the entry points compared every length with rows and d.
            unsafe {
                let x = self.x.as_ptr().add(row * d);
                let dy = self.dy.as_ptr().add(row * d);
                let dx = self.dx.as_mut_ptr().add(row * d);
                let mean = s.splat(if CENTRE { *self.mean.get_unchecked(row) } else { 0.0 });
                let rstd = s.splat(*self.rstd.get_unchecked(row));
                macro_rules! normal {
                    ($part:ident, $i:ident) => {{
                        let x = $part.load(s, x.add($i));
                        s.mul(if CENTRE { s.sub(x, mean) } else { x }, rstd)
                    }};
                }
                macro_rules! scaled {
                    ($part:ident, $i:ident, $dy:expr) => {
                        match gamma {
                            Some(gamma) => s.mul($dy, $part.load(s, gamma.add($i))),
                            None => $dy,
                        }
                    };
                }

                // dy is 0 in lanes beyond the row, and so is everything it multiplies.
                let mut sum_g = s.splat(0.0);
                let mut sum_gn = s.splat(0.0);
                each_vector!(s, d, |i, part| {
                    let (n, dy) = (normal!(part, i), part.load(s, dy.add(i)));
                    let g = scaled!(part, i, dy);
                    if CENTRE {
                        sum_g = s.add(sum_g, g);
                    }
                    sum_gn = s.add(sum_gn, part.keep(s, s.mul(g, n), 0.0));
                    if let Some(dgamma) = dgamma {
                        let sum = s.mul_add(dy, n, part.load(s, dgamma.add(i)));
                        part.store(s, dgamma.add(i), sum);
                    }
                    if let Some(dbeta) = dbeta {
                        part.store(s, dbeta.add(i), s.add(dy, part.load(s, dbeta.add(i))));
                    }
                });
                let mean_g = s.splat(if CENTRE { s.reduce_add(sum_g) / d as f32 } else { 0.0 });
                let mean_gn = s.splat(s.reduce_add(sum_gn) / d as f32);
                each_vector!(s, d, |i, part| {
                    let n = normal!(part, i);
                    let g = scaled!(part, i, part.load(s, dy.add(i)));
                    let g = if CENTRE { s.sub(g, mean_g) } else { g };
                    part.store(s, dx.add(i), s.mul(s.neg_mul_add(n, mean_gn, g), rstd));
                });
            }
        }
    }
}
