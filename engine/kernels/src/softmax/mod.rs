//! Softmax and log-softmax over rows, and the cross-entropy built on them.
//!
//! The largest value of a row is subtracted first, so that nothing overflows. A row with NaN, with
//! +infinity, or with nothing but -infinity gives NaN throughout.

mod cross_entropy;
pub use cross_entropy::{cross_entropy, cross_entropy_backward};

use crate::math::exp_below;
use crate::simd::{First, Kernel, Part, Simd, Whole, dispatch, each_vector};

/// y = e^x / sum(e^x) for each row: x, y \[rows, cols\].
///
/// # Panics
/// If the lengths do not fit the shape, as all functions here.
pub fn softmax(x: &[f32], y: &mut [f32], rows: usize, cols: usize) {
    check(rows, cols, [x.len(), y.len(), x.len()]);
    dispatch(Forward { x: x.as_ptr(), y: y.as_mut_ptr(), rows, cols, log: false });
}

/// y = x - ln(sum(e^x)) for each row: x, y \[rows, cols\].
pub fn log_softmax(x: &[f32], y: &mut [f32], rows: usize, cols: usize) {
    check(rows, cols, [x.len(), y.len(), x.len()]);
    dispatch(Forward { x: x.as_ptr(), y: y.as_mut_ptr(), rows, cols, log: true });
}

/// dx = y (dy - sum(dy y)) for each row, with y from [`softmax`].
pub fn softmax_backward(y: &[f32], dy: &[f32], dx: &mut [f32], rows: usize, cols: usize) {
    check(rows, cols, [y.len(), dy.len(), dx.len()]);
    dispatch(Backward { y, dy, dx, rows, cols, log: false });
}

/// dx = dy - e^y sum(dy) for each row, with y from [`log_softmax`].
pub fn log_softmax_backward(y: &[f32], dy: &[f32], dx: &mut [f32], rows: usize, cols: usize) {
    check(rows, cols, [y.len(), dy.len(), dx.len()]);
    dispatch(Backward { y, dy, dx, rows, cols, log: true });
}

fn check(rows: usize, cols: usize, lengths: [usize; 3]) {
    assert_eq!(lengths, [rows * cols; 3]);
}

struct Forward {
    x: *const f32,
    y: *mut f32,
    rows: usize,
    cols: usize,
    log: bool,
}

impl Kernel for Forward {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for row in 0..self.rows {
            // SAFETY: the entry points checked the lengths; x and y may be the same memory, which
            // each vector is read from before it is written.
            unsafe {
                let x = self.x.add(row * self.cols);
                let y = self.y.add(row * self.cols);
                if self.log {
                    log_row(s, x, y, self.cols);
                } else {
                    let vectors = self.cols.div_ceil(S::LANES);
                    let rest = self.cols % S::LANES;
                    match (vectors, rest) {
                        (1, 0) => short_row::<S, Whole, 1>(s, x, y, Whole),
                        (1, _) => short_row::<S, First, 1>(s, x, y, First(rest)),
                        (2, 0) => short_row::<S, Whole, 2>(s, x, y, Whole),
                        (2, _) => short_row::<S, First, 2>(s, x, y, First(rest)),
                        (3, 0) => short_row::<S, Whole, 3>(s, x, y, Whole),
                        (3, _) => short_row::<S, First, 3>(s, x, y, First(rest)),
                        (4, 0) => short_row::<S, Whole, 4>(s, x, y, Whole),
                        (4, _) => short_row::<S, First, 4>(s, x, y, First(rest)),
                        _ => long_row(s, x, y, self.cols),
                    }
                }
            }
        }
    }
}

/// Softmax of a row of K vectors, the last one in part, which stays in registers: a masked store
/// could not be forwarded to the load that follows it.
///
/// # Safety
/// `x` must be readable and `y` writable for the row.
#[inline(always)]
unsafe fn short_row<S: Simd, P: Part, const K: usize>(s: S, x: *const f32, y: *mut f32, last: P) {
    let mut row = [s.splat(f32::NEG_INFINITY); K];
    let mut high = row[0];
    for (k, value) in row.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *value = unsafe {
            let x = x.add(k * S::LANES);
            if k + 1 < K { s.load(x) } else { last.keep(s, last.load(s, x), f32::NEG_INFINITY) }
        };
        high = s.max(high, *value);
    }
    let high = s.splat(s.reduce_max(high));
    let mut sums = s.splat(0.0);
    for value in &mut row {
        *value = exp_below(s, s.sub(*value, high)); // 0 beyond the row
        sums = s.add(sums, *value);
    }
    let factor = s.splat(1.0 / s.reduce_add(sums));
    for (k, &value) in row.iter().enumerate() {
        let value = s.mul(value, factor);
        // SAFETY: the caller's promise.
        unsafe {
            let y = y.add(k * S::LANES);
            if k + 1 < K { s.store(y, value) } else { last.store(s, y, value) }
        }
    }
}

/// Softmax of a row of any length.
///
/// # Safety
/// `x` must be readable and `y` writable for `cols` floats.
#[inline(always)]
unsafe fn long_row<S: Simd>(s: S, x: *const f32, y: *mut f32, cols: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let high = s.splat(largest(s, x, cols));
        let mut sums = s.splat(0.0);
        each_vector!(s, cols, |i, part| {
            let e = exp_below(s, s.sub(part.load(s, x.add(i)), high));
            part.store(s, y.add(i), e);
            sums = s.add(sums, part.keep(s, e, 0.0));
        });
        let factor = s.splat(1.0 / s.reduce_add(sums));
        each_vector!(s, cols, |i, part| {
            part.store(s, y.add(i), s.mul(part.load(s, y.add(i)), factor));
        });
    }
}

/// Log-softmax of a row.
///
/// # Safety
/// `x` must be readable and `y` writable for `cols` floats.
#[inline(always)]
unsafe fn log_row<S: Simd>(s: S, x: *const f32, y: *mut f32, cols: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let largest = largest(s, x, cols);
        let high = s.splat(largest);
        // Subtracted one after the other: their sum would lose digits.
        let log_sum = s.splat(exp_sum(s, x, cols, largest).ln());
        each_vector!(s, cols, |i, part| {
            let value = s.sub(s.sub(part.load(s, x.add(i)), high), log_sum);
            part.store(s, y.add(i), value);
        });
    }
}

/// The largest of `len` floats; NaN may or may not be passed over.
///
/// # Safety
/// `x` must be readable for `len` floats.
#[inline(always)]
unsafe fn largest<S: Simd>(s: S, x: *const f32, len: usize) -> f32 {
    let mut all = [s.splat(f32::NEG_INFINITY); 2];
    // SAFETY: every load ends at `len` or before it.
    unsafe {
        let mut i = 0;
        while i + 2 * S::LANES <= len {
            all[0] = s.max(all[0], s.load(x.add(i)));
            all[1] = s.max(all[1], s.load(x.add(i + S::LANES)));
            i += 2 * S::LANES;
        }
        let x = x.add(i);
        each_vector!(s, len - i, |j, part| {
            all[0] = s.max(all[0], part.keep(s, part.load(s, x.add(j)), f32::NEG_INFINITY));
        });
    }
    s.reduce_max(s.max(all[0], all[1]))
}

/// The sum of e^(x - high).
///
/// # Safety
/// `x` must be readable for `len` floats.
#[inline(always)]
unsafe fn exp_sum<S: Simd>(s: S, x: *const f32, len: usize, high: f32) -> f32 {
    let high = s.splat(high);
    let mut sums = s.splat(0.0);
    each_vector!(s, len, |i, part| {
        // SAFETY: the caller's promise.
        let e = exp_below(s, s.sub(unsafe { part.load(s, x.add(i)) }, high));
        sums = s.add(sums, part.keep(s, e, 0.0));
    });
    s.reduce_add(sums)
}

struct Backward<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    rows: usize,
    cols: usize,
    log: bool,
}

impl Kernel for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for row in 0..self.rows {
            let start = row * self.cols;
            // SAFETY: the entry points checked the lengths.
            unsafe {
                let y = self.y.as_ptr().add(start);
                let dy = self.dy.as_ptr().add(start);
                let dx = self.dx.as_mut_ptr().add(start);
                if self.log {
                    let sum = s.splat(crate::simd::sum(s, dy, self.cols));
                    each_vector!(s, self.cols, |i, part| {
                        let p = exp_below(s, part.load(s, y.add(i)));
                        let value = s.neg_mul_add(p, sum, part.load(s, dy.add(i)));
                        part.store(s, dx.add(i), value);
                    });
                } else {
                    let mut sums = s.splat(0.0);
                    each_vector!(s, self.cols, |i, part| {
                        sums = s.mul_add(part.load(s, y.add(i)), part.load(s, dy.add(i)), sums);
                    });
                    let sum = s.splat(s.reduce_add(sums));
                    each_vector!(s, self.cols, |i, part| {
                        let value = s.sub(part.load(s, dy.add(i)), sum);
                        part.store(s, dx.add(i), s.mul(part.load(s, y.add(i)), value));
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Isa;
    use crate::random::{Stream, fill_normal};

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut x = vec![0.0; n];
        fill_normal(Stream { seed, step: 0, site: 0 }, 0, &mut x);
        x
    }

    fn probabilities(x: &[f32]) -> Vec<f64> {
        let high = f64::from(x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let e: Vec<f64> = x.iter().map(|&x| (f64::from(x) - high).exp()).collect();
        let sum: f64 = e.iter().sum();
        e.iter().map(|e| e / sum).collect()
    }

    proptest! {
        #[test]
        fn forward_and_backward_match_f64(rows in 0..5usize, cols in 1..200usize, scale in 0.1f32..30.0, seed: u64) {
            let x: Vec<f32> = normal(rows * cols, seed).iter().map(|x| x * scale).collect();
            let dy = normal(rows * cols, seed ^ 1);
            for isa in Isa::available() {
                let [mut y, mut log_y, mut dx, mut log_dx] = [0; 4].map(|_| vec![0.0; rows * cols]);
                isa.force(|| {
                    softmax(&x, &mut y, rows, cols);
                    log_softmax(&x, &mut log_y, rows, cols);
                    softmax_backward(&y, &dy, &mut dx, rows, cols);
                    log_softmax_backward(&log_y, &dy, &mut log_dx, rows, cols);
                });
                for row in 0..rows {
                    let range = row * cols..(row + 1) * cols;
                    let p = probabilities(&x[range.clone()]);
                    let d: Vec<f64> = dy[range.clone()].iter().map(|&d| f64::from(d)).collect();
                    let dot: f64 = p.iter().zip(&d).map(|(p, d)| p * d).sum();
                    let sum: f64 = d.iter().sum();
                    for (k, i) in range.enumerate() {
                        // x less the largest is rounded to f32, which its exponential magnifies.
                        let relative = 1e-6 * (1.0 + p[k].ln().abs());
                        prop_assert!((f64::from(y[i]) - p[k]).abs() < relative * p[k] + 1e-37);
                        prop_assert!((f64::from(log_y[i]) - p[k].ln()).abs() < 1e-6 * p[k].ln().abs() + 2e-6);
                        prop_assert!((f64::from(dx[i]) - p[k] * (d[k] - dot)).abs() < 4.0 * relative * p[k] + 1e-37);
                        let exact = d[k] - p[k] * sum;
                        prop_assert!((f64::from(log_dx[i]) - exact).abs() < 1e-5 * (1.0 + p[k] * sum.abs()));
                    }
                }
            }
        }
    }

    #[test]
    fn nan_and_infinity_spread_over_their_row_only() {
        for isa in Isa::available() {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut x = vec![1.0; 3 * 37];
                x[40] = bad;
                x[74..].fill(f32::NEG_INFINITY);
                x[80] = 0.0;
                let (mut y, mut log_y) = (x.clone(), x.clone());
                isa.force(|| {
                    softmax(&x, &mut y, 3, 37);
                    log_softmax(&x, &mut log_y, 3, 37);
                });
                assert!(y[..37].iter().chain(&y[74..]).chain(&log_y[..37]).all(|y| !y.is_nan()), "{isa}");
                assert!(y[37..74].iter().chain(&log_y[37..74]).all(|y| y.is_nan()), "{isa} {bad}: {log_y:?}");
                assert_eq!((y[80], y[81], log_y[80]), (1.0, 0.0, 0.0));
            }
        }
    }
}
