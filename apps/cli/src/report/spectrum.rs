//! Energy by time and frequency.

use std::f64::consts::PI;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// Columns of a spectrogram, at most.
const COLUMNS: usize = 240;
/// Values in a window, at most; half as many frequencies are told apart.
const WINDOW_MAX: usize = 256;

/// The energy of evenly spaced values in windows along them, in decibels below the `greatest`: rows of
/// frequencies from half a period a sample at the top down to none.
pub fn spectrogram(values: &[f32], greatest: f64) -> Vec<Vec<f32>> {
    let energies = energies(values);
    let decibels = |energy: f64| (10.0 * (energy.max(1e-30) / greatest.max(1e-30)).log10()) as f32;
    let frequencies = energies.first().map_or(0, Vec::len);
    (0..frequencies)
        .rev()
        .map(|frequency| energies.iter().map(|column| decibels(column[frequency])).collect())
        .collect()
}

/// The greatest energy of a spectrogram of these values.
pub fn greatest(values: &[f32]) -> f64 {
    energies(values).into_iter().flatten().fold(0.0, f64::max)
}

/// Column by column, energies by frequency, of windows of a bell's shape that overlap.
fn energies(values: &[f32]) -> Vec<Vec<f64>> {
    let window = (values.len() / 16).clamp(8, WINDOW_MAX) & !1;
    let columns = COLUMNS.min(values.len());
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64;
    let transform = FftPlanner::new().plan_fft_forward(window);
    let column = |number: usize| {
        let middle = (number as f64 + 0.5) * values.len() as f64 / columns as f64;
        let start = (middle - window as f64 / 2.0) as isize;
        let mut weighed: Vec<Complex<f64>> = (0..window)
            .map(|place| {
                let at = usize::try_from(start + place as isize).ok();
                // Beyond the ends there is nothing.
                let value = at.and_then(|at| values.get(at)).map_or(0.0, |value| f64::from(*value) - mean);
                Complex::from(value * (PI * (place as f64 + 0.5) / window as f64).sin().powi(2))
            })
            .collect();
        transform.process(&mut weighed);
        weighed[..window / 2].iter().map(Complex::norm_sqr).collect()
    };
    (0..columns).map(column).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// A tone of a quarter of a period a sample lies in the middle of the rows.
    #[test]
    fn a_tone_lies_at_its_frequency() {
        let values: Vec<f32> = (0..1000).map(|n| (0.25 * TAU * f64::from(n)).sin() as f32).collect();
        let rows = spectrogram(&values, greatest(&values));
        let column: Vec<f32> = rows.iter().map(|row| row[row.len() / 2]).collect();
        let brightest = (0..column.len()).max_by(|a, b| column[*a].total_cmp(&column[*b])).unwrap();
        assert!(brightest.abs_diff(column.len() / 2) <= 1, "{brightest} of {}", column.len());
        assert!(column[brightest] > -0.5 && column[0] < -40.0, "{column:?}");
    }
}
