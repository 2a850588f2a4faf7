//! Fitting a model to series and forecasting with it.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use bessemer_kernels::gemm::round_int8;
use bessemer_nn::{Trace, initialize};
use bessemer_plan::{Executable, Parameters, Pool, Precision, Recomputing};
use bessemer_train::data::{Prefetch, prefetch};
use bessemer_train::weights::MAX_BYTES;
use bessemer_train::{Checkpoints, Event, History, Task, TrainError};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::last_window::LastWindow;
use crate::models::Model;
use crate::options::{FitOptions, training_trace};
use crate::predictor::Predictor;
use crate::scaler::{Scaler, ScalerKind, fit_scalers, scale_frame};
use crate::task::WindowTask;
use crate::window::{WindowIndex, WindowOptions};
use crate::write::SeriesPredictions;

/// Numbers that a saved model may compute on its way to one forecast, at most: about 16 GiB of them.
const MAX_COMPUTED: u128 = 1 << 32;

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
        let mut task = WindowTask::new(&scaled, train.clone(), validation, model, options)?;
        let mut options = options.clone();
        if options.precision == Precision::F16 {
            options.train.grad_scaler.get_or_insert_default();
        }
        let checkpoints = checkpoints.map(|checkpoints| Checkpoints {
            about: options.about(model, &scaled, &checkpoints.about),
            ..checkpoints.clone()
        });
        // A core that would be idle may make windows ahead.
        let idle = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > pool.threads());
        let maker = || -> Result<_> {
            let mut windows = WindowTask::new(&scaled, train.clone(), None, model, &options)?;
            Ok(move |number: u64, inputs: &mut [Vec<f32>]| windows.batch(number, inputs))
        };
        let makers = idle.then(maker).transpose()?.into_iter().collect();
        let history = prefetch(&mut task, makers, &Prefetch::default(), |task| {
            bessemer_train::train(
                task,
                std::slice::from_mut(&mut step),
                &mut parameters,
                first.buffers(),
                &options.train,
                checkpoints.as_ref(),
                pool,
                watch,
            )
        })??;
        if let Some(value) = parameters.as_slice().iter().find(|weight| !weight.is_finite()) {
            let (step, value) = (history.losses.len() as u64, f64::from(*value));
            return Err(TrainError::NotFinite { what: "a weight", step, value, first: None }.into());
        }
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

    /// An untrained forecaster whose weights are still to be read from the file `weights`, which must be large
    /// enough for what its settings ask for.
    pub(crate) fn untrained(
        model: Model,
        options: FitOptions,
        scalers: Vec<(String, Scaler)>,
        cadence: String,
        weights: &Path,
    ) -> Result<Forecaster> {
        options.check(&model)?;
        let mut t = Trace::new(1, 1, false);
        let lags = t.input("lags", &[options.lookback]);
        model.network().forward(&mut t, lags, options.horizon).map_err(TrainError::from)?;
        let numbers = |shape: &Vec<usize>| shape.iter().map(|n| *n as u128).product::<u128>();
        let learned: u128 = t.graph.parameters().iter().map(|p| numbers(&p.shape)).sum();
        // Before anything of that size is allocated: each number takes a byte at least.
        let failed = |problem| Error::ModelFolder { path: weights.to_path_buf(), problem };
        let bytes = std::fs::metadata(weights).map_err(|e| failed(e.to_string()))?.len();
        if learned > u128::from(bytes.min(MAX_BYTES)) {
            return Err(failed(format!(
                "its {bytes} bytes cannot hold the {learned} parameters of this model; copy or save it again"
            )));
        }
        let computed: u128 = t.graph.types().iter().map(|ty| numbers(&ty.shape)).sum();
        if computed - learned > MAX_COMPUTED {
            let problem =
                format!("a forecast would compute more than {MAX_COMPUTED} numbers; fit a smaller model");
            return Err(Error::ModelSettings { model: model.name(), problem });
        }
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
            let LastWindow { start, scaler, mut lags } = self.last_window(frame, series)?;
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
        let window = self.scale_lags(scaler, lags);
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
