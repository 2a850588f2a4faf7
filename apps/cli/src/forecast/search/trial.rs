//! One trial among others.

use std::sync::Mutex;
use std::time::Instant;

use bessemer::forecast::run_trial;
use bessemer::study::{Job, Scored, Trial};

use super::Searching;
use crate::error::Result;
use crate::number;
use crate::progress::Trainings;
use crate::runs::{KeptStudy, Trained};

/// Fits the model of a trial and scores it on the validation rows, unless that was done before.
pub fn try_one(
    trial: &Trial,
    job: &Job,
    searching: &Searching,
    study: &KeptStudy,
    shown: &Trainings,
    best: &Mutex<f64>,
) -> Result<Scored> {
    let Searching { frame, splits, space, contenders, .. } = searching;
    if let Some(Trained { mae, problem, .. }) = study.before(job.number).cloned() {
        return Ok(mae.map_or_else(|| Scored::Failed(problem.unwrap_or_default()), Scored::Score));
    }
    let begun = Instant::now();
    let mut metrics = study.begin_training(job.number)?;
    let scored = run_trial(frame, splits, &contenders[job.number], job, &mut |event| {
        metrics.watch(event).iter().for_each(|problem| shown.warn(problem));
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let (mae, problem) = match &scored {
        Scored::Score(mae) => (Some(*mae), None),
        Scored::Failed(problem) => (None, Some(problem.clone())),
    };
    let trained = Trained { seconds, mae, problem, weights: None };
    if let Err(problem) = study.end_training(job.number, metrics, trained, None) {
        shown.warn(&problem);
    }
    let is_best = mae.is_some_and(|mae| {
        let mut best = best.lock().expect("nothing panics while it is held");
        let is_best = mae < *best;
        *best = best.min(mae);
        is_best
    });
    let values =
        space.dimensions().iter().zip(&trial.values).map(|((name, _), value)| format!("{name}={value}"));
    let values = values.collect::<Vec<_>>().join(" ");
    let gave = mae.map_or("diverged".into(), |mae| format!("validation MAE {}", number::digits(mae)));
    let first = if is_best { ", the best so far" } else { "" };
    let gave =
        format!("trial {} ({values}): {gave} in {}{first}", trial.number + 1, number::seconds(seconds));
    study.run().log(&gave);
    shown.ended(&gave, is_best);
    Ok(scored)
}
