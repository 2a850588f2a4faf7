//! Lines of forecasts, and of what came true.

use std::ops::Range;

use bessemer::forecast::{Baseline, Forecaster, Frame, Series, TimeKind};
use bessemer::plan::Pool;
use bessemer::train::report::{Line, LineStyle, XAxis};

use crate::error::Result;

/// How the horizontal axis of a frame's charts is labelled.
pub fn x_axis(frame: &Frame) -> XAxis {
    match frame.time {
        TimeKind::Calendar(_) => XAxis::Time,
        TimeKind::Integer => XAxis::Number,
    }
}

/// Where a row lies on that axis.
pub fn x_of(frame: &Frame, series: &Series, row: usize) -> f64 {
    let time = frame.time_of(series, row).map_or(f64::NAN, |time| time as f64);
    match frame.time {
        TimeKind::Calendar(_) => time / 1e6,
        TimeKind::Integer => time,
    }
}

/// What was observed in some rows.
pub fn actual(frame: &Frame, series: &Series, rows: Range<usize>) -> Line {
    let history = series.history();
    let value = |row: usize| if history.is_observed(row) { f64::from(history.values[row]) } else { f64::NAN };
    let points = rows.map(|row| (x_of(frame, series, row), value(row)));
    Line::new("actual", LineStyle::Actual, points)
}

/// A line of values from row `origin` on.
pub fn line(
    frame: &Frame,
    series: &Series,
    origin: usize,
    name: &str,
    style: LineStyle,
    values: &[f32],
) -> Line {
    let steps = values.iter().enumerate();
    let points = steps.map(|(step, value)| (x_of(frame, series, origin + step), f64::from(*value)));
    Line::new(name, style, points)
}

/// What a model says of the steps from row `origin` of a series, having seen the rows before.
pub fn forecast(
    forecaster: &mut Forecaster,
    frame: &Frame,
    series: &Series,
    origin: usize,
    pool: &Pool,
) -> Result<Vec<f32>> {
    let history = series.history().range(0..origin);
    let seen = |row: usize| if history.is_observed(row) { history.values[row] } else { f32::NAN };
    let past = Series::new(series.id.clone(), series.start, (0..origin).map(seen).collect());
    let frame = Frame { series: vec![past], notes: Vec::new(), frequency: frame.frequency, time: frame.time };
    let predictions = forecaster.predict(&frame, pool)?;
    Ok(predictions.into_iter().flat_map(|series| series.values).next().unwrap_or_default())
}

/// What the seasonal naive forecast says.
pub fn seasonal_naive(frame: &Frame, series: &Series, origin: usize, horizon: usize) -> Vec<f32> {
    let history = series.history().range(0..origin);
    let season = frame.frequency.seasonality();
    Baseline::SeasonalNaive.forecast(history, season, horizon).unwrap_or_default()
}
