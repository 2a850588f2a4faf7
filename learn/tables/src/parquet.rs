//! Parquet files, decoded with care.

use std::fmt::Display;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::contents::Limits;
use crate::error::{Result, TableError, shorten};

/// A Parquet file whose columns are still to be chosen.
pub type Builder = ParquetRecordBatchReaderBuilder<File>;

/// Reads the schema of a file, and how many rows it says it has.
///
/// # Errors
/// If it is damaged.
pub fn schema(file: &str, contents: File) -> Result<(Builder, usize)> {
    let builder = decoded(file, || ParquetRecordBatchReaderBuilder::try_new(contents))?;
    let claimed = builder.metadata().file_metadata().num_rows();
    let broken =
        |_| TableError::Parquet { file: file.into(), reason: format!("it says that it has {claimed} rows") };
    let rows = usize::try_from(claimed).map_err(broken)?;
    Ok((builder, rows))
}

/// Begins to read columns, by number. Those of a batch come in the file's order.
///
/// # Errors
/// If the rows are more than may be read: a few compressed bytes can stand for any number of them.
pub fn columns(
    file: &str,
    builder: Builder,
    rows: usize,
    columns: &[usize],
    limits: &Limits,
) -> Result<ParquetRecordBatchReader> {
    refuse_too_large(file, rows, columns.len(), limits)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
    decoded(file, || builder.with_projection(mask).build())
}

/// What the decoder gives. Some damaged files make it panic, which is an error here as any other; the standard
/// library still prints the panic.
///
/// # Errors
/// If the decoder fails or panics; messages call the file `file`.
pub fn decoded<T, E: Display>(file: &str, decode: impl FnOnce() -> Result<T, E>) -> Result<T> {
    // Nothing that was being decoded is looked at again.
    let reason = match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(|s| &**s));
            format!("the file is damaged: {}", text.unwrap_or("the decoder gave up"))
        }
    };
    Err(TableError::Parquet { file: file.into(), reason })
}

/// Refuses more than may be read: a few compressed bytes can stand for any number of rows.
fn refuse_too_large(file: &str, rows: usize, columns: usize, limits: &Limits) -> Result<()> {
    if rows > limits.rows_max {
        return Err(TableError::TooManyRows { file: file.into(), rows, limit: limits.rows_max });
    }
    let bytes = (rows as u64).saturating_mul((columns * size_of::<f32>()) as u64);
    if bytes > limits.bytes_max {
        let (file, limit) = (file.into(), limits.bytes_max);
        return Err(TableError::UnpackedTooLarge { file, rows, columns, bytes, limit });
    }
    Ok(())
}

/// The values of a column of a batch, NaN where missing; `before` rows came in earlier batches.
///
/// # Errors
/// If these are no numbers, or one is beyond single precision.
pub fn numbers(file: &str, array: &ArrayRef, column: &str, before: usize) -> Result<Vec<f32>> {
    let kind = array.data_type();
    let wrong_type = || {
        let (file, column, found) = (file.into(), column.into(), kind.to_string());
        TableError::ColumnType { file, column, found, wanted: "a number" }
    };
    if !(kind.is_numeric() || *kind == DataType::Null) {
        return Err(wrong_type());
    }
    let cast = arrow_cast::cast(array, &DataType::Float32).map_err(|_| wrong_type())?;
    let values: Vec<f32> =
        cast.as_primitive::<Float32Type>().iter().map(|value| value.unwrap_or(f32::NAN)).collect();
    // A cast that overflows leaves nothing where there was a number.
    let bad = |row: &usize| values[*row].is_infinite() || (cast.is_null(*row) && !array.is_null(*row));
    match (0..values.len()).find(bad) {
        None => Ok(values),
        Some(row) => {
            let (row, value) = (before + row + 1, show(array, row));
            Err(TableError::Infinite { file: file.into(), row, column: column.into(), value })
        }
    }
}

/// A cell as text, for messages.
pub fn show(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_string();
    }
    arrow_cast::display::array_value_to_string(array, row)
        .map_or_else(|_| "?".to_string(), |text| shorten(&text))
}
