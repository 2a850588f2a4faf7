//! Folds of rows in the order of time.

use std::ops::Range;

use crate::error::{Result, StudyError};

/// One division: what is learned from lies before what is scored on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFold {
    /// Rows to learn from.
    pub train: Range<usize>,
    /// Rows to score on, after the gap.
    pub test: Range<usize>,
}

/// Cross-validation from a rolling origin (Tashman, "Out-of-sample tests of forecasting accuracy", 2000): the
/// last fold ends with the last row, each one before it `step` rows earlier, and no row is used to judge a
/// model that has seen it or anything after it.
///
/// ```
/// use bessemer_study::TimeSeriesFolds;
///
/// let folds = TimeSeriesFolds { gap: 2, ..TimeSeriesFolds::new(3, 10) };
/// let rows: Vec<_> = folds.split(100)?.into_iter().map(|fold| (fold.train, fold.test)).collect();
/// assert_eq!(rows, [(0..68, 70..80), (0..78, 80..90), (0..88, 90..100)]);
///
/// let sliding = TimeSeriesFolds { train: Some(50), ..folds };
/// assert_eq!(sliding.split(100)?[0].train, 18..68);
/// # Ok::<(), bessemer_study::StudyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSeriesFolds {
    /// How many folds there are.
    pub folds: usize,
    /// Rows that each fold is scored on.
    pub test: usize,
    /// Rows from the start of one fold's test to the next.
    pub step: usize,
    /// Rows left out between training and test.
    pub gap: usize,
    /// Rows that each fold learns from (a sliding window); `None` for all from the first (an expanding one).
    pub train: Option<usize>,
}

impl TimeSeriesFolds {
    /// Folds on an expanding window, whose test rows follow each other without a gap.
    pub fn new(folds: usize, test: usize) -> TimeSeriesFolds {
        TimeSeriesFolds { folds, test, step: test, gap: 0, train: None }
    }

    /// The folds of so many rows, earliest first.
    ///
    /// # Errors
    /// Where a number is 0 that must not be, or the first fold has too few rows to learn from.
    pub fn split(&self, rows: usize) -> Result<Vec<TimeFold>> {
        let TimeSeriesFolds { folds, test, step, gap, train } = *self;
        let least = train.unwrap_or(1);
        for (what, value) in [("folds", folds), ("test rows", test), ("step", step), ("training rows", least)]
        {
            if value == 0 {
                return Err(StudyError::TooSmall { what, value, minimum: 1 });
            }
        }
        let minimum = (folds - 1).saturating_mul(step).saturating_add(test).saturating_add(gap);
        let minimum = minimum.saturating_add(least);
        if rows < minimum {
            return Err(StudyError::TooFewRows { rows, folds, test, step, gap, train: least, minimum });
        }
        let fold = |number| {
            let start = rows - test - (folds - 1 - number) * step;
            let end = start - gap;
            TimeFold { train: train.map_or(0, |train| end - train)..end, test: start..start + test }
        };
        Ok((0..folds).map(fold).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_future_is_never_learned_from(
            folds in 1..9usize,
            test in 1..20usize,
            step in 1..20usize,
            gap in 0..20usize,
            train in proptest::option::of(1..40usize),
            more in 0..50usize,
        ) {
            let division = TimeSeriesFolds { folds, test, step, gap, train };
            let minimum = (folds - 1) * step + test + gap + train.unwrap_or(1);
            let rows = minimum + more;
            let split = division.split(rows).unwrap();
            prop_assert_eq!(split.len(), folds);
            for fold in &split {
                prop_assert!(fold.train.end + gap == fold.test.start, "{:?}", fold);
                let latest = fold.train.clone().max().unwrap();
                prop_assert!(fold.test.clone().all(|row| row > latest + gap && row < rows));
                prop_assert_eq!(fold.test.len(), test);
                match train {
                    Some(train) => prop_assert_eq!(fold.train.len(), train),
                    None => prop_assert_eq!(fold.train.start, 0),
                }
            }
            for pair in split.windows(2) {
                prop_assert_eq!(pair[1].test.start - pair[0].test.start, step);
            }
            prop_assert_eq!(split[folds - 1].test.end, rows);
            prop_assert!(division.split(minimum - 1).is_err());
        }
    }

    #[test]
    fn folds_that_cannot_be_are_refused() {
        let refused = |division: TimeSeriesFolds, rows| division.split(rows).unwrap_err().to_string();
        let folds = TimeSeriesFolds::new(3, 10);
        assert_eq!(refused(TimeSeriesFolds { folds: 0, ..folds }, 99), "folds is 0; it must be at least 1");
        assert_eq!(refused(TimeSeriesFolds { step: 0, ..folds }, 99), "step is 0; it must be at least 1");
        assert_eq!(
            refused(TimeSeriesFolds { train: Some(0), ..folds }, 99),
            "training rows is 0; it must be at least 1"
        );
        let short = refused(TimeSeriesFolds { gap: 2, train: Some(20), ..folds }, 51);
        assert!(short.starts_with("51 rows, but 3 folds of 10 test rows") && short.contains("at least 52"));
        assert!(refused(TimeSeriesFolds { folds: usize::MAX, ..folds }, 99).contains("need at least"));
    }
}
