//! The small functions that the Quasimoto reference names after string theory. They are toys: no physics follows
//! from them, and no model here uses them.

use std::f64::consts::{PI, TAU};

/// The Planck length in metres, as the reference has it.
pub const PLANCK_LENGTH: f64 = 1.616e-35;

/// Energies n / (2 L) of the first `modes` standing waves on a string of length L, in units where ħ c = π.
///
/// ```
/// assert_eq!(bessemer_waves::toys::string_spectrum(3, 0.5), [1.0, 2.0, 3.0]);
/// ```
pub fn string_spectrum(modes: usize, length: f64) -> Vec<f64> {
    (1..=modes).map(|n| n as f64 / (2.0 * length)).collect()
}

/// The length of a string in metres for a coupling g: the Planck length times √g.
///
/// ```
/// assert_eq!(bessemer_waves::toys::string_length(4.0), 3.232e-35);
/// ```
pub fn string_length(coupling: f64) -> f64 {
    PLANCK_LENGTH * coupling.sqrt()
}

/// The tension 1 / (2π g) of a string for a coupling g.
///
/// ```
/// let tension = bessemer_waves::toys::string_tension(0.5);
/// assert!((tension - std::f64::consts::FRAC_1_PI).abs() < 1e-15);
/// ```
pub fn string_tension(coupling: f64) -> f64 {
    1.0 / (TAU * coupling)
}

/// The reference's "unified" number of some coordinates: the sum of the energies of three modes on a string of
/// length 1, times the mean size of the coordinates, and the mean of sin(n π x) over coordinates and n = 1, 2, 3.
/// 0 of no coordinates.
///
/// ```
/// // (0.5 + 1 + 1.5) · 0.5 + mean(sin(π/2), sin(π), sin(3π/2))
/// assert!((bessemer_waves::toys::unified(&[0.5]) - 1.5).abs() < 1e-12);
/// ```
pub fn unified(coordinates: &[f64]) -> f64 {
    if coordinates.is_empty() {
        return 0.0;
    }
    let count = coordinates.len() as f64;
    let energy: f64 = string_spectrum(3, 1.0).iter().sum();
    let size = coordinates.iter().map(|x| x.abs()).sum::<f64>() / count;
    let waves = (1..=3).flat_map(|n| coordinates.iter().map(move |x| (f64::from(n) * PI * x).sin()));
    energy * size + waves.sum::<f64>() / (3.0 * count)
}

/// α sin x + (1 - α) x, the reference's fused operation.
///
/// ```
/// use bessemer_waves::toys::fused_wave;
///
/// assert_eq!((fused_wave(2.0, 0.0), fused_wave(0.0, 0.7)), (2.0, 0.0));
/// ```
pub fn fused_wave(x: f64, alpha: f64) -> f64 {
    alpha * x.sin() + (1.0 - alpha) * x
}
