//! Forecasts that need no training, which any model must beat.
//!
//! Each takes a history and gives `horizon` values, or `None` where nothing is observed. See Hyndman and
//! Athanasopoulos, "Forecasting: Principles and Practice", section 5.2.
//!
//! ```
//! use bessemer_forecast::{History, baselines};
//!
//! let history = History::complete(&[1.0, 2.0, 3.0, 4.0]);
//! assert_eq!(baselines::naive(history, 2), Some(vec![4.0, 4.0]));
//! assert_eq!(baselines::seasonal_naive(history, 2, 3), Some(vec![3.0, 4.0, 3.0]));
//! assert_eq!(baselines::drift(history, 2), Some(vec![5.0, 6.0]));
//! assert_eq!(baselines::mean(history, 1), Some(vec![2.5]));
//! ```

use crate::frame::History;

/// The last observed value.
pub fn naive(history: History<'_>, horizon: usize) -> Option<Vec<f32>> {
    let (_, last) = history.iter().next_back()?;
    Some(vec![last; horizon])
}

/// The last observed value at the same place in the season; the last observed value of all where that
/// place was never observed.
pub fn seasonal_naive(history: History<'_>, season: usize, horizon: usize) -> Option<Vec<f32>> {
    let (_, last) = history.iter().next_back()?;
    let len = history.values.len();
    // No longer season could make a difference.
    let season = season.clamp(1, len + horizon);
    let same_place = |step: usize| {
        let phase = (len + step) % season;
        let mut rows = (0..len).rev().skip((len + season - 1 - phase) % season).step_by(season);
        rows.find(|row| history.is_observed(*row)).map_or(last, |row| history.values[row])
    };
    let first_season: Vec<f32> = (0..season.min(horizon)).map(same_place).collect();
    Some(first_season.iter().copied().cycle().take(horizon).collect())
}

/// The line through the first and the last observed value.
pub fn drift(history: History<'_>, horizon: usize) -> Option<Vec<f32>> {
    let (first_row, first) = history.iter().next()?;
    let (last_row, last) = history.iter().next_back()?;
    let rows = (last_row - first_row).max(1) as f64;
    let slope = (f64::from(last) - f64::from(first)) / rows;
    let since_last = history.values.len() - last_row;
    Some((0..horizon).map(|step| (f64::from(last) + slope * (since_last + step) as f64) as f32).collect())
}

/// The mean of what is observed.
pub fn mean(history: History<'_>, horizon: usize) -> Option<Vec<f32>> {
    let (sum, count) =
        history.iter().fold((0.0, 0usize), |(sum, count), (_, v)| (sum + f64::from(v), count + 1));
    (count > 0).then(|| vec![(sum / count as f64) as f32; horizon])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAPPED: History<'static> =
        History { values: &[1.0, 0.0, 3.0, 4.0, 0.0], observed: Some(&[true, false, true, true, false]) };

    #[test]
    fn missing_values_are_looked_past() {
        assert_eq!(naive(GAPPED, 1), Some(vec![4.0]));
        // Rows 5 and 6 are at the places of rows 3 and 4; row 4 is missing, so row 2 stands in.
        assert_eq!(seasonal_naive(GAPPED, 2, 3), Some(vec![4.0, 3.0, 4.0]));
        assert_eq!(drift(GAPPED, 2), Some(vec![6.0, 7.0]));
        assert_eq!(mean(GAPPED, 1), Some(vec![8.0 / 3.0]));
    }

    #[test]
    fn a_season_longer_than_the_history_falls_back_to_the_last_value() {
        let history = History::complete(&[1.0, 2.0]);
        assert_eq!(seasonal_naive(history, 4, 5), Some(vec![2.0, 2.0, 1.0, 2.0, 2.0]));
        assert_eq!(seasonal_naive(history, 0, 1), Some(vec![2.0]));
        assert_eq!(seasonal_naive(history, usize::MAX, 3), Some(vec![2.0; 3]));
        assert_eq!(seasonal_naive(history, 12, 0), Some(vec![]));
    }

    #[test]
    fn nothing_observed_has_no_forecast() {
        for history in [History::complete(&[]), History { values: &[0.0], observed: Some(&[false]) }] {
            assert_eq!(naive(history, 1), None);
            assert_eq!(seasonal_naive(history, 2, 1), None);
            assert_eq!(drift(history, 1), None);
            assert_eq!(mean(history, 1), None);
        }
    }
}
