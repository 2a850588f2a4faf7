//! Search over settings of models and of their training.

use bessemer_study::{Findings, Job, Jobs, Scored, Space, Trial};
use bessemer_train::{Event, TrainError};

use crate::backtest::backtest;
use crate::contender::Contender;
use crate::cross_validate::on_validation;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::split::Split;

/// Fits a model for each trial, one on each core, to the training rows, and scores it by its mean absolute
/// error on the validation rows, in the unit of the data. `contenders` has what is fitted for each trial.
///
/// Each is a [`run_trial`], of which the caller may make a search of its own. Test rows are never looked at: score the best of them there afterwards, since its validation error is that
/// of the luckiest as much as of the best.
///
/// # Errors
/// Where there are not as many contenders as trials, no window fits into the validation rows, or all are
/// stopped.
///
/// ```
/// use bessemer_forecast::{Contender, FitOptions, Model, Split, air_passengers, search};
/// use bessemer_plan::Pool;
/// use bessemer_study::{Jobs, Search, Space};
///
/// let frame = air_passengers::frame();
/// let splits = Split::holdout_each(&frame, 12, 12)?;
/// let space = Space::new(vec![("rate".into(), "log:1e-4..1e-2".parse()?)])?;
/// let trials = space.trials(&Search::Grid { points: 3 })?;
/// let contenders: Vec<Contender> = trials
///     .iter()
///     .map(|trial| {
///         let mut options = FitOptions::new(12, 24);
///         options.train.steps = 50;
///         options.train.learning_rate = trial.values[0].as_f64();
///         Ok(Contender { model: Model::by_name("nlinear")?, options })
///     })
///     .collect::<Result<_, bessemer_forecast::Error>>()?;
/// let pool = Pool::new(2);
/// let found = search(&frame, &splits, &space, &trials, &contenders, &Jobs::new(&pool))?;
/// assert_eq!(found.trials.len(), 3);
/// assert!(found.best().unwrap().score <= found.trials[2].score);
/// # Ok::<(), bessemer_forecast::Error>(())
/// ```
pub fn search(
    frame: &Frame,
    splits: &[Split],
    space: &Space,
    trials: &[Trial],
    contenders: &[Contender],
    jobs: &Jobs,
) -> Result<Findings> {
    if trials.len() != contenders.len() {
        let problem = format!("{} for {} trials", contenders.len(), trials.len());
        return Err(Error::Option { what: "contenders", problem, remedy: "give one for each trial" });
    }
    Ok(space
        .search(jobs, trials, |_, job| run_trial(frame, splits, &contenders[job.number], job, &mut |_| {}))?)
}

/// Fits a model to the training rows and scores it by its mean absolute error on the validation rows, in the
/// unit of the data. A training that diverges is a trial without a score. `watch` sees every step.
///
/// # Errors
/// Where no window fits into the validation rows, or the job is halted.
pub fn run_trial(
    frame: &Frame,
    splits: &[Split],
    contender: &Contender,
    job: &Job,
    watch: &mut dyn FnMut(&Event),
) -> Result<Scored> {
    let forecaster = match contender.fit(frame, splits, job, watch) {
        Err(Error::Train(
            error @ (TrainError::NotFinite { .. } | TrainError::Range { .. } | TrainError::Overflow { .. }),
        )) => return Ok(Scored::Failed(error.to_string())),
        fitted => fitted?,
    };
    let (lookback, horizon) = (contender.options.lookback, contender.options.horizon);
    let validation = backtest(frame, &on_validation(splits), lookback, horizon, false, None)?;
    Ok(Scored::Score(validation.score(&forecaster, &job.pool)?.mae))
}

#[cfg(test)]
mod tests {
    use bessemer_plan::Pool;
    use bessemer_study::Search;

    use super::*;
    use crate::models::Model;
    use crate::options::FitOptions;
    use crate::{Series, air_passengers};

    fn found(frame: &Frame, rates: &str, threads: usize) -> Result<Findings> {
        let splits = Split::holdout_each(frame, 12, 12)?;
        let space = Space::new(vec![("rate".into(), rates.parse()?)])?;
        let trials = space.trials(&Search::Grid { points: 4 })?;
        let contender = |trial: &Trial| {
            let mut options = FitOptions::new(12, 24);
            options.train.steps = 20;
            options.train.learning_rate = trial.values[0].as_f64();
            Contender { model: Model::by_name("mlp").unwrap(), options }
        };
        let contenders: Vec<Contender> = trials.iter().map(contender).collect();
        let pool = Pool::new(threads);
        search(frame, &splits, &space, &trials, &contenders, &Jobs::new(&pool))
    }

    #[test]
    fn trials_that_diverge_come_last_at_any_number_of_threads() {
        let frame = air_passengers::frame();
        let one = found(&frame, "1e-5,1e-3,1e30", 1).unwrap();
        assert_eq!(found(&frame, "1e-5,1e-3,1e30", 3).unwrap(), one);
        let numbers: Vec<usize> = one.trials.iter().map(|trial| trial.number).collect();
        assert_eq!(numbers, [1, 0, 2]);
        assert!(one.trials[2].problem.as_ref().unwrap().contains("lower the learning rate"));
    }

    /// What the test rows hold makes no difference.
    #[test]
    fn test_rows_are_not_looked_at() {
        let frame = air_passengers::frame();
        let mut other = frame.clone();
        let mut values = frame.series[0].values().to_vec();
        values[132..].fill(1e6);
        other.series[0] = Series::new("passengers", frame.series[0].start, values);
        assert_eq!(found(&frame, "log:1e-4..1e-2", 2).unwrap(), found(&other, "log:1e-4..1e-2", 2).unwrap());
    }

    #[test]
    fn a_model_for_each_trial_is_needed() {
        let (frame, pool) = (air_passengers::frame(), Pool::new(1));
        let splits = Split::holdout_each(&frame, 12, 12).unwrap();
        let space = Space::new(vec![("rate".into(), "1,2".parse().unwrap())]).unwrap();
        let trials = space.trials(&Search::Grid { points: 1 }).unwrap();
        let error = search(&frame, &splits, &space, &trials, &[], &Jobs::new(&pool)).unwrap_err();
        assert_eq!(error.to_string(), "contenders: 0 for 2 trials; give one for each trial");
    }
}
