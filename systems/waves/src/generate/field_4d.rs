//! A packet in space and time.

use serde::{Deserialize, Serialize};

use super::{Axis, Formula, fill_by};

/// y = e^(-r²/2) sin(2x) cos(2y) sin(2z) for x, y and z in -5 .. 5, with an axis t that is 0 throughout.
///
/// With more times, from 0 to 1, the packet moves along x at speed 1, and its phase is 2x - 3t.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Field4d {
    /// Points along each of x, y and z.
    pub size: usize,
    /// Points in time.
    pub times: usize,
}

impl Default for Field4d {
    fn default() -> Self {
        Field4d { size: 20, times: 1 }
    }
}

impl Formula for Field4d {
    fn axes(&self) -> Vec<Axis> {
        let space = ["x", "y", "z"].map(|name| Axis::new(name, (-5.0, 5.0), self.size));
        space.into_iter().chain([Axis::times(self.times)]).collect()
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        fill_by(points, values, |[x, y, z, t]| {
            let square = (x - t).powi(2) + y * y + z * z;
            (-0.5 * square).exp() * (2.0 * x - 3.0 * t).sin() * (2.0 * y).cos() * (2.0 * z).sin()
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

    /// Predicting zero on 15³ points is published to have a mean square of 5.5e-4.
    #[test]
    fn its_energy_is_the_published_one() {
        let signal = Generator::Field4d(Field4d { size: 15, times: 1 }).signal().unwrap();
        let square = signal.values().iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / 3375.0;
        assert!((square - 5.5e-4).abs() < 5e-6, "{square}");
    }
}
