//! A step.

use serde::{Deserialize, Serialize};

use super::{Axis, Formula, fill_by};

/// y = -1 for x below 0 and 1 from there on, for x in -1 .. 1: what sines ring at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Points along x.
    pub size: usize,
}

impl Default for Step {
    fn default() -> Self {
        Step { size: 1000 }
    }
}

impl Formula for Step {
    fn axes(&self) -> Vec<Axis> {
        vec![Axis::new("x", (-1.0, 1.0), self.size)]
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        fill_by(points, values, |[x]| if x < 0.0 { -1.0 } else { 1.0 });
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
    fn half_of_it_is_up() {
        let signal = Generator::Step(Step { size: 5 }).signal().unwrap();
        assert_eq!(signal.values(), [-1.0, -1.0, 1.0, 1.0, 1.0]);
    }
}
