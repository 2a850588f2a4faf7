//! A model to be fitted as one of many jobs.

use std::ops::ControlFlow;

use bessemer_study::Job;
use bessemer_train::Event;

use crate::error::Result;
use crate::forecaster::Forecaster;
use crate::frame::Frame;
use crate::models::Model;
use crate::options::FitOptions;
use crate::split::Split;

/// A model with the way it is fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// The model with its settings.
    pub model: Model,
    /// How it is fitted.
    pub options: FitOptions,
}

impl Contender {
    /// Fits it to the training rows of a split, until the job is halted. The weights that are best on the
    /// validation rows, if there are any, are kept. `watch` sees every step.
    ///
    /// # Errors
    /// As [`Forecaster::fit_within`], and where the job is halted.
    pub fn fit(
        &self,
        frame: &Frame,
        splits: &[Split],
        job: &Job,
        watch: &mut dyn FnMut(&Event),
    ) -> Result<Forecaster> {
        let training: Vec<_> = splits.iter().map(|split| split.train.clone()).collect();
        let validation: Vec<_> = splits.iter().map(|split| split.validation.clone()).collect();
        let validates = validation.iter().any(|rows| !rows.is_empty());
        Forecaster::fit_within(
            frame,
            &training,
            validates.then_some(&validation),
            &self.model,
            &self.options,
            None,
            &job.pool,
            &mut |event| {
                watch(&event);
                if job.is_halted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )
    }
}
