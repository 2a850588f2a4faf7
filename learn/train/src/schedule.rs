//! The learning rate over time.

use serde::{Deserialize, Serialize};

/// A factor on the learning rate as a function of the step, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Always 1.
    #[default]
    Constant,
    /// Times `gamma` every `every` steps.
    Step {
        /// Steps between changes.
        every: u64,
        /// The factor of a change.
        gamma: f64,
    },
    /// gammaˢᵗᵉᵖ.
    Exponential {
        /// The factor of each step.
        gamma: f64,
    },
    /// Up linearly over `warmup` steps, then half a cosine down to `floor` at step `total`
    /// (Loshchilov & Hutter 2017).
    Cosine {
        /// Steps of the way up.
        warmup: u64,
        /// The step at which the floor is reached.
        total: u64,
        /// The lowest factor.
        floor: f64,
    },
    /// Up linearly over `warmup` steps, then linearly down to `floor` at step `total`.
    Linear {
        /// Steps of the way up.
        warmup: u64,
        /// The step at which the floor is reached.
        total: u64,
        /// The lowest factor.
        floor: f64,
    },
    /// Times `factor` whenever the validation loss has not improved for `patience` validations.
    Plateau {
        /// The factor of a change.
        factor: f64,
        /// Validations without improvement.
        patience: u32,
    },
}

impl Schedule {
    /// What makes no sense, if anything does.
    pub(crate) fn problem(&self) -> Option<String> {
        let factor =
            |name: &str, value: f64| (!(value > 0.0 && value <= 1.0)).then(|| format!("{name} = {value}"));
        match *self {
            Schedule::Constant => None,
            Schedule::Step { every: 0, .. } => Some("every = 0".into()),
            Schedule::Step { gamma, .. } | Schedule::Exponential { gamma } => factor("gamma", gamma),
            Schedule::Cosine { warmup, total, floor } | Schedule::Linear { warmup, total, floor } => {
                let floor = (!(0.0..=1.0).contains(&floor)).then(|| format!("floor = {floor}"));
                floor.or_else(|| (warmup > total).then(|| format!("warmup = {warmup} of total = {total}")))
            }
            Schedule::Plateau { factor: by, .. } => factor("factor", by),
        }
    }
}

/// What a schedule remembers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plateau {
    best: f64,
    waited: u32,
    factor: f64,
}

impl Plateau {
    pub(crate) fn new() -> Plateau {
        Plateau { best: f64::INFINITY, waited: 0, factor: 1.0 }
    }

    /// Whether it may be that of a training with so many validations.
    pub(crate) fn is_sound(&self, validations: u64) -> bool {
        !self.best.is_nan() && u64::from(self.waited) <= validations && self.factor.is_finite()
    }

    /// Takes a validation loss into account.
    pub(crate) fn observe(&mut self, schedule: &Schedule, loss: f64) {
        let Schedule::Plateau { factor, patience } = *schedule else { return };
        if loss < self.best {
            (self.best, self.waited) = (loss, 0);
        } else {
            self.waited += 1;
            if self.waited >= patience {
                self.factor *= factor;
                self.waited = 0;
            }
        }
    }
}

impl Schedule {
    /// The factor at a step.
    pub(crate) fn factor(&self, step: u64, plateau: &Plateau) -> f64 {
        let ramp = |warmup: u64| (step + 1) as f64 / warmup as f64;
        let done = |warmup: u64, total: u64| {
            ((step - warmup) as f64 / total.saturating_sub(warmup).max(1) as f64).min(1.0)
        };
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Step { every, gamma } => gamma.powi((step / every.max(1)) as i32),
            Schedule::Exponential { gamma } => gamma.powf(step as f64),
            Schedule::Cosine { warmup, .. } | Schedule::Linear { warmup, .. } if step < warmup => {
                ramp(warmup)
            }
            Schedule::Cosine { warmup, total, floor } => {
                let wave = 0.5 * (1.0 + (std::f64::consts::PI * done(warmup, total)).cos());
                floor + (1.0 - floor) * wave
            }
            Schedule::Linear { warmup, total, floor } => 1.0 - (1.0 - floor) * done(warmup, total),
            Schedule::Plateau { .. } => plateau.factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: Schedule, steps: &[u64]) -> Vec<f64> {
        steps.iter().map(|&s| (schedule.factor(s, &Plateau::new()) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn factors() {
        assert_eq!(at(Schedule::Constant, &[0, 99]), [1.0, 1.0]);
        assert_eq!(at(Schedule::Step { every: 10, gamma: 0.5 }, &[0, 9, 10, 25]), [1.0, 1.0, 0.5, 0.25]);
        assert_eq!(at(Schedule::Exponential { gamma: 0.5 }, &[0, 1, 3]), [1.0, 0.5, 0.125]);
        let cosine = Schedule::Cosine { warmup: 4, total: 14, floor: 0.0 };
        assert_eq!(at(cosine, &[0, 3, 4, 9, 14, 20]), [0.25, 1.0, 1.0, 0.5, 0.0, 0.0]);
        let linear = Schedule::Linear { warmup: 0, total: 10, floor: 0.1 };
        assert_eq!(at(linear, &[0, 5, 10, 11]), [1.0, 0.55, 0.1, 0.1]);
    }

    #[test]
    fn a_plateau_lowers_the_rate_after_its_patience() {
        let schedule = Schedule::Plateau { factor: 0.1, patience: 2 };
        let mut plateau = Plateau::new();
        let mut seen = Vec::new();
        for loss in [1.0, 0.9, 0.95, 0.92, 0.91, 0.8] {
            plateau.observe(&schedule, loss);
            seen.push(schedule.factor(0, &plateau));
        }
        assert_eq!(seen, [1.0, 1.0, 1.0, 0.1, 0.1, 0.1]);
    }
}
