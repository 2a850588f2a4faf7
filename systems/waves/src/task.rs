//! Points as batches to learn from.

use bessemer_plan::{Parameters, Pool};
use bessemer_train::data::Permutation;
use bessemer_train::{Task, TrainError};

use crate::error::Error;
use crate::inputs::{Inputs, gather};
use crate::options::Loss;
use crate::predictor::Predictor;
use crate::scores::Errors;

/// Points and their scaled values.
pub(crate) struct Samples {
    pub inputs: Inputs,
    /// `[N, channels]`.
    pub targets: Vec<f32>,
}

/// What a training learns from, and what it is validated on.
pub(crate) struct PointTask {
    pub training: Samples,
    pub validation: Option<(Samples, Predictor)>,
    pub channels: usize,
    pub loss: Loss,
    /// Points in a batch; all of them if there are as many.
    pub batch: usize,
    pub seed: u64,
    pub order: Option<(u64, Permutation)>,
}

impl PointTask {
    fn batches(&self) -> u64 {
        (self.training.inputs.len() / self.batch) as u64
    }
}

impl Task for PointTask {
    fn batch(&mut self, number: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError> {
        let points = self.training.inputs.len();
        let (epoch, place) = (number / self.batches(), (number % self.batches()) as usize);
        if self.batch < points && self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            self.order = Some((epoch, Permutation::new(points, self.seed, epoch)));
        }
        let order = self.order.as_ref().map(|(_, order)| order);
        let numbers = (place * self.batch..(place + 1) * self.batch).map(|n| order.map_or(n, |o| o.get(n)));
        let (of_points, targets) = inputs.split_at_mut(self.training.inputs.count());
        if self.batch == points {
            self.training.inputs.copy(of_points);
            targets[0].copy_from_slice(&self.training.targets);
        } else {
            self.training.inputs.gather(numbers.clone(), of_points);
            gather(&self.training.targets, self.channels, numbers, &mut targets[0]);
        }
        Ok(1.0 / (self.batch * self.channels) as f32)
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.batches())
    }

    fn validate(&mut self, pool: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError> {
        let Some((samples, predictor)) = &mut self.validation else { return Ok(None) };
        let values = predictor.predict(pool, parameters, &samples.inputs).map_err(|error| match error {
            Error::Train(error) => error,
            other => TrainError::Validation(other.to_string()),
        })?;
        let mut errors = Errors::default();
        errors.add(&samples.targets, &values);
        Ok(Some(match self.loss {
            Loss::Mse => errors.mse(),
            Loss::Mae => errors.mae(),
        }))
    }
}
