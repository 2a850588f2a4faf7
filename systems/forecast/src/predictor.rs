//! Forecasts of many windows at a time.

use bessemer_graph::{Graph, Op};
use bessemer_nn::Trace;
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};
use bessemer_train::TrainError;

use crate::error::{Error, Result};
use crate::frame::{Frame, History};
use crate::models::Model;
use crate::options::FitOptions;
use crate::scaler::{Scaler, ScalerKind};
use crate::window::WindowIndex;

/// Copies windows' lags, ready for a network: missing ones carry the last observed value on, and
/// each window is scaled by itself if that is asked for.
pub(crate) struct Lags {
    kind: ScalerKind,
    masked: bool,
    mask: Vec<f32>,
    /// How each window of the last call was scaled.
    pub scalers: Vec<Scaler>,
}

impl Lags {
    pub fn new(kind: ScalerKind, frame: &Frame) -> Lags {
        let masked = frame.series.iter().any(|s| s.observed().is_some());
        Lags { kind, masked, mask: Vec::new(), scalers: Vec::new() }
    }

    /// Prepares the lags `x` of windows, as gathered.
    pub fn prepare(&mut self, frame: &Frame, index: &WindowIndex, windows: &[usize], x: &mut [f32]) {
        if self.masked {
            self.mask.resize(x.len(), 0.0);
            index.gather_mask_x(frame, windows, &mut self.mask);
            let rows = x.chunks_exact_mut(index.lookback()).zip(self.mask.chunks_exact(index.lookback()));
            rows.for_each(|(x, mask)| carry_on(x, mask));
        }
        self.scale(index.lookback(), x);
    }

    /// Scales each window of `x` by itself.
    pub fn scale(&mut self, lookback: usize, x: &mut [f32]) {
        self.scalers.clear();
        if self.kind == ScalerKind::None {
            return;
        }
        for window in x.chunks_exact_mut(lookback) {
            let scaler = Scaler::fit(self.kind, History::complete(window)).unwrap_or(Scaler::IDENTITY);
            scaler.transform(window);
            self.scalers.push(scaler);
        }
    }
}

/// Replaces what is missing by the last value observed before it, or the first after it.
pub(crate) fn carry_on(x: &mut [f32], mask: &[f32]) {
    let Some(first) = mask.iter().position(|&m| m != 0.0) else { return };
    let mut last = x[first];
    for (x, &m) in x.iter_mut().zip(mask) {
        if m != 0.0 {
            last = *x;
        } else {
            *x = last;
        }
    }
}

/// The forecasting graph of a micro-batch: lags to a forecast.
fn traced(
    mut t: Trace,
    model: &Model,
    options: &FitOptions,
) -> std::result::Result<Graph, bessemer_nn::GraphError> {
    let lags = t.input("lags", &[options.lookback]);
    let forecast = model.network().forward(&mut t, lags, options.horizon)?;
    t.graph.output("forecast", forecast);
    Ok(t.graph)
}

/// A model compiled to forecast batches of windows.
pub(crate) struct Predictor {
    run: Executable,
    batch: usize,
    horizon: usize,
    x: Vec<f32>,
}

impl Predictor {
    /// For `batch` windows at a time. A precision below f32 is for batches: a plan of a few rows reads its
    /// weights as they are.
    pub fn new(model: &Model, options: &FitOptions, batch: usize) -> Result<Predictor> {
        Predictor::compile(model, options, batch, &|samples| Trace::new(samples, batch, false))
    }

    /// Likewise with dropout.
    ///
    /// # Errors
    /// If the model has none.
    pub fn with_dropout(model: &Model, options: &FitOptions, batch: usize) -> Result<Predictor> {
        let begin = |samples| Trace::new(samples, batch, false).with_dropout();
        let graph = traced(begin(1), model, options).map_err(TrainError::from)?;
        if !graph.nodes().iter().any(|node| matches!(node.op, Op::Dropout(_))) {
            let problem = "it has no dropout, so that all samples would be the same; fit a model that has, such as \
                           patchtst with a `dropout` above 0, or forecast without samples";
            return Err(Error::ModelSettings { model: model.name(), problem: problem.into() });
        }
        Predictor::compile(model, options, batch, &begin)
    }

    fn compile(
        model: &Model,
        options: &FitOptions,
        batch: usize,
        begin: &dyn Fn(usize) -> Trace,
    ) -> Result<Predictor> {
        let (lookback, horizon) = (options.lookback, options.horizon);
        let trace = |samples: usize| traced(begin(samples), model, options);
        let plan = PlanOptions { precision: options.precision, ..PlanOptions::INFER };
        let run = Executable::compile(&trace, batch, &plan).map_err(TrainError::from)?;
        Ok(Predictor { run, batch, horizon, x: vec![0.0; batch * lookback] })
    }

    /// The parameters multiplied as 8-bit integers, by number.
    pub fn int8_parameters(&self) -> Vec<usize> {
        self.run.int8_parameters()
    }

    /// Forecasts from lags `[batch, lookback]`, as many as the predictor was made for.
    pub fn run(&mut self, pool: &Pool, parameters: &Parameters, lags: &[f32]) -> Result<&[f32]> {
        self.run_at(pool, parameters, lags, 0, 0)
    }

    /// Likewise, where dropout is that of a seed and a step.
    pub fn run_at(
        &mut self,
        pool: &Pool,
        parameters: &Parameters,
        lags: &[f32],
        seed: u64,
        step: u64,
    ) -> Result<&[f32]> {
        let batch = Batch { inputs: &[lags], loss_scale: 0.0, seed, step };
        self.run.run(pool, parameters, &batch).map_err(TrainError::from)?;
        Ok(self.run.output("forecast").unwrap_or(&[]))
    }

    /// Forecasts the windows of an index and hands over each batch: `(numbers, forecasts)`.
    pub fn each_batch(
        &mut self,
        pool: &Pool,
        parameters: &Parameters,
        frame: &Frame,
        index: &WindowIndex,
        kind: ScalerKind,
        mut take: impl FnMut(&[usize], &[f32]),
    ) -> Result<()> {
        let mut lags = Lags::new(kind, frame);
        let mut numbers = Vec::with_capacity(self.batch);
        let mut forecasts = vec![0.0; self.batch * self.horizon];
        let (mut y, mut mask) = (vec![0.0; self.batch * self.horizon], vec![0.0; self.batch * self.horizon]);
        for start in (0..index.len()).step_by(self.batch) {
            numbers.clear();
            // The last batch is filled up with its own last window.
            numbers.extend((start..start + self.batch).map(|n| n.min(index.len() - 1)));
            let mut x = std::mem::take(&mut self.x);
            index.gather(frame, &numbers, &mut x, &mut y, &mut mask);
            lags.prepare(frame, index, &numbers, &mut x);
            forecasts.copy_from_slice(self.run(pool, parameters, &x)?);
            self.x = x;
            for (scaler, forecast) in lags.scalers.iter().zip(forecasts.chunks_exact_mut(self.horizon)) {
                scaler.inverse(forecast);
            }
            let count = self.batch.min(index.len() - start);
            take(&numbers[..count], &forecasts[..count * self.horizon]);
        }
        Ok(())
    }
}
