//! Scaling: statistics of the observed values of a training range, and the way back.

use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shorten};
use crate::frame::{Frame, History};

/// Which statistics shift and scale a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalerKind {
    /// Values as they are.
    None,
    /// Mean and population standard deviation.
    #[default]
    Standard,
    /// Median and median absolute deviation.
    Robust,
    /// Minimum to 0 and maximum to 1.
    MinMax,
}

/// A fitted scaling, `(value - shift) / scale`. The scale is never zero.
///
/// ```
/// use bessemer_forecast::{History, Scaler, ScalerKind};
///
/// let mut values = [1.0, 2.0, 3.0];
/// let scaler = Scaler::fit(ScalerKind::MinMax, History::complete(&values)).unwrap();
/// scaler.transform(&mut values);
/// assert_eq!(values, [0.0, 0.5, 1.0]);
/// scaler.inverse(&mut values);
/// assert_eq!(values, [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Subtracted first.
    pub shift: f64,
    /// Divided by next.
    pub scale: f64,
}

impl Scaler {
    /// Leaves values as they are.
    pub const IDENTITY: Scaler = Scaler { shift: 0.0, scale: 1.0 };

    /// Statistics of the observed values; `None` where there are none. A constant series has scale 1.
    ///
    /// The robust scale follows NeuralForecast where more than half the values are equal: a median
    /// absolute deviation of 0 gives way to 0.6745 standard deviations. NeuralForecast also adds 1e-6 to
    /// every scale, which is left out here, since it would make results depend on the unit.
    pub fn fit(kind: ScalerKind, history: History<'_>) -> Option<Scaler> {
        let (shift, scale) = match kind {
            ScalerKind::None => return Some(Scaler::IDENTITY),
            ScalerKind::Standard => mean_and_deviation(history)?,
            ScalerKind::Robust => {
                let mut values: Vec<f64> = history.iter().map(|(_, value)| f64::from(value)).collect();
                let center = median(&mut values)?;
                values.iter_mut().for_each(|value| *value = (*value - center).abs());
                match median(&mut values)? {
                    0.0 => (center, 0.6745 * mean_and_deviation(history)?.1),
                    deviation => (center, deviation),
                }
            }
            ScalerKind::MinMax => {
                let values = || history.iter().map(|(_, value)| f64::from(value));
                let (least, most) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
                (least, most - least)
            }
        };
        // Rounding leaves a constant series a spread of about one part in 1e15.
        let is_constant = scale <= 1e-12 * shift.abs() || scale == 0.0;
        Some(Scaler { shift, scale: if is_constant { 1.0 } else { scale } })
    }

    /// Scales in place.
    pub fn transform(&self, values: &mut [f32]) {
        let per_scale = 1.0 / self.scale;
        for value in values {
            *value = ((f64::from(*value) - self.shift) * per_scale) as f32;
        }
    }

    /// Undoes [`Scaler::transform`] in place, to single precision.
    pub fn inverse(&self, values: &mut [f32]) {
        for value in values {
            *value = (f64::from(*value) * self.scale + self.shift) as f32;
        }
    }
}

/// Fits one scaler for each series, on its training rows only.
///
/// # Errors
/// Where a training range holds no observed value, or the ranges are not one for each series.
pub fn fit_scalers(kind: ScalerKind, frame: &Frame, training: &[Range<usize>]) -> Result<Vec<Scaler>> {
    check_count("training ranges", training.len(), frame)?;
    let fit = |(series, rows): (&crate::frame::Series, &Range<usize>)| {
        Scaler::fit(kind, series.history().range(rows.clone())).ok_or_else(|| Error::NothingObserved {
            series: series.id.clone(),
            start: rows.start,
            end: rows.end,
        })
    };
    frame.series.iter().zip(training).map(fit).collect()
}

/// Scales every series in place with its own scaler; missing values keep the placeholder 0, which under
/// most scalers is a middling value.
///
/// # Errors
/// Where the scalers are not one for each series.
pub fn scale_frame(frame: &mut Frame, scalers: &[Scaler]) -> Result<()> {
    check_count("scalers", scalers.len(), frame)?;
    for (series, scaler) in frame.series.iter_mut().zip(scalers) {
        series.map_observed(|values| scaler.transform(values));
    }
    Ok(())
}

fn check_count(what: &'static str, found: usize, frame: &Frame) -> Result<()> {
    let expected = frame.series.len();
    if found == expected { Ok(()) } else { Err(Error::CountMismatch { what, found, expected }) }
}

fn mean_and_deviation(history: History<'_>) -> Option<(f64, f64)> {
    let (sum, count) =
        history.iter().fold((0.0, 0usize), |(sum, count), (_, v)| (sum + f64::from(v), count + 1));
    if count == 0 {
        return None;
    }
    let mean = sum / count as f64;
    let squares: f64 = history.iter().map(|(_, value)| (f64::from(value) - mean).powi(2)).sum();
    Some((mean, (squares / count as f64).sqrt()))
}

/// The middle value, or the mean of the two in the middle.
fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    match below.iter().copied().reduce(f64::max) {
        Some(lower) if is_even => Some((lower + upper) / 2.0),
        _ => Some(upper),
    }
}

impl FromStr for ScalerKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" | "identity" => Ok(ScalerKind::None),
            "standard" => Ok(ScalerKind::Standard),
            "robust" => Ok(ScalerKind::Robust),
            "minmax" => Ok(ScalerKind::MinMax),
            _ => Err(Error::BadScaler { value: shorten(text) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [ScalerKind; 4] =
        [ScalerKind::None, ScalerKind::Standard, ScalerKind::Robust, ScalerKind::MinMax];

    fn fit(kind: ScalerKind, values: &[f32]) -> (f64, f64) {
        let scaler = Scaler::fit(kind, History::complete(values)).unwrap();
        (scaler.shift, scaler.scale)
    }

    #[test]
    fn statistics_are_the_textbook_ones() {
        assert_eq!(fit(ScalerKind::None, &[3.0, 9.0]), (0.0, 1.0));
        assert_eq!(fit(ScalerKind::Standard, &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), (5.0, 2.0));
        assert_eq!(fit(ScalerKind::Robust, &[1.0, 2.0, 3.0, 4.0, 100.0]), (3.0, 1.0));
        assert_eq!(fit(ScalerKind::Robust, &[1.0, 2.0, 3.0, 4.0]), (2.5, 1.0));
        assert_eq!(fit(ScalerKind::MinMax, &[5.0, 1.0, 3.0]), (1.0, 4.0));
    }

    #[test]
    fn robust_falls_back_to_the_deviation_where_most_values_are_equal() {
        let (shift, scale) = fit(ScalerKind::Robust, &[0.0, 0.0, 0.0, 4.0]);
        assert_eq!(shift, 0.0);
        assert!((scale - 0.6745 * 3f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_constant_series_keeps_scale_one() {
        for kind in KINDS {
            assert_eq!(fit(kind, &[0.1; 1000]).1, 1.0, "{kind:?}");
        }
    }

    #[test]
    fn missing_values_count_for_nothing() {
        for kind in KINDS {
            let masked = History { values: &[1.0, 1e9, 3.0], observed: Some(&[true, false, true]) };
            assert_eq!(Scaler::fit(kind, masked), Scaler::fit(kind, History::complete(&[1.0, 3.0])));
        }
        let nothing = History { values: &[1.0], observed: Some(&[false]) };
        assert_eq!(Scaler::fit(ScalerKind::Robust, nothing), None);
    }

    proptest! {
        #[test]
        fn inverse_undoes_transform(values in prop::collection::vec(-1e4f32..1e4, 1..50), kind in 0..4usize) {
            let scaler = Scaler::fit(KINDS[kind], History::complete(&values)).unwrap();
            let mut round_trip = values.clone();
            scaler.transform(&mut round_trip);
            scaler.inverse(&mut round_trip);
            let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
            for (value, back) in values.iter().zip(&round_trip) {
                prop_assert!((value - back).abs() <= 1e-5 * largest.max(1e-3), "{value} became {back}");
            }
        }
    }
}
