//! How a model is fitted.

use bessemer_nn::{Trace, losses};
use bessemer_plan::{Candidate, Executable, PlanOptions, Pool, Precision, tune};
use bessemer_train::{TrainError, TrainOptions};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::metrics::Errors;
use crate::models::Model;
use crate::scaler::ScalerKind;

/// The most lags or steps that are asked of a model.
const MAX_LENGTH: usize = 1 << 20;

/// Which windows a step learns from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// All windows once per epoch, in a new order each time; a rest that fills no batch is left out.
    #[default]
    Epochs,
    /// Windows drawn anew at every step.
    Random,
}

/// What is minimised, of the scaled values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Mean squared error.
    #[default]
    Mse,
    /// Mean absolute error.
    Mae,
}

impl Loss {
    /// The loss of collected errors.
    pub(crate) fn score(self, errors: &Errors) -> Option<f64> {
        match self {
            Loss::Mse => errors.mse(),
            Loss::Mae => errors.mae(),
        }
    }
}

/// How a model is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitOptions {
    /// Steps forecast.
    pub horizon: usize,
    /// Steps looked back on.
    pub lookback: usize,
    /// Scaling of each series, by its training rows.
    pub scaler: ScalerKind,
    /// Scaling of each window, by its lags.
    pub window_scaler: ScalerKind,
    /// What is minimised.
    pub loss: Loss,
    /// Windows in a batch.
    pub windows: usize,
    /// Which windows a step learns from.
    pub sampling: Sampling,
    /// The arithmetic of training, and of forecasts of many windows; of a few, f32, but int8 of any number.
    #[serde(default)]
    pub precision: Precision,
    /// Percent of the memory of activations that training may use, see [`PlanOptions::activations`].
    #[serde(default)]
    pub activations: Option<u8>,
    /// Windows in a micro-batch, see [`PlanOptions::micro_batch`].
    #[serde(default)]
    pub micro_batch: Option<usize>,
    /// Lanes, see [`PlanOptions::lanes`].
    #[serde(default)]
    pub lanes: Option<usize>,
    /// The training itself; steps and validation are counted in batches.
    pub train: TrainOptions,
}

impl FitOptions {
    /// For a horizon and a lookback: standardised series, 1,000 steps of 32 windows.
    pub fn new(horizon: usize, lookback: usize) -> FitOptions {
        FitOptions {
            horizon,
            lookback,
            scaler: ScalerKind::Standard,
            window_scaler: ScalerKind::None,
            loss: Loss::Mse,
            windows: 32,
            sampling: Sampling::Epochs,
            precision: Precision::F32,
            activations: None,
            micro_batch: None,
            lanes: None,
            train: TrainOptions::default(),
        }
    }

    /// What the planner is asked for in training.
    pub(crate) fn plan(&self) -> PlanOptions {
        let FitOptions { precision, activations, micro_batch, lanes, .. } = *self;
        PlanOptions { precision, activations, micro_batch, lanes, ..PlanOptions::TRAIN }
    }

    /// What is trained on what, for checkpoints: all settings but those of the training itself, and the
    /// data's fingerprint.
    pub(crate) fn about(&self, model: &Model, scaled: &Frame, more: &str) -> String {
        let settings = FitOptions { train: TrainOptions::default(), ..self.clone() };
        let settings = toml::to_string(&settings).unwrap_or_default();
        let model = toml::to_string(model).unwrap_or_default();
        let data = scaled.fingerprint();
        // The data last: with another scaler they differ, too.
        format!("{model}\n{settings}\n{more}\ndata = \"{data}\"")
    }

    /// Of the products with weights in training, how many run in the precision asked for, and how many there
    /// are: see [`Executable::products`].
    pub fn products(&self, model: &Model) -> Result<(usize, usize)> {
        self.check(model)?;
        let trace = |samples| Ok(training_trace(samples, model, self)?.graph);
        let step = Executable::compile(&trace, self.windows, &self.plan()).map_err(TrainError::from)?;
        Ok(step.products(self.precision))
    }

    /// The same with a division of the batch chosen by the clock, and all that was timed, see [`tune`].
    pub fn tuned(&self, model: &Model, pool: &Pool) -> Result<(FitOptions, Vec<Candidate>)> {
        self.check(model)?;
        let trace = |samples| Ok(training_trace(samples, model, self)?.graph);
        let tuned = tune(&trace, self.windows, &self.plan(), pool).map_err(TrainError::from)?;
        let PlanOptions { micro_batch, lanes, .. } = tuned.options;
        Ok((FitOptions { micro_batch, lanes, ..self.clone() }, tuned.candidates))
    }

    pub(crate) fn check(&self, model: &Model) -> Result<()> {
        for (what, value) in
            [("horizon", self.horizon), ("lookback", self.lookback), ("windows", self.windows)]
        {
            if value == 0 {
                return Err(Error::TooSmall { what, value, minimum: 1 });
            }
            if value > MAX_LENGTH {
                let problem = format!("{value} is more than {MAX_LENGTH}");
                return Err(Error::Option { what, problem, remedy: "shorten it" });
            }
        }
        for (what, value) in [("micro_batch", self.micro_batch), ("lanes", self.lanes)] {
            if value == Some(0) {
                return Err(Error::TooSmall { what, value: 0, minimum: 1 });
            }
        }
        match model.network().check(self.lookback, self.horizon) {
            Some(problem) => Err(Error::ModelSettings { model: model.name(), problem }),
            None => Ok(()),
        }
    }
}

/// The training graph of so many windows: lags, targets and mask to the summed loss.
pub(crate) fn training_trace(
    samples: usize,
    model: &Model,
    options: &FitOptions,
) -> std::result::Result<Trace, bessemer_nn::GraphError> {
    let mut t = Trace::new(samples, options.windows, true);
    let lags = t.input("lags", &[options.lookback]);
    let targets = t.input("targets", &[options.horizon]);
    let mask = t.input("mask", &[options.horizon]);
    let forecast = model.network().forward(&mut t, lags, options.horizon)?;
    let loss = match options.loss {
        Loss::Mse => losses::Loss::Mse,
        Loss::Mae => losses::Loss::Mae,
    };
    let sum = loss.sum(&mut t, forecast, targets, Some(mask))?;
    t.graph.set_loss(sum);
    Ok(t)
}
