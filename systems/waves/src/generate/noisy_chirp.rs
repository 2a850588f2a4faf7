//! A chirp under noise.

use std::f64::consts::PI;

use bessemer_kernels::random::{Stream, fill_normal};
use serde::{Deserialize, Serialize};

use super::{Axis, Formula};

/// What its random numbers are drawn for, apart from other uses of a seed.
const SITE: u32 = 0x4e43_4852;

/// y = sin(2π (2x + 15x²)) for x in 0 .. 1, a frequency that grows from 2 to 32 periods, and normal noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoisyChirp {
    /// Points along x.
    pub size: usize,
    /// The noise's standard deviation.
    pub noise: f32,
    /// Seed of the noise, which at each point depends on it and the point's number only.
    pub seed: u64,
}

impl Default for NoisyChirp {
    fn default() -> Self {
        NoisyChirp { size: 1000, noise: 0.1, seed: 1 }
    }
}

impl Formula for NoisyChirp {
    fn axes(&self) -> Vec<Axis> {
        vec![Axis::new("x", (0.0, 1.0), self.size)]
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        fill_normal(Stream { seed: self.seed, step: 0, site: SITE }, 0, values);
        for (x, value) in points.iter().map(|x| f64::from(*x)).zip(values) {
            *value = (2.0 * PI * (2.0 * x + 15.0 * x * x)).sin() as f32 + self.noise * *value;
        }
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;

    #[test]
    fn the_noise_has_its_deviation_and_depends_on_the_seed() {
        let values = |noise, seed| {
            let chirp = NoisyChirp { size: 10_000, noise, seed };
            Generator::NoisyChirp(chirp).signal().unwrap().values().to_vec()
        };
        let (clean, noisy) = (values(0.0, 1), values(0.1, 1));
        let noise = clean.iter().zip(&noisy).map(|(a, b)| f64::from(b - a));
        let deviation = (noise.map(|e| e * e).sum::<f64>() / 1e4).sqrt();
        // Its own standard deviation is 0.1 / √20,000.
        assert!((deviation - 0.1).abs() < 4.0 * 0.1 / 2e4f64.sqrt(), "{deviation}");
        assert_eq!(noisy, values(0.1, 1));
        assert_ne!(noisy, values(0.1, 2));
    }
}
