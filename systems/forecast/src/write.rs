//! Writing predictions.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use bessemer_train::write_whole;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};
use crate::frequency::Frequency;
use crate::time::{TimeKind, Timestamp};

/// Forecasts of one or more models for one or more series.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The names of the value columns: a model each, with what is predicted of it, such as `NHITS` or
    /// `NHITS-lo-90`.
    pub columns: Vec<String>,
    /// The forecasts, in the order they are written.
    pub series: Vec<SeriesPredictions>,
    /// The step between rows.
    pub frequency: Frequency,
    /// How times are written.
    pub time: TimeKind,
}

/// Forecasts of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesPredictions {
    /// The name of the series.
    pub id: String,
    /// The time of the last row that the models saw, written as `cutoff` by backtests.
    pub cutoff: Option<Timestamp>,
    /// The time of the first forecast.
    pub start: Timestamp,
    /// A row of values for each of [`Predictions::columns`], all of one length. NaN is written as missing.
    pub values: Vec<Vec<f32>>,
}

/// Writes predictions as `unique_id, ds, [cutoff,] columns...` to a `.csv` or `.parquet` file.
///
/// The file appears whole or not at all: it is written under another name in the same folder, flushed to
/// the disk and renamed.
///
/// # Errors
/// Where the extension is another, the lengths do not agree, a time is beyond the calendar, or the disk
/// refuses.
///
/// ```
/// use bessemer_forecast::{Predictions, SeriesPredictions, air_passengers, write_predictions};
///
/// let frame = air_passengers::frame();
/// let start = frame.time_of(&frame.series[0], 144).unwrap();
/// let predictions = Predictions {
///     columns: vec!["naive".into()],
///     series: vec![SeriesPredictions { id: "air".into(), cutoff: None, start, values: vec![vec![432.0; 2]] }],
///     frequency: frame.frequency,
///     time: frame.time,
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("forecast.csv");
/// write_predictions(&path, &predictions).unwrap();
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert_eq!(text, "unique_id,ds,naive\nair,1961-01-01,432\nair,1961-02-01,432\n");
/// ```
pub fn write_predictions(path: impl AsRef<Path>, predictions: &Predictions) -> Result<()> {
    let path = path.as_ref();
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let times = predictions.times()?;
    match extension.to_str() {
        Some("csv") => write_whole(path, |file| write_csv(file, predictions, &times)),
        Some("parquet") => write_whole(path, |file| write_parquet(file, predictions, &times)),
        _ => return Err(Error::UnknownFormat { file: path.display().to_string() }),
    }
    .map_err(|source| Error::Io { path: path.to_path_buf(), action: "write", source })
}

impl Predictions {
    /// The times of every series, once the lengths are known to agree.
    fn times(&self) -> Result<Vec<Vec<Timestamp>>> {
        self.series.iter().map(|series| self.times_of(series)).collect()
    }

    fn times_of(&self, series: &SeriesPredictions) -> Result<Vec<Timestamp>> {
        let wrong = |column: &str, found, expected| Error::PredictionLength {
            series: series.id.clone(),
            column: column.to_string(),
            found,
            expected,
        };
        if series.values.len() != self.columns.len() {
            return Err(wrong("(all)", series.values.len(), self.columns.len()));
        }
        let horizon = series.values.first().map_or(0, Vec::len);
        for (column, values) in self.columns.iter().zip(&series.values) {
            if values.len() != horizon {
                return Err(wrong(column, values.len(), horizon));
            }
        }
        let time = |step: usize| {
            let time = self.frequency.advance(series.start, step as i64);
            time.ok_or_else(|| Error::TimeOutOfRange {
                series: series.id.clone(),
                start: self.time.format(series.start),
                step,
            })
        };
        (0..horizon).map(time).collect()
    }

    fn has_cutoffs(&self) -> bool {
        self.series.iter().any(|series| series.cutoff.is_some())
    }
}

fn write_csv(file: impl Write, predictions: &Predictions, times: &[Vec<Timestamp>]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    let has_cutoffs = predictions.has_cutoffs();
    let mut header = vec!["unique_id", "ds"];
    header.extend(has_cutoffs.then_some("cutoff"));
    header.extend(predictions.columns.iter().map(String::as_str));
    writer.write_record(header)?;
    for (series, times) in predictions.series.iter().zip(times) {
        let cutoff = series.cutoff.map(|cutoff| predictions.time.format(cutoff)).unwrap_or_default();
        for (step, time) in times.iter().enumerate() {
            writer.write_field(&series.id)?;
            writer.write_field(predictions.time.format(*time))?;
            if has_cutoffs {
                writer.write_field(&cutoff)?;
            }
            for values in &series.values {
                let value = values[step];
                writer.write_field(if value.is_nan() { String::new() } else { value.to_string() })?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    writer.flush()
}

fn write_parquet(
    file: impl Write + Send,
    predictions: &Predictions,
    times: &[Vec<Timestamp>],
) -> std::io::Result<()> {
    let rows = || {
        predictions
            .series
            .iter()
            .zip(times)
            .flat_map(|(series, times)| times.iter().map(move |t| (series, t)))
    };
    let ids = StringArray::from_iter_values(rows().map(|(series, _)| &series.id));
    let moments = |times: Vec<Option<i64>>| -> ArrayRef {
        match predictions.time {
            TimeKind::Integer => Arc::new(Int64Array::from(times)),
            TimeKind::Calendar(style) => {
                Arc::new(TimestampMicrosecondArray::from(times).with_timezone_opt(style.utc.then_some("UTC")))
            }
        }
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![("unique_id", Arc::new(ids))];
    columns.push(("ds", moments(rows().map(|(_, time)| Some(*time)).collect())));
    if predictions.has_cutoffs() {
        columns.push(("cutoff", moments(rows().map(|(series, _)| series.cutoff).collect())));
    }
    for (place, name) in predictions.columns.iter().enumerate() {
        let values = predictions.series.iter().flat_map(|series| &series.values[place]);
        let values: Float32Array = values.map(|value| (!value.is_nan()).then_some(*value)).collect();
        columns.push((name, Arc::new(values)));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .map_err(std::io::Error::other)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(std::io::Error::other)?;
    writer.write(&batch).map_err(std::io::Error::other)?;
    writer.close().map_err(std::io::Error::other)?;
    Ok(())
}
