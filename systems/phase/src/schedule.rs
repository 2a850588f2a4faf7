//! Numbers that change while a graph learns.

use serde::{Deserialize, Serialize};

/// The way from one number to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It stays at the first.
    #[default]
    Constant,
    /// On a straight line.
    Linear,
    /// On half a cosine: slowly, fast, slowly.
    Cosine,
}

impl Schedule {
    /// Where it is when `done` of the training is over, from 0 to 1.
    pub(crate) fn at(self, from: f32, to: f32, done: f64) -> f32 {
        let gone = match self {
            Schedule::Constant => 0.0,
            Schedule::Linear => done,
            Schedule::Cosine => 0.5 * (1.0 - (std::f64::consts::PI * done).cos()),
        };
        (f64::from(from) + f64::from(to - from) * gone) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_its_way() {
        let at = |schedule: Schedule| [0.0, 0.25, 0.5, 1.0].map(|done| schedule.at(4.0, 2.0, done));
        assert_eq!(at(Schedule::Constant), [4.0; 4]);
        assert_eq!(at(Schedule::Linear), [4.0, 3.5, 3.0, 2.0]);
        assert_eq!(at(Schedule::Cosine), [4.0, 3.0 + 0.5f32.sqrt(), 3.0, 2.0]);
    }
}
