//! A set of series on one regular time grid.

use std::fmt;

use crate::frequency::Frequency;
use crate::time::{TimeKind, Timestamp};

/// Series that share a frequency. Each has its own start and length.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// In the order of first appearance in the source.
    pub series: Vec<Series>,
    /// The step between rows.
    pub frequency: Frequency,
    /// Whether times are dates or whole numbers, and how they are written.
    pub time: TimeKind,
    /// What a reader of the source should know but which is no error.
    pub notes: Vec<Note>,
}

impl Frame {
    /// The length of every series.
    pub fn lengths(&self) -> Vec<usize> {
        self.series.iter().map(Series::len).collect()
    }

    /// What tells these series from others: SHA-256 of their names and values, in hexadecimal.
    ///
    /// ```
    /// use bessemer_forecast::{Series, air_passengers};
    ///
    /// let (frame, mut other) = (air_passengers::frame(), air_passengers::frame());
    /// assert_eq!(frame.fingerprint(), other.fingerprint());
    /// other.series[0] = Series::new("passengers", 0, vec![112.0; 144]);
    /// assert_ne!(frame.fingerprint(), other.fingerprint());
    /// ```
    pub fn fingerprint(&self) -> String {
        let mut bytes = Vec::new();
        for series in &self.series {
            bytes.extend_from_slice(series.id.as_bytes());
            bytes.extend(series.values.iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend(series.observed.iter().flatten().map(|seen| u8::from(*seen)));
        }
        bessemer_train::weights::fingerprint(&bytes)
    }

    /// The series with this id.
    pub fn get(&self, id: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.id == id)
    }

    /// The time of a row of a series; rows past the end are the times to forecast. `None` beyond the
    /// year 9999.
    pub fn time_of(&self, series: &Series, row: usize) -> Option<Timestamp> {
        self.frequency.advance(series.start, i64::try_from(row).ok()?)
    }
}

/// One series: a value for every step of the grid from `start`, of which some may be missing.
///
/// ```
/// use bessemer_forecast::Series;
///
/// let series = Series::new("milk", 0, vec![589.0, f32::NAN, 640.0]);
/// assert_eq!(series.observed(), Some(&[true, false, true][..]));
/// assert_eq!(series.values()[1], 0.0); // a placeholder, never a guess
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The name.
    pub id: String,
    /// The time of the first row.
    pub start: Timestamp,
    values: Vec<f32>,
    observed: Option<Vec<bool>>,
}

impl Series {
    /// A series in which values that are not finite are missing.
    pub fn new(id: impl Into<String>, start: Timestamp, mut values: Vec<f32>) -> Series {
        let observed = values
            .iter()
            .any(|value| !value.is_finite())
            .then(|| values.iter().map(|value| value.is_finite()).collect::<Vec<bool>>());
        if observed.is_some() {
            for value in &mut values {
                *value = if value.is_finite() { *value } else { 0.0 };
            }
        }
        Series { id: id.into(), start, values, observed }
    }

    /// Rows, missing ones included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values; 0 where missing.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Which values are observed; `None` where all are.
    pub fn observed(&self) -> Option<&[bool]> {
        self.observed.as_deref()
    }

    /// How many values are missing.
    pub fn missing(&self) -> usize {
        self.observed().map_or(0, |observed| observed.iter().filter(|seen| !**seen).count())
    }

    /// All rows, with their mask.
    pub fn history(&self) -> History<'_> {
        History { values: &self.values, observed: self.observed() }
    }

    /// Changes the observed values in place; missing ones keep their placeholder.
    pub(crate) fn map_observed(&mut self, change: impl FnOnce(&mut [f32])) {
        change(&mut self.values);
        if let Some(observed) = &self.observed {
            for (value, seen) in self.values.iter_mut().zip(observed) {
                if !seen {
                    *value = 0.0;
                }
            }
        }
    }
}

/// A stretch of a series with its mask: what baselines, scalers and metrics look back on.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// The values, oldest first.
    pub values: &'a [f32],
    /// Which of them are observed; `None` where all are. As long as `values`.
    pub observed: Option<&'a [bool]>,
}

impl<'a> History<'a> {
    /// A history in which every value is observed.
    pub fn complete(values: &'a [f32]) -> History<'a> {
        History { values, observed: None }
    }

    /// The rows of a range; what lies beyond the end is left out.
    pub fn range(&self, rows: std::ops::Range<usize>) -> History<'a> {
        let end = rows.end.min(self.values.len());
        let rows = rows.start.min(end)..end;
        History {
            values: &self.values[rows.clone()],
            observed: self.observed.map(|observed| &observed[rows]),
        }
    }

    /// Whether a row is observed.
    pub fn is_observed(&self, row: usize) -> bool {
        self.observed.is_none_or(|observed| observed[row])
    }

    /// Rows and values of what is observed.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, f32)> + use<'a> {
        let history = *self;
        self.values.iter().copied().enumerate().filter(move |(row, _)| history.is_observed(*row))
    }
}

/// Something worth knowing about a source that was read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// Rows were not in the order of time.
    Sorted {
        /// How many series that concerns.
        series: usize,
    },
    /// Rows are missing between others.
    MissingSteps {
        /// Where.
        series: String,
        /// How many.
        steps: usize,
        /// The step between rows.
        frequency: Frequency,
    },
    /// Rows have no value.
    MissingValues {
        /// Where.
        series: String,
        /// How many.
        values: usize,
    },
    /// What series beyond those named are missing.
    MissingInMore {
        /// How many series.
        series: usize,
        /// Values in all of them.
        values: usize,
    },
    /// Columns that were left out.
    UnusedColumns {
        /// Their names.
        columns: String,
    },
    /// The step between rows was not given.
    FrequencyInferred {
        /// What the rows say it is.
        frequency: Frequency,
    },
    /// Times carry a zone, which is not kept.
    TimeZone {
        /// Its name.
        zone: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Sorted { series: 1 } => write!(f, "rows were not in the order of time; sorted"),
            Note::Sorted { series } => {
                write!(f, "rows of {series} series were not in the order of time; sorted")
            }
            Note::MissingSteps { series, steps, frequency } => {
                let steps_are = if *steps == 1 { "step is" } else { "steps are" };
                write!(f, "series `{series}`: {steps} missing `{frequency}` {steps_are} masked")
            }
            Note::MissingValues { series, values } => {
                let values_are = if *values == 1 { "value is" } else { "values are" };
                write!(f, "series `{series}`: {values} empty {values_are} masked")
            }
            Note::MissingInMore { series, values } => {
                write!(f, "{series} more series: {values} missing values are masked")
            }
            Note::UnusedColumns { columns } => write!(f, "columns not used: {columns}"),
            Note::FrequencyInferred { frequency } => {
                write!(f, "the frequency `{frequency}` was taken from the rows")
            }
            Note::TimeZone { zone } => write!(f, "times are in the zone `{zone}`; read as UTC"),
        }
    }
}
