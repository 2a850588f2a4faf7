//! Windows of lags and targets, numbered but never stored.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::frame::{Frame, Series};

/// The shape of windows and which are allowed.
#[derive(Clone, Debug)]
pub struct WindowOptions {
    /// Rows a forecast looks back on.
    pub lookback: usize,
    /// Rows it forecasts.
    pub horizon: usize,
    /// Rows between the starts of neighbouring windows of a series.
    pub stride: usize,
    /// Allow lags before the first row (0, masked), so that a series shorter than the lookback has windows.
    /// At least one lag is a row.
    pub pad_start: bool,
    /// Allow targets after the end of the range (0, masked), as NeuralForecast does in training. At least
    /// one target is a row.
    pub pad_end: bool,
    /// Leave out a series too short for a single window instead of refusing it.
    pub skip_short: bool,
}

impl Default for WindowOptions {
    fn default() -> Self {
        WindowOptions {
            lookback: 1,
            horizon: 1,
            stride: 1,
            pad_start: false,
            pad_end: false,
            skip_short: false,
        }
    }
}

/// One window: its lags are the `lookback` rows before `origin`, its targets the `horizon` rows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The place of the series in the frame.
    pub series: usize,
    /// The row of the first target.
    pub origin: usize,
}

/// All windows of a frame, numbered by series and then by time.
///
/// A window's targets lie in the range of its series; its lags may reach before it. Windows without an
/// observed lag or without an observed target are left out.
///
/// ```
/// use bessemer_forecast::{WindowIndex, WindowOptions, air_passengers};
///
/// let frame = air_passengers::frame();
/// let options = WindowOptions { lookback: 24, horizon: 12, ..WindowOptions::default() };
/// let test = WindowIndex::new(&frame, &[132..144], &options).unwrap();
/// assert_eq!(test.len(), 1);
/// let (mut x, mut y, mut mask_y) = ([0.0; 24], [0.0; 12], [0.0; 12]);
/// test.gather(&frame, &[0], &mut x, &mut y, &mut mask_y);
/// assert_eq!((x[23], y[0], mask_y[0]), (405.0, 417.0, 1.0));
/// ```
#[derive(Clone, Debug)]
pub struct WindowIndex {
    lookback: usize,
    horizon: usize,
    stride: usize,
    series: Vec<SeriesWindows>,
    /// Windows in the series before each, and in all.
    starts: Vec<usize>,
    skipped: Vec<usize>,
}

#[derive(Clone, Debug)]
struct SeriesWindows {
    first_origin: usize,
    /// One past the last row that is a target.
    targets_end: usize,
    count: usize,
    /// The origins, only where a mask leaves some out.
    origins: Option<Vec<usize>>,
}

impl WindowIndex {
    /// Numbers the windows whose targets lie in `targets`, one range of rows for each series.
    ///
    /// # Errors
    /// Where a series is too short for one window (unless skipped), a range reaches beyond its series, or an
    /// option is zero.
    pub fn new(frame: &Frame, targets: &[Range<usize>], options: &WindowOptions) -> Result<WindowIndex> {
        let WindowOptions { lookback, horizon, stride, .. } = *options;
        for (what, value) in [("lookback", lookback), ("horizon", horizon), ("stride", stride)] {
            if value == 0 {
                return Err(Error::TooSmall { what, value, minimum: 1 });
            }
        }
        if targets.len() != frame.series.len() {
            let (found, expected) = (targets.len(), frame.series.len());
            return Err(Error::CountMismatch { what: "target ranges", found, expected });
        }
        let mut index = WindowIndex {
            lookback,
            horizon,
            stride,
            series: Vec::with_capacity(targets.len()),
            starts: vec![0],
            skipped: Vec::new(),
        };
        for (place, (series, rows)) in frame.series.iter().zip(targets).enumerate() {
            let windows = match windows_of(series, rows, options) {
                Err(Error::SeriesTooShort { .. }) if options.skip_short => {
                    index.skipped.push(place);
                    SeriesWindows { first_origin: 0, targets_end: 0, count: 0, origins: None }
                }
                windows => windows?,
            };
            index.starts.push(index.len() + windows.count);
            index.series.push(windows);
        }
        Ok(index)
    }

    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows a window looks back on.
    pub fn lookback(&self) -> usize {
        self.lookback
    }

    /// Rows a window forecasts.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// The places of the series left out as too short.
    pub fn skipped(&self) -> &[usize] {
        &self.skipped
    }

    /// The numbers of the windows of one series.
    pub fn of_series(&self, series: usize) -> Range<usize> {
        self.starts[series]..self.starts[series + 1]
    }

    /// The window with a number.
    ///
    /// # Panics
    /// Where `number` is not below [`WindowIndex::len`].
    pub fn get(&self, number: usize) -> Window {
        assert!(number < self.len(), "window {number} of {}", self.len());
        // The last series that starts at or before the number is the one that holds it: those that share
        // its start have no windows.
        let series = self.starts.partition_point(|start| *start <= number) - 1;
        let within = number - self.starts[series];
        let windows = &self.series[series];
        let origin = match &windows.origins {
            Some(origins) => origins[within],
            None => windows.first_origin + within * self.stride,
        };
        Window { series, origin }
    }

    /// Copies windows into a batch: lags to `x` (windows x lookback), targets to `y` and, as 1 where observed
    /// and 0 where not, to `mask_y` (both windows x horizon). What is not observed is 0 in `x` and `y`.
    ///
    /// # Panics
    /// Where a slice does not have that length, or `frame` is not the one that was indexed.
    pub fn gather(&self, frame: &Frame, windows: &[usize], x: &mut [f32], y: &mut [f32], mask_y: &mut [f32]) {
        assert_eq!(x.len(), windows.len() * self.lookback, "x must be windows x lookback");
        assert_eq!(y.len(), windows.len() * self.horizon, "y must be windows x horizon");
        assert_eq!(mask_y.len(), y.len(), "mask_y must be windows x horizon");
        let targets = y.chunks_exact_mut(self.horizon).zip(mask_y.chunks_exact_mut(self.horizon));
        for ((number, x), (y, mask)) in windows.iter().zip(x.chunks_exact_mut(self.lookback)).zip(targets) {
            let window = self.get(*number);
            let series = &frame.series[window.series];
            let origin = window.origin;
            copy_before(series.values(), origin, x);
            let rows =
                origin..self.series[window.series].targets_end.min(origin.saturating_add(self.horizon));
            let (inside, beyond) = y.split_at_mut(rows.len());
            inside.copy_from_slice(&series.values()[rows.clone()]);
            beyond.fill(0.0);
            let (inside, beyond) = mask.split_at_mut(rows.len());
            copy_mask(series.observed().map(|observed| &observed[rows]), inside);
            beyond.fill(0.0);
        }
    }

    /// Copies which lags are observed to `mask_x` (windows x lookback), as 1 and 0.
    ///
    /// # Panics
    /// As [`WindowIndex::gather`].
    pub fn gather_mask_x(&self, frame: &Frame, windows: &[usize], mask_x: &mut [f32]) {
        assert_eq!(mask_x.len(), windows.len() * self.lookback, "mask_x must be windows x lookback");
        for (number, mask) in windows.iter().zip(mask_x.chunks_exact_mut(self.lookback)) {
            let window = self.get(*number);
            let rows = window.origin.saturating_sub(self.lookback)..window.origin;
            let (before, inside) = mask.split_at_mut(self.lookback - rows.len());
            before.fill(0.0);
            copy_mask(frame.series[window.series].observed().map(|observed| &observed[rows]), inside);
        }
    }
}

/// Copies the values before `origin` to the end of `x`, with zeros where there are no more.
fn copy_before(values: &[f32], origin: usize, x: &mut [f32]) {
    let rows = origin.saturating_sub(x.len())..origin;
    let (before, inside) = x.split_at_mut(x.len() - rows.len());
    before.fill(0.0);
    inside.copy_from_slice(&values[rows]);
}

fn copy_mask(observed: Option<&[bool]>, mask: &mut [f32]) {
    match observed {
        None => mask.fill(1.0),
        Some(observed) => {
            for (mask, seen) in mask.iter_mut().zip(observed) {
                *mask = f32::from(u8::from(*seen));
            }
        }
    }
}

fn windows_of(series: &Series, targets: &Range<usize>, options: &WindowOptions) -> Result<SeriesWindows> {
    let WindowOptions { lookback, horizon, stride, pad_start, pad_end, .. } = *options;
    let (start, end, rows) = (targets.start, targets.end, series.len());
    if start > end || end > rows {
        return Err(Error::RangeBeyondSeries { series: series.id.clone(), start, end, rows });
    }
    let first_origin = start.max(if pad_start { 1 } else { lookback });
    let least_targets = if pad_end { 1 } else { horizon };
    let Some(last_origin) = end.checked_sub(least_targets).filter(|last| *last >= first_origin) else {
        let padded = if pad_start || pad_end { " with padding" } else { "" };
        let needs = match start {
            0 if end == rows => format!("lookback {lookback} + horizon {horizon}{padded}"),
            0 => format!("lookback {lookback} + horizon {horizon}{padded} within its first {end} rows"),
            _ => format!(
                "lookback {lookback} + horizon {horizon} with targets in rows {} to {end}{padded}",
                start + 1
            ),
        };
        let minimum = first_origin.saturating_add(least_targets);
        return Err(Error::SeriesTooShort { series: series.id.clone(), rows, needs, minimum });
    };
    let mut windows = SeriesWindows {
        first_origin,
        targets_end: end,
        count: (last_origin - first_origin) / stride + 1,
        origins: None,
    };
    if let Some(observed) = series.observed() {
        let origins = observed_origins(observed, &windows, options);
        if origins.len() < windows.count {
            windows.count = origins.len();
            windows.origins = Some(origins);
        }
    }
    Ok(windows)
}

/// The origins with at least one observed lag and one observed target.
fn observed_origins(observed: &[bool], windows: &SeriesWindows, options: &WindowOptions) -> Vec<usize> {
    let mut seen_before = Vec::with_capacity(observed.len() + 1);
    let mut seen = 0u32;
    seen_before.push(0);
    for is_observed in observed {
        seen += u32::from(*is_observed);
        seen_before.push(seen);
    }
    (0..windows.count)
        .map(|number| windows.first_origin + number * options.stride)
        .filter(|&origin| {
            let first_lag = origin.saturating_sub(options.lookback);
            let targets_end = windows.targets_end.min(origin.saturating_add(options.horizon));
            seen_before[origin] > seen_before[first_lag] && seen_before[targets_end] > seen_before[origin]
        })
        .collect()
}

#[cfg(test)]
#[path = "window_tests.rs"]
#[allow(clippy::single_range_in_vec_init)] // one range of rows for a frame of one series
mod tests;
