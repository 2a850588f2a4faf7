//! Fitting a model to series and forecasting with it.

use std::ops::{ControlFlow, Range};

use bessemer_kernels::gemm::round_int8;
use bessemer_nn::{Trace, initialize, losses};
use bessemer_plan::{Candidate, Executable, Parameters, PlanOptions, Pool, Precision, Recomputing, tune};
use bessemer_train::{Checkpoints, Event, History, TrainError, TrainOptions};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::metrics::Errors;
use crate::models::Model;
use crate::predictor::{Predictor, carry_on};
use crate::scaler::{Scaler, ScalerKind, fit_scalers, scale_frame};
use crate::task::WindowTask;
use crate::window::{WindowIndex, WindowOptions};
use crate::write::SeriesPredictions;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activations: Option<u8>,
    /// Windows in a micro-batch, see [`PlanOptions::micro_batch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
    /// Lanes, see [`PlanOptions::lanes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    fn plan(&self) -> PlanOptions {
        let FitOptions { precision, activations, micro_batch, lanes, .. } = *self;
        PlanOptions { precision, activations, micro_batch, lanes, ..PlanOptions::TRAIN }
    }

    /// What is trained on what, for checkpoints: all settings but those of the training itself, and the
    /// data's fingerprint.
    fn about(&self, model: &Model, scaled: &Frame, more: &str) -> String {
        let settings = FitOptions { train: TrainOptions::default(), ..self.clone() };
        let settings = toml::to_string(&settings).unwrap_or_default();
        let model = toml::to_string(model).unwrap_or_default();
        let mut bytes = Vec::new();
        for series in &scaled.series {
            bytes.extend_from_slice(series.id.as_bytes());
            bytes.extend(series.values().iter().flat_map(|value| value.to_le_bytes()));
        }
        let data = bessemer_train::weights::fingerprint(&bytes);
        format!("data = \"{data}\"\n{model}\n{settings}\n{more}")
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

    fn check(&self, model: &Model) -> Result<()> {
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
        match model.network().check(self.lookback, self.horizon) {
            Some(problem) => Err(Error::ModelSettings { model: model.name(), problem }),
            None => Ok(()),
        }
    }
}

/// A fitted model.
///
/// ```
/// use bessemer_forecast::{FitOptions, Forecaster, Model, air_passengers};
/// use bessemer_plan::Pool;
///
/// let frame = air_passengers::frame();
/// let mut options = FitOptions::new(12, 24);
/// options.train.steps = 50;
/// let pool = Pool::new(1);
/// let mut forecaster = Forecaster::fit(&frame, &Model::by_name("nlinear")?, &options, &pool)?;
/// let forecast = forecaster.predict(&frame, &pool)?;
/// assert_eq!(forecast[0].values[0].len(), 12);
/// # Ok::<(), bessemer_forecast::Error>(())
/// ```
pub struct Forecaster {
    pub(crate) model: Model,
    pub(crate) options: FitOptions,
    /// (series, its scaling), in the order of the frame fitted on.
    pub(crate) scalers: Vec<(String, Scaler)>,
    pub(crate) parameters: Parameters,
    /// How far apart the rows were that it was fitted on.
    pub(crate) cadence: String,
    /// What training did.
    pub history: History,
    /// What training computed again instead of keeping it, if its memory had a budget; not in a model that
    /// was loaded.
    pub recomputing: Option<Recomputing>,
    single: Option<Predictor>,
}

impl Forecaster {
    /// Fits to whole series, without validation.
    pub fn fit(frame: &Frame, model: &Model, options: &FitOptions, pool: &Pool) -> Result<Forecaster> {
        let all: Vec<Range<usize>> = frame.series.iter().map(|s| 0..s.len()).collect();
        Forecaster::fit_within(frame, &all, None, model, options, None, pool, &mut |_| {
            ControlFlow::Continue(())
        })
    }

    /// Fits to the rows `training` of each series; scales are taken from them alone. The weights
    /// that are best on the rows `validation`, if given, are kept. With `checkpoints` the training can go on
    /// where it was stopped. `watch` sees every step and may end the training.
    pub fn fit_within(
        frame: &Frame,
        training: &[Range<usize>],
        validation: Option<&[Range<usize>]>,
        model: &Model,
        options: &FitOptions,
        checkpoints: Option<&Checkpoints>,
        pool: &Pool,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Forecaster> {
        options.check(model)?;
        let (lookback, horizon) = (options.lookback, options.horizon);
        let windows = WindowOptions { lookback, horizon, ..Default::default() };
        let train = WindowIndex::new(frame, training, &windows)?;
        if train.is_empty() {
            return Err(Error::NoWindow { lookback, horizon });
        }
        let validation = validation.map(|v| WindowIndex::new(frame, v, &windows)).transpose()?;
        if validation.as_ref().is_some_and(WindowIndex::is_empty) {
            return Err(Error::NoValidationWindow { lookback, horizon });
        }
        let scalers = fit_scalers(options.scaler, frame, training)?;
        let mut scaled = frame.clone();
        scale_frame(&mut scaled, &scalers)?;

        let first = training_trace(1, model, options).map_err(TrainError::from)?;
        let trace = |samples| Ok(training_trace(samples, model, options)?.graph);
        let mut step =
            Executable::compile(&trace, options.windows, &options.plan()).map_err(TrainError::from)?;
        let mut parameters = Parameters::new(step.parameters());
        initialize(&mut parameters, first.inits(), options.train.seed);
        let mut task = WindowTask::new(&scaled, train, validation, model, options)?;
        let mut options = options.clone();
        if options.precision == Precision::F16 {
            options.train.grad_scaler.get_or_insert_default();
        }
        let checkpoints = checkpoints.map(|checkpoints| Checkpoints {
            about: options.about(model, &scaled, &checkpoints.about),
            ..checkpoints.clone()
        });
        let history = bessemer_train::train(
            &mut task,
            &mut step,
            &mut parameters,
            first.buffers(),
            &options.train,
            checkpoints.as_ref(),
            pool,
            watch,
        )?;
        let scalers = frame.series.iter().map(|s| s.id.clone()).zip(scalers).collect();
        let model = model.clone();
        let cadence = frame.frequency.cadence();
        let recomputing = step.recomputing().cloned();
        Ok(Forecaster { model, options, scalers, parameters, cadence, history, recomputing, single: None })
    }

    /// Training steps in an epoch of these windows.
    pub fn steps_per_epoch(frame: &Frame, training: &[Range<usize>], options: &FitOptions) -> Result<u64> {
        let (lookback, horizon) = (options.lookback, options.horizon);
        let windows = WindowOptions { lookback, horizon, ..Default::default() };
        let count = WindowIndex::new(frame, training, &windows)?.len();
        Ok((count / options.windows.max(1)).max(1) as u64)
    }

    /// An untrained forecaster whose weights are still to be read.
    pub(crate) fn untrained(
        model: Model,
        options: FitOptions,
        scalers: Vec<(String, Scaler)>,
        cadence: String,
    ) -> Result<Forecaster> {
        options.check(&model)?;
        let mut t = Trace::new(1, 1, false);
        let lags = t.input("lags", &[options.lookback]);
        model.network().forward(&mut t, lags, options.horizon).map_err(TrainError::from)?;
        let parameters = Parameters::new(t.graph.parameters());
        let history = History::default();
        let recomputing = None;
        Ok(Forecaster { model, options, scalers, parameters, cadence, history, recomputing, single: None })
    }

    /// The same model with the weights rounded to 8-bit integers, to be multiplied as such: those of at
    /// least 32 inputs and outputs, each output channel with a scale of its own.
    ///
    /// ```
    /// use bessemer_forecast::{FitOptions, Forecaster, Model, air_passengers};
    /// use bessemer_plan::Pool;
    ///
    /// let (frame, pool) = (air_passengers::frame(), Pool::new(1));
    /// let mut options = FitOptions::new(12, 36);
    /// options.train.steps = 50;
    /// let mut whole = Forecaster::fit(&frame, &Model::by_name("mlp")?, &options, &pool)?;
    /// let mut rounded = whole.quantize()?;
    /// let [a, b] = [&mut whole, &mut rounded].map(|m| m.predict(&frame, &pool).unwrap()[0].values[0][0]);
    /// assert!(a != b && (a / b - 1.0).abs() < 0.02);
    /// # Ok::<(), bessemer_forecast::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no weight is that large.
    pub fn quantize(&self) -> Result<Forecaster> {
        let options = FitOptions { precision: Precision::Int8, ..self.options.clone() };
        let mut rounded = Forecaster {
            model: self.model.clone(),
            options,
            scalers: self.scalers.clone(),
            parameters: self.parameters.clone(),
            cadence: self.cadence.clone(),
            history: self.history.clone(),
            recomputing: None,
            single: None,
        };
        let int8 = rounded.int8_parameters()?;
        if int8.is_empty() {
            return Err(Error::ModelSettings {
                model: self.model.name(),
                problem: "no weight is as large as 32 by 32, so there is nothing to gain from 8-bit integers"
                    .into(),
            });
        }
        for index in int8 {
            let inputs = self.parameters.specs()[index].shape[1..].iter().product();
            round_int8(inputs, rounded.parameters.get_mut(index));
        }
        Ok(rounded)
    }

    /// The parameters that are kept as 8-bit integers, by number.
    pub(crate) fn int8_parameters(&self) -> Result<Vec<usize>> {
        match self.options.precision {
            Precision::Int8 => Ok(Predictor::new(&self.model, &self.options, 1)?.int8_parameters()),
            _ => Ok(Vec::new()),
        }
    }

    /// The model with its settings.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How it was fitted.
    pub fn options(&self) -> &FitOptions {
        &self.options
    }

    /// How many numbers were learned.
    pub fn parameter_count(&self) -> usize {
        self.parameters.count()
    }

    /// Forecasts the steps after the end of every series of a frame.
    ///
    /// # Errors
    /// Where the rows are not as far apart as those it was fitted on, a series is unknown to a model
    /// that scales each by itself, or has fewer rows than the lookback.
    pub fn predict(&mut self, frame: &Frame, pool: &Pool) -> Result<Vec<SeriesPredictions>> {
        self.check_frequency(frame)?;
        let mut predictions = Vec::with_capacity(frame.series.len());
        for series in &frame.series {
            let scaler = self.scaler_of(&series.id)?;
            let start = frame.time_of(series, series.len()).ok_or_else(|| Error::TimeOutOfRange {
                series: series.id.clone(),
                start: frame.time.format(series.start),
                step: series.len(),
            })?;
            let rows = series.len();
            let lookback = self.options.lookback;
            if rows < lookback {
                return Err(Error::SeriesTooShort {
                    series: series.id.clone(),
                    rows,
                    needs: format!("lookback {lookback}"),
                    minimum: lookback,
                });
            }
            let mut lags = series.values()[rows - lookback..].to_vec();
            if let Some(observed) = series.observed() {
                let mask: Vec<f32> =
                    observed[rows - lookback..].iter().map(|&o| f32::from(u8::from(o))).collect();
                if mask.iter().all(|&m| m == 0.0) {
                    let (series, start) = (series.id.clone(), rows - lookback);
                    return Err(Error::NothingObserved { series, start, end: rows });
                }
                carry_on(&mut lags, &mask);
            }
            let mut forecast = vec![0.0; self.options.horizon];
            self.predict_lags(pool, scaler, &mut lags, &mut forecast)?;
            predictions.push(SeriesPredictions {
                id: series.id.clone(),
                cutoff: None,
                start,
                values: vec![forecast],
            });
        }
        Ok(predictions)
    }

    /// Refuses a frame whose rows are not as far apart as those the model was fitted on.
    pub fn check_frequency(&self, frame: &Frame) -> Result<()> {
        let (found, fitted) = (frame.frequency.cadence(), self.cadence.clone());
        if found == fitted { Ok(()) } else { Err(Error::OtherFrequency { found, fitted }) }
    }

    /// Forecasts one window: `lags` (in the series' own unit, overwritten) to `forecast`.
    pub fn predict_lags(
        &mut self,
        pool: &Pool,
        scaler: Scaler,
        lags: &mut [f32],
        forecast: &mut [f32],
    ) -> Result<()> {
        scaler.transform(lags);
        let window = match self.options.window_scaler {
            ScalerKind::None => Scaler::IDENTITY,
            kind => Scaler::fit(kind, crate::frame::History::complete(lags)).unwrap_or(Scaler::IDENTITY),
        };
        window.transform(lags);
        let predictor = match &mut self.single {
            Some(predictor) => predictor,
            none => none.insert(Predictor::new(&self.model, &self.options, 1)?),
        };
        forecast.copy_from_slice(predictor.run(pool, &self.parameters, lags)?);
        window.inverse(forecast);
        scaler.inverse(forecast);
        Ok(())
    }

    /// The scaling of a series.
    pub fn scaler_of(&self, series: &str) -> Result<Scaler> {
        match self.scalers.iter().find(|(id, _)| id == series) {
            Some((_, scaler)) => Ok(*scaler),
            None if self.options.scaler == ScalerKind::None => Ok(Scaler::IDENTITY),
            None => Err(Error::UnknownSeries { series: series.to_string() }),
        }
    }
}

/// The training graph of so many windows: lags, targets and mask to the summed loss.
fn training_trace(
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

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::{Series, air_passengers};

    #[test]
    fn a_division_by_the_clock_is_kept() {
        let (frame, pool) = (air_passengers::frame(), Pool::new(1));
        let model = Model::by_name("mlp").unwrap();
        let mut options = FitOptions::new(12, 24);
        options.train.steps = 3;
        let (tuned, candidates) = options.tuned(&model, &pool).unwrap();
        let [micro_batch, lanes] = [tuned.micro_batch.unwrap(), tuned.lanes.unwrap()];
        assert!(candidates.iter().any(|c| (c.micro_batch, c.lanes) == (micro_batch, lanes)));
        assert_eq!(FitOptions { micro_batch: None, lanes: None, ..tuned.clone() }, options);
        let bits = |options: &FitOptions| {
            let fitted = Forecaster::fit(&frame, &model, options, &pool).unwrap();
            fitted.parameters.as_slice().to_vec()
        };
        assert_eq!(bits(&tuned), bits(&tuned));
        // What was asked for is what runs: sums in another order have other last digits.
        let apart = |micro_batch| bits(&FitOptions { micro_batch: Some(micro_batch), ..options.clone() });
        assert_ne!(apart(1), apart(16));
    }

    #[test]
    fn validation_rows_without_a_value_are_refused() {
        let mut frame = air_passengers::frame();
        let mut values = frame.series[0].values().to_vec();
        values[132..].fill(f32::NAN);
        frame.series[0] = Series::new("passengers", frame.series[0].start, values);
        let (model, options) = (Model::by_name("nlinear").unwrap(), FitOptions::new(6, 12));
        let fitted = Forecaster::fit_within(
            &frame,
            from_ref(&(0..132)),
            Some(from_ref(&(132..144))),
            &model,
            &options,
            None,
            &Pool::new(1),
            &mut |_| ControlFlow::Continue(()),
        );
        assert!(matches!(fitted, Err(Error::NoValidationWindow { lookback: 12, horizon: 6 })));
    }
}
