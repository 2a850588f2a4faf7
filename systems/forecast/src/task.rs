//! Windows as batches to learn from.

use bessemer_plan::{Parameters, Pool};
use bessemer_train::data::Permutation;
use bessemer_train::{Task, TrainError};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::metrics::Errors;
use crate::models::Model;
use crate::options::{FitOptions, Sampling};
use crate::predictor::{Lags, Predictor};
use crate::window::WindowIndex;

/// Windows forecast at a time in validation.
const VALIDATION_BATCH: usize = 512;

/// Training and validation windows of one scaled frame.
pub(crate) struct WindowTask<'a> {
    frame: &'a Frame,
    train: WindowIndex,
    validation: Option<(WindowIndex, Predictor)>,
    options: &'a FitOptions,
    lags: Lags,
    chosen: Vec<usize>,
    epoch: Option<(u64, Permutation)>,
}

impl<'a> WindowTask<'a> {
    pub fn new(
        frame: &'a Frame,
        train: WindowIndex,
        validation: Option<WindowIndex>,
        model: &Model,
        options: &'a FitOptions,
    ) -> Result<WindowTask<'a>> {
        let predictor = |index: WindowIndex| {
            let batch = VALIDATION_BATCH.min(index.len());
            Predictor::new(model, options, batch).map(|predictor| (index, predictor))
        };
        let validation = validation.map(predictor).transpose()?;
        let lags = Lags::new(options.window_scaler, frame);
        Ok(WindowTask { frame, train, validation, options, lags, chosen: Vec::new(), epoch: None })
    }

    /// Batches in an epoch.
    pub fn batches(&self) -> u64 {
        ((self.train.len() / self.options.windows) as u64).max(1)
    }

    /// The windows of a step: a function of the seed and the step alone.
    fn choose(&mut self, step: u64) {
        let (epoch, place) = match self.options.sampling {
            Sampling::Epochs => (step / self.batches(), (step % self.batches()) as usize),
            Sampling::Random => (step, 0),
        };
        if self.epoch.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.epoch = Some((epoch, Permutation::new(self.train.len(), self.options.train.seed, epoch)));
        }
        let Some((_, order)) = &self.epoch else { return };
        let count = self.options.windows;
        self.chosen.clear();
        // Fewer windows than a batch holds are taken several times.
        self.chosen.extend((place * count..(place + 1) * count).map(|i| order.get(i % order.len())));
    }
}

impl Task for WindowTask<'_> {
    fn batch(&mut self, step: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        self.choose(step);
        let [x, y, mask] = inputs else { unreachable!("the model is traced with three inputs") };
        self.train.gather(self.frame, &self.chosen, x, y, mask);
        self.lags.prepare(self.frame, &self.train, &self.chosen, x);
        for (scaler, y) in self.lags.scalers.iter().zip(y.chunks_exact_mut(self.options.horizon)) {
            scaler.transform(y);
        }
        let observed = mask.iter().filter(|seen| **seen > 0.0).count();
        Ok(if observed > 0 { (1.0 / observed as f64) as f32 } else { 0.0 })
    }

    fn epoch(&self) -> Option<u64> {
        matches!(self.options.sampling, Sampling::Epochs).then(|| self.batches())
    }

    fn validate(&mut self, pool: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError> {
        let Some((index, predictor)) = &mut self.validation else { return Ok(None) };
        let mut errors = Errors::default();
        let (frame, horizon) = (self.frame, self.options.horizon);
        let (mut y, mut mask, mut x) = (Vec::new(), Vec::new(), Vec::new());
        let result = predictor.each_batch(
            pool,
            parameters,
            frame,
            index,
            self.options.window_scaler,
            |n, forecasts| {
                y.resize(n.len() * horizon, 0.0);
                mask.resize(n.len() * horizon, 0.0);
                x.resize(n.len() * index.lookback(), 0.0);
                index.gather(frame, n, &mut x, &mut y, &mut mask);
                errors.add(&y, forecasts, Some(&mask));
            },
        );
        match result {
            Ok(()) => Ok(self.options.loss.score(&errors)),
            Err(Error::Train(error)) => Err(error),
            Err(other) => Err(TrainError::Validation(other.to_string())),
        }
    }
}
