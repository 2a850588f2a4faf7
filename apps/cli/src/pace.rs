//! How fast a training goes.

use bessemer::forecast::FitOptions;

/// The steps of a training, and the samples in each.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Steps asked for.
    pub steps: u64,
    /// Samples that a step learns from.
    pub samples: u64,
    /// Steps that were taken before, where a training goes on from a checkpoint.
    pub first: u64,
}

impl Pace {
    /// The pace of a training with these options, from its first step.
    pub fn of(options: &FitOptions) -> Pace {
        let samples = (options.windows as u64).saturating_mul(options.train.accumulate.into());
        Pace { steps: options.train.steps, samples, first: 0 }
    }

    /// Samples a second, where `step` steps are taken after so many seconds; 0 before the first.
    pub fn samples_per_second(&self, step: u64, seconds: f64) -> f64 {
        let samples = step.saturating_sub(self.first) as f64 * self.samples as f64;
        if seconds > 0.0 { samples / seconds } else { 0.0 }
    }

    /// The seconds that the other steps take if they take as long; none before the first.
    pub fn seconds_left(&self, step: u64, seconds: f64) -> Option<f64> {
        let taken = step.checked_sub(self.first).filter(|taken| *taken > 0)?;
        Some(seconds / taken as f64 * self.steps.saturating_sub(step) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_an_earlier_run_took_no_time_of_this_one() {
        let whole = Pace { steps: 100, samples: 32, first: 0 };
        let resumed = Pace { first: 40, ..whole };
        let cases = [
            (whole, 0, 2.0, 0.0, None),
            (whole, 50, 2.0, 800.0, Some(2.0)),
            (resumed, 40, 2.0, 0.0, None),
            (resumed, 50, 2.0, 160.0, Some(10.0)),
            (resumed, 100, 3.0, 640.0, Some(0.0)),
        ];
        for (pace, step, seconds, speed, left) in cases {
            assert_eq!(pace.samples_per_second(step, seconds), speed, "{pace:?} {step}");
            assert_eq!(pace.seconds_left(step, seconds), left, "{pace:?} {step}");
        }
    }
}
