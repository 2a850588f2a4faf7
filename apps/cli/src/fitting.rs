//! Fitting a model while it is watched and can be interrupted.

use std::ops::{ControlFlow, Range};

use bessemer::forecast::{Error, FitOptions, Forecaster, Frame, Model};
use bessemer::plan::Pool;
use bessemer::train::{Checkpoints, Event, TrainError};

use crate::error::{CliError, Result};
use crate::interrupt;
use crate::pace::Pace;
use crate::profile;
use crate::progress::Progress;

/// The rows that models learn from and are chosen by.
pub struct Rows {
    /// One range for each series.
    pub training: Vec<Range<usize>>,
    /// Likewise, if any.
    pub validation: Option<Vec<Range<usize>>>,
}

/// The options that ask for the division of the batch in use.
fn division(options: &FitOptions) -> String {
    let option = |name: &str, value: Option<usize>| value.map(|value| format!("--{name} {value}"));
    let both = [option("micro-batch", options.micro_batch), option("lanes", options.lanes)];
    both.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Fits a model. Ctrl-C ends it with an error, and with a checkpoint if there are to be any.
pub fn fit(
    frame: &Frame,
    rows: &Rows,
    model: &Model,
    options: &FitOptions,
    checkpoints: Option<&Checkpoints>,
    pool: &Pool,
    progress: &Progress,
) -> Result<Forecaster> {
    let mut options = options.clone();
    options.train.profile = profile::requested();
    let options = &options;
    let mut shown = progress.model(model.name(), Pace::of(options));
    let _hold = interrupt::training();
    let validation = rows.validation.as_deref();
    let mut watch = |event: Event| {
        shown.watch(event);
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
                profile::collect(model.name(), measured);
            }
            shown.finish(forecaster.history.losses.len(), forecaster.history.elapsed);
            Ok(forecaster)
        }
        Err(Error::Train(TrainError::Stopped { step, checkpoint })) => {
            let doing = format!("{} was at training step {step} of {}", model.name(), options.train.steps);
            Err(match checkpoint {
                None => CliError::Interrupted { doing },
                Some(_) => CliError::Paused { doing, command: interrupt::resume_command(&division(options)) },
            })
        }
        Err(error) => Err(error.into()),
    }
}
