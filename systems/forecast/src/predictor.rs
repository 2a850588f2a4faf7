//! Forecasts of many windows at a time.

use bessemer_nn::Trace;
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};
use bessemer_train::TrainError;

use crate::error::Result;
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
        let (lookback, horizon) = (options.lookback, options.horizon);
        let trace = |samples: usize| {
            let mut t = Trace::new(samples, batch, false);
            let lags = t.input("lags", &[lookback]);
            let forecast = model.network().forward(&mut t, lags, horizon)?;
            t.graph.output("forecast", forecast);
            Ok(t.graph)
        };
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
        let batch = Batch { inputs: &[lags], loss_scale: 0.0, seed: 0, step: 0 };
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
