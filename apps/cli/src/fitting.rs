//! Fitting a model while it is watched and can be interrupted.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use bessemer::forecast::{Baseline, Error, FitOptions, Forecaster, Frame, Model, Split, backtest};
use bessemer::plan::Pool;
use bessemer::train::{Checkpoints, Event, TrainError};

use crate::error::{CliError, Result};
use crate::interrupt;
use crate::pace::Pace;
use crate::profile;
use crate::progress::Progress;
use crate::results::{RankBy, Results};
use crate::runs::KeptRun;

/// The rows that models learn from and are chosen by.
pub struct Rows {
    /// One range for each series.
    pub training: Vec<Range<usize>>,
    /// Likewise, if any.
    pub validation: Option<Vec<Range<usize>>>,
}

/// The options that ask for the division of the batch in use.
pub fn division(options: &FitOptions) -> String {
    let option = |name: &str, value: Option<usize>| value.map(|value| format!("--{name} {value}"));
    let both = [option("micro-batch", options.micro_batch), option("lanes", options.lanes)];
    both.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Scores a model beside the baselines on the rows that it was chosen by, if any hold a whole window.
pub fn validate(
    frame: &Frame,
    rows: &Rows,
    forecaster: &Forecaster,
    data: &str,
    pool: &Pool,
) -> Result<Option<Results>> {
    let Some(validation) = &rows.validation else { return Ok(None) };
    let (horizon, lookback) = (forecaster.options().horizon, forecaster.options().lookback);
    let split = |(train, held): (&Range<usize>, &Range<usize>)| Split {
        train: train.clone(),
        validation: train.end..train.end,
        test: held.clone(),
    };
    let splits: Vec<Split> = rows.training.iter().zip(validation).map(split).collect();
    let test = backtest(frame, &splits, lookback, horizon, false, None)?;
    if test.windows == 0 {
        return Ok(None);
    }
    let mut models: Vec<_> = Baseline::ALL.map(|baseline| test.score_baseline(baseline)).into();
    models.push(test.score(forecaster, pool)?);
    let mut results = Results {
        data: data.to_string(),
        protocol: "validation",
        horizon,
        lookback,
        windows: test.windows,
        threads: pool.threads(),
        seed: forecaster.options().train.seed,
        models,
    };
    results.rank(RankBy::Mae);
    Ok(Some(results))
}

/// Fits a model, whose metrics go into that folder of the run. Ctrl-C ends it with an error, and with a
/// checkpoint if there are to be any.
pub fn fit(
    frame: &Frame,
    rows: &Rows,
    model: &Model,
    options: &FitOptions,
    checkpoints: Option<&Checkpoints>,
    pool: &Pool,
    progress: &Progress,
    kept: &mut KeptRun,
    within: &str,
) -> Result<Forecaster> {
    let mut options = options.clone();
    options.train.profile = profile::requested();
    let options = &options;
    let mut shown = progress.model(model.name(), Pace::of(options));
    let _hold = interrupt::training();
    let validation = rows.validation.as_deref();
    kept.begin_training(within)?;
    let mut watch = |event: Event| {
        shown.watch(event);
        if let Some(problem) = kept.watch(&event) {
            shown.watch(Event::Problem { problem: &problem });
        }
        if let Event::Resumed { .. } = event {
            shown.recall(|| kept.metrics());
        }
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let fitted = Forecaster::fit_within(
        frame,
        &rows.training,
        validation,
        model,
        options,
        checkpoints,
        pool,
        &mut watch,
    );
    match fitted {
        Ok(mut forecaster) => {
            if let Some(measured) = forecaster.history.profile.take() {
                profile::collect(model.name(), measured, kept.path());
            }
            shown.finish(forecaster.history.losses.len(), forecaster.history.elapsed);
            let history = &forecaster.history;
            let scores = [
                ("loss", history.losses.last().copied()),
                ("validation_loss", history.validations.iter().map(|(_, loss)| *loss).reduce(f64::min)),
                ("best_step", history.best_step.map(|step| step as f64)),
                ("steps", Some(history.losses.len() as f64)),
                ("seconds_fit", Some(history.elapsed.as_secs_f64())),
                ("seconds_waited", Some(history.waited.as_secs_f64())),
                ("parameters", Some(forecaster.parameter_count() as f64)),
            ];
            kept.end_training(model.name(), &scores)?;
            Ok(forecaster)
        }
        Err(Error::Train(TrainError::Stopped { step, checkpoint })) => {
            let doing = format!("{} was at training step {step} of {}", model.name(), options.train.steps);
            Err(match checkpoint {
                None => CliError::Interrupted { doing, run: kept.path().map(Path::to_path_buf) },
                Some(_) => CliError::Paused {
                    doing,
                    command: interrupt::resume_command(&division(options), kept.path()),
                },
            })
        }
        Err(error) => Err(error.into()),
    }
}
