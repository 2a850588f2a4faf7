//! Averages of the weights along the way of a training.

use bessemer_kernels::chunks::for_chunks;
use bessemer_plan::{Parameters, Pool};
use serde::{Deserialize, Serialize};

/// Floats that one task averages.
const CHUNK: usize = 16_384;

/// Which average of the weights is validated, and kept at the end, instead of the weights themselves.
///
/// Statistics that follow no gradient, such as those of batch norm, are averaged with the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Average {
    /// Exponential moving average: after each step `decay` of the average and the rest of the weights
    /// (Polyak & Juditsky 1992). It begins with the first weights.
    Ema {
        /// Share of the average that is kept, less than 1.
        decay: f32,
    },
    /// Stochastic weight averaging (Izmailov et al. 2018): the mean of the weights after every `every` steps
    /// from step `start` on, at a constant learning rate that is reached within `anneal` steps along a
    /// cosine.
    Swa {
        /// The first step (counted from 0) at the learning rate below.
        start: u64,
        /// Steps from one of the averaged weights to the next.
        every: u64,
        /// The learning rate from there on.
        learning_rate: f64,
        /// Steps on the way to that rate.
        anneal: u64,
    },
}

impl Average {
    /// The learning rate of a step for which the schedule has `scheduled`, and had `at_start` at the start
    /// of the averaging.
    pub(crate) fn learning_rate(&self, step: u64, scheduled: f64, at_start: f64) -> f64 {
        match *self {
            Average::Swa { start, learning_rate, anneal, .. } if step >= start => {
                let done = ((step - start) as f64 / anneal.max(1) as f64).min(1.0);
                let share = 0.5 * (1.0 - (std::f64::consts::PI * done).cos());
                at_start + share * (learning_rate - at_start)
            }
            _ => scheduled,
        }
    }

    /// The share of the new weights in the average after so many steps, of which `count` are in it; `None`
    /// if these weights don't count.
    fn share(&self, steps: u64, count: u64) -> Option<f32> {
        match *self {
            Average::Ema { decay } => Some(1.0 - decay),
            Average::Swa { start, every, .. } => {
                let due = steps > start && (steps - start).is_multiple_of(every.max(1));
                due.then(|| 1.0 / (count + 1) as f32)
            }
        }
    }

    /// The problem with these settings, if there is one.
    pub(crate) fn problem(&self) -> Option<String> {
        match *self {
            Average::Ema { decay } if !(0.0..1.0).contains(&decay) => Some(format!("decay {decay}")),
            Average::Swa { every: 0, .. } => Some("every 0".into()),
            Average::Swa { learning_rate, .. } if !(learning_rate.is_finite() && learning_rate > 0.0) => {
                Some(format!("learning rate {learning_rate}"))
            }
            _ => None,
        }
    }
}

/// An average at work.
pub(crate) struct Averaged {
    rule: Average,
    /// The average, once there is one.
    pub parameters: Parameters,
    /// Weights in it.
    pub count: u64,
}

impl Averaged {
    /// Before the first step.
    pub fn new(rule: Average, parameters: &Parameters) -> Averaged {
        let count = u64::from(matches!(rule, Average::Ema { .. }));
        Averaged { rule, parameters: parameters.clone(), count }
    }

    /// Takes in the weights after so many steps.
    pub fn observe(&mut self, pool: &Pool, steps: u64, parameters: &Parameters) {
        let Some(share) = self.rule.share(steps, self.count) else { return };
        let weights = parameters.as_slice();
        if self.count == 0 {
            self.parameters.as_mut_slice().copy_from_slice(weights);
        } else {
            for_chunks(pool, [self.parameters.as_mut_slice()], CHUNK, &|start, [average]| {
                for (mean, weight) in average.iter_mut().zip(&weights[start..]) {
                    *mean += share * (weight - *mean);
                }
            });
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use bessemer_graph::Parameter;

    use super::*;

    fn weights(value: f32) -> Parameters {
        let mut parameters = Parameters::new(&[Parameter { name: "w".into(), shape: vec![3] }]);
        parameters.get_mut(0).fill(value);
        parameters
    }

    #[test]
    fn an_exponential_average_follows_slowly() {
        let pool = Pool::new(1);
        let mut average = Averaged::new(Average::Ema { decay: 0.75 }, &weights(0.0));
        for (step, expected) in [(1, 1.0), (2, 1.75), (3, 2.3125)] {
            average.observe(&pool, step, &weights(4.0));
            assert_eq!(average.parameters.get(0), [expected; 3]);
        }
    }

    #[test]
    fn a_mean_of_every_second_weight_from_the_start_on() {
        let pool = Pool::new(1);
        let swa = Average::Swa { start: 4, every: 2, learning_rate: 0.1, anneal: 2 };
        let mut average = Averaged::new(swa, &weights(100.0));
        for step in 1..=10 {
            average.observe(&pool, step, &weights(step as f32));
        }
        // After 6, 8 and 10 steps.
        assert_eq!((average.parameters.get(0)[0], average.count), (8.0, 3));
        let rate = |step| swa.learning_rate(step, 1.0, 0.5);
        // Halfway along the cosine at 5.
        for (step, expected) in [(3, 1.0), (4, 0.5), (5, 0.3), (6, 0.1), (9, 0.1)] {
            assert!((rate(step) - expected).abs() < 1e-12, "{step}: {}", rate(step));
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        assert!(Average::Ema { decay: 1.0 }.problem().is_some());
        assert!(Average::Ema { decay: f32::NAN }.problem().is_some());
        assert!(Average::Ema { decay: 0.999 }.problem().is_none());
        let swa = Average::Swa { start: 0, every: 0, learning_rate: 0.1, anneal: 0 };
        assert!(swa.problem().is_some());
    }
}
