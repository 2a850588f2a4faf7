//! Tables of cosines and magnitudes, and of their derivatives.

use std::f64::consts::TAU;

use bessemer_phase_reader::{COSINE_BITS, MAGNITUDE_BITS};

/// What an index stands for. The first two tables are all that inference reads.
#[derive(Clone, Debug)]
pub struct Tables {
    /// cos(2πi/N), in [`COSINE_BITS`].
    pub cosines: Vec<i16>,
    /// exp(sin u), in [`MAGNITUDE_BITS`], for u from -π to π in M points, both ends included.
    pub sizes: Vec<i16>,
    /// The change of the cosine with the index: -sin(2πi/N)·2π/N.
    pub cosine_slopes: Vec<f32>,
    /// The change of the magnitude with the index: cos u·exp(sin u)·2π/(M-1).
    pub size_slopes: Vec<f32>,
}

impl Tables {
    /// For circles of N and M steps.
    pub fn new(phases: usize, magnitudes: usize) -> Tables {
        let angle = |i: usize| TAU * i as f64 / phases as f64;
        let step = TAU / (magnitudes - 1) as f64;
        let at = |j: usize| j as f64 * step - TAU / 2.0;
        let fixed = |value: f64, bits: u32| (value * f64::from(1 << bits)).round() as i16;
        Tables {
            cosines: (0..phases).map(|i| fixed(angle(i).cos(), COSINE_BITS)).collect(),
            sizes: (0..magnitudes).map(|j| fixed(at(j).sin().exp(), MAGNITUDE_BITS)).collect(),
            cosine_slopes: (0..phases).map(|i| (-angle(i).sin() * angle(1)) as f32).collect(),
            size_slopes: (0..magnitudes).map(|j| (at(j).cos() * at(j).sin().exp() * step) as f32).collect(),
        }
    }

    /// cos φ, as inference reads it.
    #[inline(always)]
    pub fn cosine(&self, phase: i16) -> f32 {
        f32::from(self.cosines[phase as usize]) * (1.0 / (1 << COSINE_BITS) as f32)
    }

    /// exp(sin u), as inference reads it.
    #[inline(always)]
    pub fn size(&self, magnitude: i16) -> f32 {
        f32::from(self.sizes[magnitude as usize]) * (1.0 / (1 << MAGNITUDE_BITS) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_what_they_say() {
        let tables = Tables::new(512, 1024);
        for (i, phase) in [(0, 1.0), (128, 0.0), (256, -1.0), (384, 0.0)] {
            assert_eq!(tables.cosine(i), phase);
        }
        // The magnitude is e⁰ at both ends of its circle, and the same at two places in between.
        assert_eq!((tables.size(0), tables.size(1023)), (1.0, 1.0));
        let most = tables.sizes.iter().max().map(|most| f64::from(*most) / 4096.0);
        let least = tables.sizes.iter().min().map(|least| f64::from(*least) / 4096.0);
        assert!((most.unwrap() - 1f64.exp()).abs() < 2e-4 && (least.unwrap() - (-1f64).exp()).abs() < 2e-4);
    }

    /// Central differences of the tables themselves: two roundings to 2^-14 and 2^-12, over two indices.
    #[test]
    fn slopes_are_those_of_the_tables() {
        let tables = Tables::new(512, 1024);
        for i in 1..511i16 {
            let slope = (tables.cosine(i + 1) - tables.cosine(i - 1)) / 2.0;
            assert!((slope - tables.cosine_slopes[i as usize]).abs() < 4e-5);
        }
        for j in 1..1023i16 {
            let slope = (tables.size(j + 1) - tables.size(j - 1)) / 2.0;
            assert!((slope - tables.size_slopes[j as usize]).abs() < 1.5e-4);
        }
    }
}
