//! Grid and random search over a space of settings.

use serde::Serialize;

use crate::draw;
use crate::error::{Result, StudyError};
use crate::jobs::{Ended, Job, Jobs};
use crate::space::{Space, Value};

/// The most trials of a search.
const TRIALS_MAX: usize = 100_000;

/// Which points of a space are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Every combination of values.
    Grid {
        /// Values of each range.
        points: usize,
    },
    /// Points drawn one by one, each setting by itself (Bergstra and Bengio, "Random search for
    /// hyper-parameter optimization", 2012).
    Random {
        /// Of the draws: a trial is a function of it and of its own number.
        seed: u64,
        /// How many.
        trials: usize,
    },
}

/// One point of a space.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its number, counted from 0.
    pub number: usize,
    /// A value for each setting, in the order of the space.
    pub values: Vec<Value>,
}

/// How a trial went.
#[derive(Clone, Debug, PartialEq)]
pub enum Scored {
    /// Its score; less is better.
    Score(f64),
    /// It has none, such as a training that diverged; why.
    Failed(String),
}

/// A trial with its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The number of the trial, counted from 0.
    pub number: usize,
    /// A value for each setting, in the order of [`Findings::settings`].
    pub values: Vec<Value>,
    /// The score, if there is one that is a number; less is better.
    pub score: Option<f64>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Findings {
    /// The names of the settings.
    pub settings: Vec<String>,
    /// All trials, best first; those without a score come last, and equals in the order of their numbers.
    pub trials: Vec<Outcome>,
}

impl Space {
    /// The trials of a search.
    ///
    /// # Errors
    /// If there is none, or more than 100,000 of them.
    ///
    /// ```
    /// use bessemer_study::{Search, Space};
    ///
    /// let space = Space::new(vec![("a".into(), "1,2".parse()?), ("b".into(), "log:1..100".parse()?)])?;
    /// let trials = space.trials(&Search::Grid { points: 3 })?;
    /// let values = |number: usize| trials[number].values.iter().map(|v| v.as_f64()).collect::<Vec<_>>();
    /// assert_eq!((trials.len(), values(1), values(3)), (6, vec![1.0, 10.0], vec![2.0, 1.0]));
    /// # Ok::<(), bessemer_study::StudyError>(())
    /// ```
    pub fn trials(&self, search: &Search) -> Result<Vec<Trial>> {
        match *search {
            Search::Grid { points } => self.grid(points),
            Search::Random { seed, trials } => {
                check_count(trials, &format!("{trials} trials were asked for;"))?;
                Ok((0..trials).map(|number| self.drawn(seed, number)).collect())
            }
        }
    }

    fn grid(&self, points: usize) -> Result<Vec<Trial>> {
        check_count(points, &format!("{points} values of each range were asked for;"))?;
        let axes: Vec<Vec<Value>> = self.dimensions().iter().map(|(_, d)| d.points(points)).collect();
        let all = axes.iter().try_fold(1usize, |all, axis| all.checked_mul(axis.len())).unwrap_or(usize::MAX);
        check_count(all, &format!("the grid has {all} combinations;"))?;
        let trial = |number: usize| {
            // Digits of the number, the last setting changing first.
            let mut rest = number;
            let mut values: Vec<Value> = Vec::with_capacity(axes.len());
            for axis in axes.iter().rev() {
                values.push(axis[rest % axis.len()].clone());
                rest /= axis.len();
            }
            values.reverse();
            Trial { number, values }
        };
        Ok((0..all).map(trial).collect())
    }

    fn drawn(&self, seed: u64, number: usize) -> Trial {
        let value = |(place, (_, dimension)): (usize, &(String, crate::space::Dimension))| {
            dimension.at(draw::of_trial(seed, number as u64, place))
        };
        Trial { number, values: self.dimensions().iter().enumerate().map(value).collect() }
    }

    /// Scores trials, one on each core, and sorts them.
    ///
    /// # Errors
    /// As [`Jobs::run`]. A trial that merely has no score is [`Scored::Failed`], and the others go on.
    pub fn search<E: Send>(
        &self,
        jobs: &Jobs,
        trials: &[Trial],
        score: impl Fn(&Trial, &Job) -> Result<Scored, E> + Sync,
    ) -> Result<Findings, Ended<E>> {
        let scored = jobs.run(trials, score)?;
        let outcome = |(trial, scored): (&Trial, Scored)| {
            let (score, problem) = match scored {
                Scored::Score(score) if score.is_nan() => (None, Some("its score is NaN".to_string())),
                Scored::Score(score) => (Some(score), None),
                Scored::Failed(problem) => (None, Some(problem)),
            };
            Outcome { number: trial.number, values: trial.values.clone(), score, problem }
        };
        let mut outcomes: Vec<Outcome> = trials.iter().zip(scored).map(outcome).collect();
        outcomes.sort_by(|a, b| match (a.score, b.score) {
            (Some(a_score), Some(b_score)) => a_score.total_cmp(&b_score).then(a.number.cmp(&b.number)),
            (a_score, b_score) => b_score.is_some().cmp(&a_score.is_some()).then(a.number.cmp(&b.number)),
        });
        let settings = self.dimensions().iter().map(|(name, _)| name.clone()).collect();
        Ok(Findings { settings, trials: outcomes })
    }
}

impl Findings {
    /// The trial with the best score, the earliest of equals; `None` where no trial has one.
    pub fn best(&self) -> Option<&Outcome> {
        self.trials.first().filter(|outcome| outcome.score.is_some())
    }
}

fn check_count(count: usize, what: &str) -> Result<()> {
    match count {
        0 => Err(StudyError::TooSmall { what: "the number of trials", value: 0, minimum: 1 }),
        _ if count > TRIALS_MAX => {
            Err(StudyError::TooManyTrials { what: what.to_string(), limit: TRIALS_MAX })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bessemer_kernels::pool::Pool;

    use super::*;

    fn space(dimensions: &[(&str, &str)]) -> Space {
        let read = |(name, text): &(&str, &str)| (name.to_string(), text.parse().unwrap());
        Space::new(dimensions.iter().map(read).collect()).unwrap()
    }

    #[test]
    fn a_trial_is_a_function_of_seed_and_number() {
        let space = space(&[("width", "16,32,64"), ("layers", "1..4"), ("rate", "log:1e-4..1e-1")]);
        let trials = |seed, trials| space.trials(&Search::Random { seed, trials }).unwrap();
        let many = trials(3, 500);
        assert_eq!(trials(3, 20), many[..20]);
        assert_ne!(trials(4, 20), many[..20]);
        assert!(many.iter().enumerate().all(|(number, trial)| trial.number == number));
        // Settings are drawn each by itself: all pairs of the two small ones occur, as often as chance has it.
        for width in [16, 32, 64] {
            for layers in 1..=4 {
                let pair = [Value::Integer(width), Value::Integer(layers)];
                let count = many.iter().filter(|trial| trial.values[..2] == pair).count();
                assert!((15..75).contains(&count), "{pair:?}: {count} of 500, where 42 are expected");
            }
        }
        let small = many.iter().filter(|trial| trial.values[2].as_f64() < 1e-3).count();
        assert!((120..215).contains(&small), "{small} of 500 in a third of the factors");
    }

    #[test]
    fn the_best_comes_first_and_what_failed_last_at_any_number_of_threads() {
        let space = space(&[("a", "1..5"), ("b", "x,y")]);
        let trials = space.trials(&Search::Grid { points: 5 }).unwrap();
        let found = |threads| {
            let pool = Pool::new(threads);
            let found = space.search(&Jobs::new(&pool), &trials, |trial, _| {
                let a = trial.values[0].as_f64();
                Ok::<_, Infallible>(match (a, trial.values[1].to_string().as_str()) {
                    (2.0, "x") => Scored::Failed("diverged".into()),
                    (4.0, "y") => Scored::Score(f64::NAN),
                    _ => Scored::Score((a - 3.0).abs()),
                })
            });
            found.unwrap()
        };
        let one = found(1);
        assert_eq!(found(3), one);
        let numbers: Vec<usize> = one.trials.iter().map(|outcome| outcome.number).collect();
        assert_eq!(numbers, [4, 5, 3, 6, 0, 1, 8, 9, 2, 7]);
        assert_eq!(one.best().map(|best| (best.number, best.score)), Some((4, Some(0.0))));
        assert_eq!(one.trials[8].problem.as_deref(), Some("diverged"));
        let json =
            serde_json::to_string(&Findings { trials: one.trials[..1].to_vec(), ..one.clone() }).unwrap();
        assert_eq!(json, r#"{"settings":["a","b"],"trials":[{"number":4,"values":[3,"x"],"score":0.0}]}"#);
        assert_eq!(Findings { trials: one.trials[8..].to_vec(), ..one }.best(), None);
    }

    #[test]
    fn too_many_trials_are_refused_before_they_are_made() {
        let wide = space(&[("a", "1..100000"), ("b", "1..100000"), ("c", "1..100000"), ("d", "1..100000")]);
        let refused = |search| wide.trials(&search).unwrap_err().to_string();
        assert!(refused(Search::Grid { points: 100_000 }).contains("the grid has"));
        assert!(refused(Search::Grid { points: usize::MAX }).contains("values of each range"));
        assert!(refused(Search::Random { seed: 1, trials: usize::MAX }).contains("trials were asked for"));
        assert!(refused(Search::Random { seed: 1, trials: 0 }).contains("at least 1"));
        assert!(refused(Search::Grid { points: 0 }).contains("at least 1"));
    }
}
