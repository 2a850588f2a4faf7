//! Scores of models and baselines on held-out windows.

use std::time::Instant;

use bessemer_plan::Pool;
use serde::Serialize;

use crate::baselines;
use crate::error::Result;
use crate::forecaster::Forecaster;
use crate::frame::{Frame, History};
use crate::metrics::{Errors, mase_scale};
use crate::predictor::Predictor;
use crate::scaler::{fit_scalers, scale_frame};
use crate::split::Split;
use crate::window::{WindowIndex, WindowOptions};

/// Windows forecast at a time.
const BATCH: usize = 1024;

/// A forecast that needs no training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// The last value.
    Naive,
    /// The value a season ago.
    SeasonalNaive,
    /// The line from the first value of the window to the last.
    Drift,
    /// The mean of the window.
    Mean,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Baseline; 4] =
        [Baseline::Naive, Baseline::SeasonalNaive, Baseline::Drift, Baseline::Mean];

    /// The name shown in tables.
    pub fn name(self) -> &'static str {
        match self {
            Baseline::Naive => "naive",
            Baseline::SeasonalNaive => "seasonal-naive",
            Baseline::Drift => "drift",
            Baseline::Mean => "mean",
        }
    }

    /// The forecast from a history.
    pub fn forecast(self, history: History, season: usize, horizon: usize) -> Option<Vec<f32>> {
        match self {
            Baseline::Naive => baselines::naive(history, horizon),
            Baseline::SeasonalNaive => baselines::seasonal_naive(history, season, horizon),
            Baseline::Drift => baselines::drift(history, horizon),
            Baseline::Mean => baselines::mean(history, horizon),
        }
    }
}

/// Scores of one model or baseline over all test windows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Its name.
    pub name: String,
    /// Whether it needs no training.
    pub baseline: bool,
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Symmetric mean absolute percentage error, 0 to 200.
    pub smape: f64,
    /// Mean absolute error beside that of the seasonal naive forecast within the training rows.
    pub mase: Option<f64>,
    /// Time to fit.
    pub seconds_fit: f64,
    /// Time to forecast all windows.
    pub seconds_predict: f64,
    /// Numbers learned.
    pub parameters: usize,
    /// The loss of every training step.
    pub losses: Vec<f64>,
}

/// Test windows with what they are scored on.
pub struct Backtest {
    frame: Frame,
    index: WindowIndex,
    splits: Vec<Split>,
    season: usize,
    /// Windows that are scored.
    pub windows: usize,
    standardised: bool,
}

/// Prepares scoring on the test rows of each series.
///
/// With `standardised`, errors are those of values standardised by the training rows, as in the LTSF
/// protocol. `drop_last` leaves out the last windows that fill no batch of that size (counted in
/// windows of all series at a time), as published figures once did.
pub fn backtest(
    frame: &Frame,
    splits: &[Split],
    lookback: usize,
    horizon: usize,
    standardised: bool,
    drop_last: Option<usize>,
) -> Result<Backtest> {
    let mut frame = frame.clone();
    if standardised {
        let training: Vec<_> = splits.iter().map(|s| s.train.clone()).collect();
        let scalers = fit_scalers(crate::ScalerKind::Standard, &frame, &training)?;
        scale_frame(&mut frame, &scalers)?;
    }
    let tests: Vec<_> = splits
        .iter()
        .map(|s| {
            let count = (s.test.len() + 1).saturating_sub(horizon);
            let kept = drop_last.map_or(count, |batch| count / batch.max(1) * batch.max(1));
            s.test.start..s.test.end - (count - kept)
        })
        .collect();
    let index = WindowIndex::new(&frame, &tests, &WindowOptions { lookback, horizon, ..Default::default() })?;
    let season = frame.frequency.seasonality();
    Ok(Backtest { windows: index.len(), frame, index, splits: splits.to_vec(), season, standardised })
}

impl Backtest {
    /// The frame that is scored, standardised if that was asked for.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Scores a fitted model.
    pub fn score(&self, forecaster: &Forecaster, pool: &Pool) -> Result<Score> {
        let start = Instant::now();
        let mut tally = Tally::new(self);
        self.each_forecast(forecaster, pool, |numbers, forecasts| tally.add(numbers, forecasts))?;
        let mut score = tally.score(forecaster.model.name(), false);
        score.losses = forecaster.history.losses.clone();
        score.seconds_fit = forecaster.history.elapsed.as_secs_f64();
        score.seconds_predict = start.elapsed().as_secs_f64();
        score.parameters = forecaster.parameter_count();
        Ok(score)
    }

    /// A fitted model's forecasts of all windows, `[windows, horizon]`, in the unit of [`Backtest::frame`].
    pub fn forecasts(&self, forecaster: &Forecaster, pool: &Pool) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(self.windows * self.index.horizon());
        self.each_forecast(forecaster, pool, |_, forecasts| all.extend_from_slice(forecasts))?;
        Ok(all)
    }

    /// Scores forecasts of all windows, as [`Backtest::forecasts`] gives them, wherever they come from.
    ///
    /// # Panics
    /// If there are more or fewer than windows times steps.
    pub fn score_forecasts(&self, name: &str, forecasts: &[f32]) -> Score {
        assert_eq!(forecasts.len(), self.windows * self.index.horizon(), "a forecast for each window");
        let mut tally = Tally::new(self);
        let numbers: Vec<usize> = (0..self.windows).collect();
        tally.add(&numbers, forecasts);
        tally.score(name, false)
    }

    /// What there was to be forecast, and where that is observed (1, else 0): both `[windows, horizon]`.
    pub fn targets(&self) -> (Vec<f32>, Vec<f32>) {
        let horizon = self.index.horizon();
        let mut x = vec![0.0; self.index.lookback()];
        let mut targets = vec![0.0; self.windows * horizon];
        let mut observed = targets.clone();
        let places = targets.chunks_exact_mut(horizon).zip(observed.chunks_exact_mut(horizon));
        for (number, (y, mask)) in places.enumerate() {
            self.index.gather(&self.frame, &[number], &mut x, y, mask);
        }
        (targets, observed)
    }

    /// Hands over forecasts in the unit of the frame, batch by batch: `(numbers, forecasts)`.
    fn each_forecast(
        &self,
        forecaster: &Forecaster,
        pool: &Pool,
        mut take: impl FnMut(&[usize], &[f32]),
    ) -> Result<()> {
        let options = forecaster.options();
        let batch = BATCH.min(self.index.len()).max(1);
        let mut predictor = Predictor::new(&forecaster.model, options, batch)?;
        let mut scaled = self.frame.clone();
        // A standardised frame is in the model's own unit already.
        let scalers = match self.standardised {
            true => Vec::new(),
            false => self.frame.series.iter().map(|s| forecaster.scaler_of(&s.id)).collect::<Result<_>>()?,
        };
        if !scalers.is_empty() {
            scale_frame(&mut scaled, &scalers)?;
        }
        let mut values = Vec::new();
        predictor.each_batch(
            pool,
            &forecaster.parameters,
            &scaled,
            &self.index,
            options.window_scaler,
            |numbers, forecasts| {
                values.clear();
                values.extend_from_slice(forecasts);
                for (n, forecast) in numbers.iter().zip(values.chunks_exact_mut(options.horizon)) {
                    if let Some(scaler) = scalers.get(self.index.get(*n).series) {
                        scaler.inverse(forecast);
                    }
                }
                take(numbers, &values);
            },
        )
    }

    /// Scores a baseline, which sees the same lags as the models.
    pub fn score_baseline(&self, baseline: Baseline) -> Score {
        let start = Instant::now();
        let mut tally = Tally::new(self);
        for number in 0..self.index.len() {
            let window = self.index.get(number);
            let history = self.frame.series[window.series].history();
            let lags = history.range(window.origin.saturating_sub(self.index.lookback())..window.origin);
            if let Some(forecast) = baseline.forecast(lags, self.season, self.index.horizon()) {
                tally.add(&[number], &forecast);
            }
        }
        Score { seconds_predict: start.elapsed().as_secs_f64(), ..tally.score(baseline.name(), true) }
    }
}

/// Errors by series, since each has its own scale for MASE.
struct Tally<'a> {
    test: &'a Backtest,
    errors: Vec<Errors>,
    x: Vec<f32>,
    y: Vec<f32>,
    mask: Vec<f32>,
}

impl<'a> Tally<'a> {
    fn new(test: &'a Backtest) -> Tally<'a> {
        let (lookback, horizon) = (test.index.lookback(), test.index.horizon());
        Tally {
            test,
            errors: vec![Errors::default(); test.frame.series.len()],
            x: vec![0.0; lookback],
            y: vec![0.0; horizon],
            mask: vec![0.0; horizon],
        }
    }

    fn add(&mut self, numbers: &[usize], forecasts: &[f32]) {
        for (n, forecast) in numbers.iter().zip(forecasts.chunks_exact(self.test.index.horizon())) {
            self.test.index.gather(&self.test.frame, &[*n], &mut self.x, &mut self.y, &mut self.mask);
            self.errors[self.test.index.get(*n).series].add(&self.y, forecast, Some(&self.mask));
        }
    }

    fn score(self, name: &str, baseline: bool) -> Score {
        let mut all = Errors::default();
        self.errors.iter().for_each(|e| all.merge(e));
        let mases = self.errors.iter().enumerate().filter_map(|(i, errors)| {
            let training = self.test.splits[i].train.clone();
            let scale = mase_scale(self.test.frame.series[i].history().range(training), self.test.season)?;
            errors.mase(scale)
        });
        let mases: Vec<f64> = mases.collect();
        Score {
            name: name.to_string(),
            baseline,
            mse: all.mse().unwrap_or(f64::NAN),
            mae: all.mae().unwrap_or(f64::NAN),
            smape: all.smape().unwrap_or(f64::NAN),
            mase: (!mases.is_empty()).then(|| mases.iter().sum::<f64>() / mases.len() as f64),
            losses: Vec::new(),
            seconds_fit: 0.0,
            seconds_predict: 0.0,
            parameters: 0,
        }
    }
}
