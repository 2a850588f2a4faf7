//! What outputs are to signal for each class.

use bessemer_kernels::random::{Stream, uniform_at};
use bessemer_phase_reader::COSINE_BITS;

use crate::tables::Tables;

/// What the random numbers of codes are drawn for.
const SITE_CODES: u32 = 0x5048_0002;

/// A vector of D phases and D magnitudes for each class.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// `[classes, D]`
    pub phase: Vec<i16>,
    /// `[classes, D]`
    pub magnitude: Vec<i16>,
    /// D.
    pub dimensions: usize,
}

impl Codes {
    /// The corners of the cross-polytope, +e₁, -e₁, +e₂ and so on, whose cosines are 0 or -1: of 2D vectors in
    /// Rᴰ, no others are as far apart. Phases 0 and N/2 stand for 1 and -1, and N/4 for 0. Classes beyond 2D
    /// get random signs in all dimensions.
    pub fn cross_polytope(classes: usize, dimensions: usize, phases: usize, seed: u64) -> Codes {
        let mut codes = Codes {
            phase: vec![(phases / 4) as i16; classes * dimensions],
            magnitude: vec![0; classes * dimensions],
            dimensions,
        };
        for (class, phase) in codes.phase.chunks_exact_mut(dimensions).enumerate() {
            let sign = |negative: bool| if negative { (phases / 2) as i16 } else { 0 };
            if class < 2 * dimensions {
                phase[class / 2] = sign(class % 2 == 1);
            } else {
                let stream = Stream { seed, step: class as u64, site: SITE_CODES };
                let draw = |d: usize| sign(uniform_at(stream, d as u64) < 0.5);
                phase.iter_mut().enumerate().for_each(|(d, phase)| *phase = draw(d));
            }
        }
        codes
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.phase.len() / self.dimensions
    }

    /// What the codes signal, divided by its length, `[classes, D]`.
    pub fn units(&self, tables: &Tables) -> Vec<f32> {
        let signals = self.phase.iter().zip(&self.magnitude);
        let mut units: Vec<f32> = signals.map(|(p, m)| tables.cosine(*p) * tables.size(*m)).collect();
        for unit in units.chunks_exact_mut(self.dimensions) {
            let norm = unit.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            unit.iter_mut().for_each(|x| *x /= norm);
        }
        units
    }

    /// [`Codes::units`] in [`COSINE_BITS`], as inference reads them.
    pub fn fixed(&self, tables: &Tables) -> Vec<i16> {
        let scale = (1 << COSINE_BITS) as f32;
        self.units(tables).into_iter().map(|x| (x * scale).round() as i16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_classes_in_five_dimensions_are_as_far_apart_as_can_be() {
        let tables = Tables::new(512, 1024);
        let units = Codes::cross_polytope(10, 5, 512, 1).units(&tables);
        for (a, left) in units.chunks(5).enumerate() {
            for (b, right) in units.chunks(5).enumerate() {
                let cosine: f32 = left.iter().zip(right).map(|(x, y)| x * y).sum();
                let expected = if a == b {
                    1.0
                } else if a / 2 == b / 2 {
                    -1.0
                } else {
                    0.0
                };
                assert_eq!(cosine, expected, "{a} and {b}");
            }
        }
    }
}
