use proptest::prelude::*;

use super::*;
use crate::Isa;
use crate::random::{Stream, fill_normal};

fn normal(n: usize, seed: u64, site: u32) -> Vec<f32> {
    let mut x = vec![0.0; n];
    fill_normal(Stream { seed, step: 0, site }, 0, &mut x);
    x
}

/// One row's y, mean and rstd.
fn forward(x: &[f64], gamma: &[f64], beta: &[f64], eps: f64, centre: bool) -> (Vec<f64>, f64, f64) {
    let d = x.len() as f64;
    let mean = if centre { x.iter().sum::<f64>() / d } else { 0.0 };
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d;
    let rstd = 1.0 / (variance + eps).sqrt();
    let y = (0..x.len()).map(|i| (x[i] - mean) * rstd * gamma[i] + beta[i]).collect();
    (y, mean, rstd)
}

fn to_f64(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

fn close(a: f32, b: f64, tolerance: f64) -> bool {
    (f64::from(a) - b).abs() <= tolerance * (1.0 + b.abs())
}

proptest! {
    #[test]
    fn norms_match_f64(
        rows in 1..6usize, d in 2..200usize, with: [bool; 3], offset in -20.0f32..20.0, accumulate: bool, seed: u64,
    ) {
        let [centre, has_gamma, has_beta] = with;
        let x: Vec<f32> = normal(rows * d, seed, 0).iter().map(|x| x + offset).collect();
        let dy = normal(rows * d, seed, 2);
        let (gamma, beta) = (normal(d, seed, 3), normal(d, seed, 4));
        let g = has_gamma.then_some(&gamma[..]);
        let b = (has_beta && centre).then_some(&beta[..]);
        let exact_gamma = if has_gamma { to_f64(&gamma) } else { vec![1.0; d] };
        let exact_beta = if b.is_some() { to_f64(&beta) } else { vec![0.0; d] };
        let eps = 1e-5;
        for isa in Isa::available() {
            let [mut y, mut dx] = [0; 2].map(|_| vec![0.0; rows * d]);
            let (mut mean, mut rstd) = (vec![0.0; rows], vec![0.0; rows]);
            let (mut dgamma, mut dbeta) = (vec![0.5; d], vec![0.5; d]);
            isa.force(|| {
                if centre {
                    layer_norm(&x, g, b, eps, &mut y, &mut mean, &mut rstd, rows, d);
                } else {
                    rms_norm(&x, g, eps, &mut y, &mut rstd, rows, d);
                }
                let dgamma = Some(&mut dgamma[..]);
                if centre {
                    layer_norm_backward(
                        &x, g, &mean, &rstd, &dy, &mut dx, dgamma, Some(&mut dbeta), accumulate, rows, d,
                    );
                } else {
                    rms_norm_backward(&x, g, &rstd, &dy, &mut dx, dgamma, accumulate, rows, d);
                }
            });

            let start = if accumulate { 0.5 } else { 0.0 };
            let (mut exact_dgamma, mut exact_dbeta) = (vec![start; d], vec![start; d]);
            for row in 0..rows {
                let range = row * d..(row + 1) * d;
                let input = to_f64(&x[range.clone()]);
                let (exact_y, exact_mean, exact_rstd) =
                    forward(&input, &exact_gamma, &exact_beta, f64::from(eps), centre);
                prop_assert!(!centre || close(mean[row], exact_mean, 1e-6));
                // A mean that is off by an ulp of the offset shifts everything by that over the deviation.
                let tolerance = 4e-6 * (1.0 + exact_rstd * (1.0 + f64::from(offset.abs())));
                prop_assert!(close(rstd[row], exact_rstd, tolerance * exact_rstd));
                let dy = to_f64(&dy[range.clone()]);
                let n: Vec<f64> = input.iter().map(|x| (x - exact_mean) * exact_rstd).collect();
                let grad: Vec<f64> = (0..d).map(|i| dy[i] * exact_gamma[i]).collect();
                let mean_g = if centre { grad.iter().sum::<f64>() / d as f64 } else { 0.0 };
                let mean_gn = (0..d).map(|i| grad[i] * n[i]).sum::<f64>() / d as f64;
                for (k, i) in range.enumerate() {
                    prop_assert!(close(y[i], exact_y[k], tolerance), "{isa}: y {} {}", y[i], exact_y[k]);
                    let exact = exact_rstd * (grad[k] - mean_g - n[k] * mean_gn);
                    let tolerance = 4.0 * tolerance * (1.0 + exact_rstd);
                    prop_assert!(close(dx[i], exact, tolerance), "{isa}: dx {} {exact}", dx[i]);
                    exact_dgamma[k] += dy[k] * n[k];
                    exact_dbeta[k] += dy[k];
                }
            }
            for k in 0..d {
                prop_assert!(close(dgamma[k], exact_dgamma[k], 1e-3), "{isa}: {} {}", dgamma[k], exact_dgamma[k]);
                prop_assert!(!centre || close(dbeta[k], exact_dbeta[k], 1e-5));
            }
        }
    }
}

#[test]
fn nan_stays_in_its_row_and_is_not_lost() {
    for isa in Isa::available() {
        let mut x = normal(3 * 37, 0, 0);
        x[37 + 36] = f32::NAN;
        let (mut y, mut mean, mut rstd) = (vec![0.0; 3 * 37], [0.0; 3], [0.0; 3]);
        isa.force(|| layer_norm(&x, None, None, 1e-5, &mut y, &mut mean, &mut rstd, 3, 37));
        for (i, y) in y.iter().enumerate() {
            assert_eq!(y.is_nan(), i / 37 == 1, "{isa} at {i}");
        }
    }
}
