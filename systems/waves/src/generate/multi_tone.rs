//! Tones of several frequencies.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{Axis, Formula, fill_by};

/// y = Σ sin(2π f x) / n over the n frequencies f, for x in 0 .. 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiTone {
    /// Points along x.
    pub size: usize,
    /// Periods in the whole signal, of each tone.
    pub frequencies: Vec<f64>,
}

impl Default for MultiTone {
    fn default() -> Self {
        MultiTone { size: 1000, frequencies: vec![2.0, 7.0, 19.0, 41.0] }
    }
}

impl Formula for MultiTone {
    fn axes(&self) -> Vec<Axis> {
        vec![Axis::new("x", (0.0, 1.0), self.size)]
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        let tones = self.frequencies.len().max(1) as f64;
        fill_by(points, values, |[x]| {
            self.frequencies.iter().map(|f| (2.0 * PI * f * x).sin()).sum::<f64>() / tones
        });
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;

    /// Tones of whole periods are orthogonal: the mean square is n · ½ / n².
    #[test]
    fn each_tone_has_its_share_of_the_energy() {
        let signal = Generator::MultiTone(MultiTone::default()).signal().unwrap();
        let values = &signal.values()[..999]; // the last point repeats the first
        let square = values.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / 999.0;
        assert!((square - 0.125).abs() < 1e-5, "{square}");
    }
}
