//! Cross-entropy of logits against class labels.

use super::{exp_sum, largest};
use crate::math::exp;
use crate::simd::{Kernel, Part, Simd, dispatch, each_vector, sum};

/// The loss of each row, and their sum and number: logits \[rows, cols\], labels, losses and
/// log_sum_exp \[rows\].
///
/// With smoothing e, row loss = -(1 - e) ln p\[label\] - e / cols sum(ln p) (Szegedy et al., 2016). A
/// row with a negative label is ignored: its loss is 0, and it is not counted. `log_sum_exp`
/// receives ln(sum(e^x)) for the backward pass.
///
/// # Panics
/// If the lengths do not fit, a label is `cols` or more, or `smoothing` is not in 0 ..= 1.
pub fn cross_entropy(
    logits: &[f32],
    labels: &[i32],
    smoothing: f32,
    losses: &mut [f32],
    log_sum_exp: &mut [f32],
    rows: usize,
    cols: usize,
) -> (f64, usize) {
    check(logits, labels, smoothing, rows, cols);
    assert_eq!([losses.len(), log_sum_exp.len()], [rows; 2]);
    dispatch(Forward { logits, labels, smoothing, losses, log_sum_exp, cols })
}

/// The gradient of the logits: `dlogits = scale (softmax(logits) - target)` for each row, and 0 for
/// ignored ones, where target is (1 - e) onehot + e / cols. `scale` is the gradient of each row's
/// loss: one for all rows (such as 1 / count for the mean) or one per row.
///
/// # Panics
/// As [`cross_entropy`].
pub fn cross_entropy_backward(
    logits: &[f32],
    labels: &[i32],
    smoothing: f32,
    log_sum_exp: &[f32],
    scale: &[f32],
    dlogits: &mut [f32],
    rows: usize,
    cols: usize,
) {
    check(logits, labels, smoothing, rows, cols);
    assert_eq!([dlogits.len(), log_sum_exp.len()], [rows * cols, rows]);
    assert!(scale.len() == 1 || scale.len() == rows, "{} scales for {rows} rows", scale.len());
    dispatch(Backward { logits, labels, smoothing, log_sum_exp, scale, dlogits, cols });
}

fn check(logits: &[f32], labels: &[i32], smoothing: f32, rows: usize, cols: usize) {
    assert_eq!([logits.len(), labels.len()], [rows * cols, rows]);
    assert!((0.0..=1.0).contains(&smoothing), "label smoothing {smoothing} is not in 0 ..= 1");
    for (row, &label) in labels.iter().enumerate() {
        assert!(label < 0 || (label as usize) < cols, "row {row}: label {label} of {cols} classes");
    }
}

struct Forward<'a> {
    logits: &'a [f32],
    labels: &'a [i32],
    smoothing: f32,
    losses: &'a mut [f32],
    log_sum_exp: &'a mut [f32],
    cols: usize,
}

impl Kernel for Forward<'_> {
    type Output = (f64, usize);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> (f64, usize) {
        let cols = self.cols;
        let (mut total, mut count) = (0.0, 0);
        for (row, &label) in self.labels.iter().enumerate() {
            if label < 0 {
                (self.losses[row], self.log_sum_exp[row]) = (0.0, 0.0);
                continue;
            }
            let x = &self.logits[row * cols..][..cols];
            // SAFETY: the pointer is to `cols` floats.
            let (high, log_sum, mean) = unsafe {
                let high = largest(s, x.as_ptr(), cols);
                let log_sum = exp_sum(s, x.as_ptr(), cols, high).ln();
                let mean = if self.smoothing > 0.0 { sum(s, x.as_ptr(), cols) / cols as f32 } else { 0.0 };
                (high, log_sum, mean)
            };
            // ln p = x - high - log_sum, whose mean over the row is mean - high - log_sum
            let nearest = (high - x[label as usize]) + log_sum;
            let loss = if self.smoothing > 0.0 {
                (1.0 - self.smoothing) * nearest + self.smoothing * ((high - mean) + log_sum)
            } else {
                nearest
            };
            self.losses[row] = loss;
            self.log_sum_exp[row] = high + log_sum;
            total += f64::from(loss);
            count += 1;
        }
        (total, count)
    }
}

struct Backward<'a> {
    logits: &'a [f32],
    labels: &'a [i32],
    smoothing: f32,
    log_sum_exp: &'a [f32],
    scale: &'a [f32],
    dlogits: &'a mut [f32],
    cols: usize,
}

impl Kernel for Backward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let cols = self.cols;
        let everywhere = s.splat(self.smoothing / cols as f32);
        for (row, &label) in self.labels.iter().enumerate() {
            let dx = &mut self.dlogits[row * cols..][..cols];
            if label < 0 {
                dx.fill(0.0);
                continue;
            }
            let scale = self.scale[if self.scale.len() == 1 { 0 } else { row }];
            let shift = s.splat(self.log_sum_exp[row]);
            // SAFETY: both pointers are to `cols` floats.
            unsafe {
                let (x, dx) = (self.logits.as_ptr().add(row * cols), dx.as_mut_ptr());
                each_vector!(s, cols, |i, part| {
                    let p = exp(s, s.sub(part.load(s, x.add(i)), shift));
                    part.store(s, dx.add(i), s.mul(s.sub(p, everywhere), s.splat(scale)));
                });
            }
            dx[label as usize] -= (1.0 - self.smoothing) * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Isa;
    use crate::random::{Stream, fill_normal};

    proptest! {
        #[test]
        fn losses_and_gradients_match_f64(
            cols in 1..120usize,
            picks in prop::collection::vec(any::<Option<prop::sample::Index>>(), 1..6),
            smoothing in prop_oneof![Just(0.0f32), 0.0f32..0.5],
            per_row: bool,
            seed: u64,
        ) {
            let rows = picks.len();
            let labels: Vec<i32> = picks.iter().map(|p| p.map_or(-100, |p| p.index(cols) as i32)).collect();
            let mut x = vec![0.0; rows * cols];
            fill_normal(Stream { seed, step: 0, site: 0 }, 0, &mut x);
            x.iter_mut().for_each(|x| *x *= 5.0);
            let scale: Vec<f32> = (0..if per_row { rows } else { 1 }).map(|k| 0.5 + k as f32).collect();
            for isa in Isa::available() {
                let (mut losses, mut saved, mut dx) = (vec![9.0; rows], vec![9.0; rows], vec![9.0; rows * cols]);
                let (total, count) = isa.force(|| {
                    let sum = cross_entropy(&x, &labels, smoothing, &mut losses, &mut saved, rows, cols);
                    cross_entropy_backward(&x, &labels, smoothing, &saved, &scale, &mut dx, rows, cols);
                    sum
                });
                let mut exact_total = 0.0;
                for row in 0..rows {
                    let logits: Vec<f64> = x[row * cols..][..cols].iter().map(|&x| f64::from(x)).collect();
                    let log_sum = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
                    let e = f64::from(smoothing);
                    let mut loss = 0.0;
                    for k in 0..cols {
                        let hit = if labels[row] == k as i32 { 1.0 - e } else { 0.0 };
                        let target = hit + e / cols as f64;
                        let scale = f64::from(scale[if per_row { row } else { 0 }]);
                        let mut gradient = scale * ((logits[k] - log_sum).exp() - target);
                        if labels[row] < 0 {
                            gradient = 0.0;
                        } else {
                            loss -= target * (logits[k] - log_sum);
                        }
                        let error = (f64::from(dx[row * cols + k]) - gradient).abs();
                        prop_assert!(error < 3e-6 * scale, "{isa}: off by {error}");
                    }
                    prop_assert!((f64::from(losses[row]) - loss).abs() < 3e-6 * (1.0 + loss), "{isa}: {} {loss}", losses[row]);
                    exact_total += loss;
                }
                prop_assert!((total - exact_total).abs() < 1e-5 * (1.0 + exact_total));
                prop_assert_eq!(count, labels.iter().filter(|&&l| l >= 0).count());
            }
        }
    }

    #[test]
    fn nan_logits_give_nan_losses() {
        let x = [0.0, f32::NAN, 1.0];
        for isa in Isa::available() {
            let (mut losses, mut saved) = ([0.0], [0.0]);
            let (total, _) = isa.force(|| cross_entropy(&x, &[0], 0.0, &mut losses, &mut saved, 1, 3));
            assert!(losses[0].is_nan() && total.is_nan(), "{isa}");
        }
    }

    #[test]
    #[should_panic(expected = "row 0: label 3 of 3 classes")]
    fn labels_beyond_the_classes_are_refused() {
        cross_entropy(&[0.0; 3], &[3], 0.0, &mut [0.0], &mut [0.0], 1, 3);
    }
}
