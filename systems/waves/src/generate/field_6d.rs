//! A field of five axes of space and one of time.

use serde::{Deserialize, Serialize};

use super::{Axis, Formula, fill_by};

/// y = e^(-r²/10) sin(x1 + x2) cos(x3) sin(x4 - x5) cos(x2 x4) for x1 .. x5 in -3 .. 3, with an axis t that is
/// 0 throughout.
///
/// With more times, from 0 to 1, the envelope moves along x1 at speed 1, and the first phase is x1 + x2 - 2t.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Field6d {
    /// Points along each of x1 .. x5.
    pub size: usize,
    /// Points in time.
    pub times: usize,
}

impl Default for Field6d {
    fn default() -> Self {
        Field6d { size: 8, times: 1 }
    }
}

impl Formula for Field6d {
    fn axes(&self) -> Vec<Axis> {
        let space = ["x1", "x2", "x3", "x4", "x5"].map(|name| Axis::new(name, (-3.0, 3.0), self.size));
        space.into_iter().chain([Axis::times(self.times)]).collect()
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        fill_by(points, values, |[a, b, c, d, e, t]| {
            let square = (a - t).powi(2) + b * b + c * c + d * d + e * e;
            (-0.1 * square).exp() * (a + b - 2.0 * t).sin() * c.cos() * (d - e).sin() * (b * d).cos()
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

    /// Predicting zero is published to have a mean square of 4.18e-3, and of the first 100 points 2.2e-5.
    #[test]
    fn its_energy_is_the_published_one() {
        let signal = Generator::Field6d(Field6d::default()).signal().unwrap();
        let square =
            |values: &[f32]| values.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / values.len() as f64;
        let (all, corner) = (square(signal.values()), square(&signal.values()[..100]));
        assert!((all - 4.18e-3).abs() < 5e-6 && (corner - 2.2e-5).abs() < 5e-7, "{all}, {corner}");
    }
}
