//! Accuracy of forecasts, over what is observed and in double precision.
//!
//! ```
//! use bessemer_forecast::metrics::Errors;
//!
//! let mut errors = Errors::default();
//! errors.add(&[1.0, 2.0, 4.0], &[1.0, 3.0, 9.0], Some(&[1.0, 1.0, 0.0]));
//! assert_eq!(errors.mae(), Some(0.5));
//! assert_eq!(errors.mse(), Some(0.5));
//! ```

use crate::frame::History;

/// Sums of errors, from which every metric follows; batches are added one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// How many observed values were compared.
    pub count: u64,
    absolute: f64,
    squared: f64,
    percentage: f64,
    /// How many observed values were not zero, and so have a percentage error.
    nonzero: u64,
    symmetric: f64,
}

impl Errors {
    /// Compares forecasts with actual values where `mask` is not 0; `None` compares all.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn add(&mut self, actual: &[f32], forecast: &[f32], mask: Option<&[f32]>) {
        assert_eq!(actual.len(), forecast.len(), "as many forecasts as actual values");
        assert!(mask.is_none_or(|mask| mask.len() == actual.len()), "as many mask values as actual values");
        for (row, (actual, forecast)) in actual.iter().zip(forecast).enumerate() {
            if mask.is_none_or(|mask| mask[row] != 0.0) {
                self.add_one(f64::from(*actual), f64::from(*forecast));
            }
        }
    }

    fn add_one(&mut self, actual: f64, forecast: f64) {
        let error = (actual - forecast).abs();
        self.count += 1;
        self.absolute += error;
        self.squared += error * error;
        if actual != 0.0 {
            self.nonzero += 1;
            self.percentage += error / actual.abs();
        }
        let size = actual.abs() + forecast.abs();
        if size != 0.0 {
            self.symmetric += error / size;
        }
    }

    /// Adds the sums of another stretch. Rounding depends on the order, so merge in a fixed one.
    pub fn merge(&mut self, other: &Errors) {
        self.count += other.count;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.percentage += other.percentage;
        self.nonzero += other.nonzero;
        self.symmetric += other.symmetric;
    }

    /// Mean absolute error, in the unit of the data. `None`, as for every metric, where nothing is observed.
    pub fn mae(&self) -> Option<f64> {
        mean(self.absolute, self.count)
    }

    /// Mean squared error.
    pub fn mse(&self) -> Option<f64> {
        mean(self.squared, self.count)
    }

    /// Root mean squared error.
    pub fn rmse(&self) -> Option<f64> {
        self.mse().map(f64::sqrt)
    }

    /// Mean absolute percentage error, in percent, over actual values that are not 0.
    pub fn mape(&self) -> Option<f64> {
        mean(100.0 * self.percentage, self.nonzero)
    }

    /// Symmetric mean absolute percentage error as in the M4 competition, in percent from 0 to 200:
    /// the mean of `200 |y - f| / (|y| + |f|)`, which is 0 where both are.
    pub fn smape(&self) -> Option<f64> {
        mean(200.0 * self.symmetric, self.count)
    }

    /// Mean absolute scaled error (Hyndman and Koehler, 2006), given the scale of [`mase_scale`].
    pub fn mase(&self, scale: f64) -> Option<f64> {
        self.mae().map(|mae| mae / scale)
    }
}

fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

/// The mean absolute error of the seasonal naive forecast within the training rows, by which MASE is
/// scaled. `None` where no two observed rows are a season apart, or all such pairs are equal: MASE is then
/// not defined.
///
/// ```
/// use bessemer_forecast::{History, metrics::mase_scale};
///
/// assert_eq!(mase_scale(History::complete(&[1.0, 3.0, 2.0]), 1), Some(1.5));
/// ```
pub fn mase_scale(history: History<'_>, season: usize) -> Option<f64> {
    let season = season.max(1);
    let mut sum = 0.0;
    let mut count = 0;
    for (row, value) in history.iter().filter(|(row, _)| *row >= season) {
        if history.is_observed(row - season) {
            sum += (f64::from(value) - f64::from(history.values[row - season])).abs();
            count += 1;
        }
    }
    mean(sum, count).filter(|scale| *scale > 0.0)
}

/// All [`Errors`] of one forecast at once.
///
/// # Panics
/// Where the lengths differ.
pub fn errors(actual: &[f32], forecast: &[f32], mask: Option<&[f32]>) -> Errors {
    let mut errors = Errors::default();
    errors.add(actual, forecast, mask);
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?} is not {expected}");
    }

    #[test]
    fn metrics_are_the_textbook_ones() {
        let errors = errors(&[1.0, 0.0, -2.0, 4.0], &[2.0, 0.0, 2.0, 4.0], None);
        close(errors.mae(), 5.0 / 4.0);
        close(errors.mse(), 17.0 / 4.0);
        close(errors.rmse(), (17.0f64 / 4.0).sqrt());
        close(errors.mape(), 100.0 * (1.0 + 2.0) / 3.0);
        close(errors.smape(), (200.0 / 3.0 + 200.0) / 4.0);
        close(errors.mase(2.5), 0.5);
    }

    #[test]
    fn what_is_masked_does_not_count() {
        let masked = errors(&[1.0, f32::NAN, 3.0], &[0.0, 7.0, 1.0], Some(&[1.0, 0.0, 1.0]));
        assert_eq!(masked, errors(&[1.0, 3.0], &[0.0, 1.0], None));
        assert_eq!(errors(&[1.0], &[1.0], Some(&[0.0])).mae(), None);
        let mut merged = errors(&[1.0], &[0.0], None);
        merged.merge(&errors(&[3.0], &[1.0], None));
        assert_eq!(merged, masked);
    }

    #[test]
    fn the_mase_scale_skips_pairs_with_a_gap() {
        let gap = History { values: &[1.0, 0.0, 4.0, 8.0], observed: Some(&[true, false, true, true]) };
        assert_eq!(mase_scale(gap, 1), Some(4.0));
        assert_eq!(mase_scale(gap, 2), Some(3.0));
        assert_eq!(mase_scale(History::complete(&[5.0; 9]), 2), None);
        assert_eq!(mase_scale(History::complete(&[5.0]), 1), None);
    }
}
