//! A packet that moves.

use serde::{Deserialize, Serialize};

use super::{Axis, Formula, fill_by};

/// y = e^(-((x + 1 - 2t) / 0.4)² / 2) cos(12x - 20t) for x in -2 .. 2 and t in 0 .. 1: the packet's centre moves
/// from -1 to 1, and its waves at another speed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MovingPacket {
    /// Points along x.
    pub size: usize,
    /// Points in time.
    pub times: usize,
}

impl Default for MovingPacket {
    fn default() -> Self {
        MovingPacket { size: 100, times: 40 }
    }
}

impl Formula for MovingPacket {
    fn axes(&self) -> Vec<Axis> {
        vec![Axis::new("x", (-2.0, 2.0), self.size), Axis::times(self.times)]
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        fill_by(points, values, |[x, t]| {
            let away = (x + 1.0 - 2.0 * t) / 0.4;
            (-0.5 * away * away).exp() * (12.0 * x - 20.0 * t).cos()
        });
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.size
    }

    fn times_mut(&mut self) -> Option<&mut usize> {
        Some(&mut self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;

    #[test]
    fn its_centre_moves_from_minus_one_to_one() {
        let signal = Generator::MovingPacket(MovingPacket { size: 401, times: 3 }).signal().unwrap();
        for (time, centre) in [(0, -1.0), (1, 0.0), (2, 1.0)] {
            let (mut energy, mut moment) = (0.0, 0.0);
            for x in 0..401 {
                let square = f64::from(signal.value(3 * x + time)[0]).powi(2);
                energy += square;
                moment += square * f64::from(signal.point(3 * x + time)[0]);
            }
            assert!((moment / energy - centre).abs() < 0.03, "{}", moment / energy);
        }
    }
}
