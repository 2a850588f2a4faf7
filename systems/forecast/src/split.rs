//! Which rows train, validate and test.

use std::ops::Range;

use bessemer_study::TimeSeriesFolds;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::time::SECOND;
use crate::{Frequency, Series};

/// Three stretches of rows, oldest first. Windows of the later two may look back into the rows before
/// them, so that the first forecast begins at the border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Rows that models and scalers are fitted to.
    pub train: Range<usize>,
    /// Rows that choose the weights.
    pub validation: Range<usize>,
    /// Rows that models are scored on.
    pub test: Range<usize>,
}

impl Split {
    /// The borders of the long-horizon benchmarks (Zeng et al., "Are Transformers Effective for Time Series
    /// Forecasting?", 2023): for the ETT files 12, 4 and 4 months of 30 days, of which the last sixth of the
    /// file is no part; otherwise [`Split::fractions`]. The ETT files are known by their shape, 7 series of
    /// 17,420 hours or 69,680 quarter hours.
    pub fn ltsf(frame: &Frame) -> Vec<Split> {
        let has_shape = |rows, minutes: i64| {
            frame.series.len() == 7
                && frame.series.iter().all(|series| series.len() == rows)
                && frame.frequency == Frequency::Fixed { micros: minutes * 60 * SECOND }
        };
        let month = match () {
            () if has_shape(17_420, 60) => Some(30 * 24),
            () if has_shape(69_680, 15) => Some(30 * 24 * 4),
            () => None,
        };
        let split = |series: &Series| match month {
            Some(month) => Split {
                train: 0..12 * month,
                validation: 12 * month..16 * month,
                test: 16 * month..20 * month,
            },
            None => Split::fractions(series.len()),
        };
        frame.series.iter().map(split).collect()
    }

    /// The first 70 % of the rows train and the last 20 % test, both rounded down; the rest validates.
    pub fn fractions(rows: usize) -> Split {
        // In double precision like the original's int(n * 0.7), which for some n is a row less than exact.
        let train = (rows as f64 * 0.7) as usize;
        let test = rows - (rows as f64 * 0.2) as usize;
        Split { train: 0..train, validation: train..test, test: test..rows }
    }

    /// The last `test` rows test and the `validation` rows before them validate.
    ///
    /// # Errors
    /// Where no row is left to train on.
    ///
    /// ```
    /// use bessemer_forecast::Split;
    ///
    /// let split = Split::holdout(144, 12, 12).unwrap();
    /// assert_eq!((split.train, split.validation, split.test), (0..120, 120..132, 132..144));
    /// assert!(Split::holdout(24, 12, 12).is_err());
    /// ```
    pub fn holdout(rows: usize, validation: usize, test: usize) -> Result<Split> {
        let too_large = || Error::SplitTooLarge { rows, validation, test };
        let test_start = rows.checked_sub(test).ok_or_else(too_large)?;
        let train_end = test_start.checked_sub(validation).filter(|end| *end > 0).ok_or_else(too_large)?;
        Ok(Split { train: 0..train_end, validation: train_end..test_start, test: test_start..rows })
    }

    /// [`Split::holdout`] of every series of a frame.
    ///
    /// # Errors
    /// Where a series has no row left to train on; the error names it.
    pub fn holdout_each(frame: &Frame, validation: usize, test: usize) -> Result<Vec<Split>> {
        let split = |series: &Series| {
            Split::holdout(series.len(), validation, test).map_err(|_| Error::SeriesTooShort {
                series: series.id.clone(),
                rows: series.len(),
                needs: format!("holding out {validation} rows for validation and {test} for test"),
                minimum: validation.saturating_add(test).saturating_add(1),
            })
        };
        frame.series.iter().map(split).collect()
    }

    /// Folds of every series in the order of time: for each fold, earliest first, a split of each series. Of
    /// the rows to learn from, the last ones, as many as `validation` says of so many, validate.
    ///
    /// A gap lies between the validation rows and the test rows; forecasts of the test rows look back on it.
    ///
    /// # Errors
    /// Where a series has too few rows; the error names it.
    ///
    /// ```
    /// use bessemer_forecast::{Split, air_passengers};
    /// use bessemer_study::TimeSeriesFolds;
    ///
    /// let folds = Split::time_series(&air_passengers::frame(), &TimeSeriesFolds::new(2, 12), &|_| 6)?;
    /// let Split { train, validation, test } = &folds[0][0];
    /// assert_eq!((train, validation, test), (&(0..114), &(114..120), &(120..132)));
    /// # Ok::<(), bessemer_forecast::Error>(())
    /// ```
    pub fn time_series(
        frame: &Frame,
        division: &TimeSeriesFolds,
        validation: &dyn Fn(usize) -> usize,
    ) -> Result<Vec<Vec<Split>>> {
        let mut folds: Vec<Vec<Split>> = Vec::new();
        for series in &frame.series {
            let named = |source| Error::Folds { series: series.id.clone(), source };
            let divided = division.split(series.len()).map_err(named)?;
            folds.resize_with(divided.len(), Vec::new);
            for (fold, rows) in folds.iter_mut().zip(divided) {
                let held = validation(rows.train.len());
                let border = rows.train.end.checked_sub(held).filter(|border| *border > rows.train.start);
                let border = border.ok_or_else(|| Error::SeriesTooShort {
                    series: series.id.clone(),
                    rows: rows.train.len(),
                    needs: format!("holding out {held} rows of the first fold for validation"),
                    minimum: held.saturating_add(1),
                })?;
                let (train, validation) = (rows.train.start..border, border..rows.train.end);
                fold.push(Split { train, validation, test: rows.test });
            }
        }
        Ok(folds)
    }
}
