//! Parquet files, decoded with care.

use std::fmt::Display;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::contents::Limits;
use crate::error::{Needed, Result, TableError, shorten};
use crate::parquet_pages;

/// A Parquet file whose columns are still to be chosen.
pub type Builder = ParquetRecordBatchReaderBuilder<File>;

/// Reads the schema of a file, and how many rows it says it has.
///
/// # Errors
/// If it is damaged.
pub fn schema(file: &str, contents: File) -> Result<(Builder, usize)> {
    let pages = contents.try_clone();
    let builder = decoded(file, || ParquetRecordBatchReaderBuilder::try_new(contents))?;
    let problem =
        decoded(file, || pages.and_then(|pages| parquet_pages::problem(&pages, builder.metadata())))?;
    if let Some(problem) = problem {
        return Err(TableError::Parquet { file: file.into(), reason: problem.into() });
    }
    let claimed = builder.metadata().file_metadata().num_rows();
    let broken =
        |_| TableError::Parquet { file: file.into(), reason: format!("it says that it has {claimed} rows") };
    let rows = usize::try_from(claimed).map_err(broken)?;
    Ok((builder, rows))
}

/// Begins to read columns, by number.
///
/// # Errors
/// If the rows are more than may be read: a few compressed bytes can stand for any number of them.
pub fn columns<'a>(
    file: &'a str,
    builder: Builder,
    rows: usize,
    columns: &[usize],
    limits: &Limits,
) -> Result<Batches<'a>> {
    refuse_too_large(file, rows, columns.len(), limits)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
    let reader = decoded(file, || builder.with_projection(mask).build())?;
    let mut in_file = columns.to_vec();
    in_file.sort_unstable();
    in_file.dedup();
    Ok(Batches { file, reader, in_file, claimed: rows, read: 0 })
}

/// The rows of some columns, a batch at a time.
pub struct Batches<'a> {
    file: &'a str,
    reader: ParquetRecordBatchReader,
    /// The columns in the order in which the decoder gives them.
    in_file: Vec<usize>,
    claimed: usize,
    read: usize,
}

impl Batches<'_> {
    /// The next rows, if there are any.
    ///
    /// # Errors
    /// If they are damaged, or all together not as many as the file says.
    #[allow(clippy::should_implement_trait)] // it lends its batch
    pub fn next(&mut self) -> Result<Option<Batch<'_>>> {
        let (file, claimed) = (self.file, self.claimed);
        let broken = |there_are: String| {
            let reason = format!("it says that it has {claimed} rows, but there are {there_are}");
            TableError::Parquet { file: file.into(), reason }
        };
        match decoded(file, || self.reader.next().transpose())? {
            None if self.read < claimed => Err(broken(self.read.to_string())),
            None => Ok(None),
            Some(batch) => {
                let before = self.read;
                self.read += batch.num_rows();
                if self.read > claimed {
                    return Err(broken("more".into()));
                }
                Ok(Some(Batch { in_file: &self.in_file, batch, before }))
            }
        }
    }
}

/// Some rows.
pub struct Batch<'a> {
    in_file: &'a [usize],
    batch: RecordBatch,
    /// The rows of the batches before.
    pub before: usize,
}

impl Batch<'_> {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column, by its number in the file.
    ///
    /// # Panics
    /// If it is none of those that were asked for.
    pub fn column(&self, column: usize) -> &ArrayRef {
        let place = self.in_file.binary_search(&column).expect("a column that was asked for");
        self.batch.column(place)
    }
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

/// The values of a column of a batch, of which none may be missing; `before` rows came in earlier batches.
///
/// # Errors
/// If these are no numbers, or one is missing, NaN or beyond single precision.
pub fn present(file: &str, array: &ArrayRef, column: &str, before: usize) -> Result<Vec<f32>> {
    let values = numbers(file, array, column, before).map_err(|error| match error {
        TableError::Infinite { file, row, column, value } => {
            TableError::Needed { file, row, column, value, problem: Needed::Infinite }
        }
        error => error,
    })?;
    match values.iter().position(|value| value.is_nan()) {
        None => Ok(values),
        Some(row) => Err(missing(file, array, column, before, row)),
    }
}

/// Likewise in double precision.
///
/// # Errors
/// As [`present`].
pub fn doubles(file: &str, array: &ArrayRef, column: &str, before: usize) -> Result<Vec<f64>> {
    let single = present(file, array, column, before)?;
    // What has a value in single precision has one in double precision.
    let cast = arrow_cast::cast(array, &DataType::Float64).ok();
    let values = cast.as_ref().map(|cast| cast.as_primitive::<Float64Type>().values().to_vec());
    Ok(values.unwrap_or_else(|| single.into_iter().map(f64::from).collect()))
}

/// The values of a column of 64-bit integers of which none is missing: double precision has not all of them.
pub fn wholes(array: &ArrayRef) -> Option<Vec<i64>> {
    let is_whole = *array.data_type() == DataType::Int64 && array.null_count() == 0;
    is_whole.then(|| array.as_primitive::<Int64Type>().values().to_vec())
}

fn missing(file: &str, array: &ArrayRef, column: &str, before: usize, row: usize) -> TableError {
    let (file, column, value) = (file.into(), column.into(), show(array, row));
    TableError::Needed { file, row: before + row + 1, column, value, problem: Needed::Missing }
}

/// A column of a batch as text, if the type of its values is wanted; messages call such types `wanted`.
///
/// # Errors
/// If it is of another type.
pub fn texts(
    file: &str,
    array: &ArrayRef,
    column: &str,
    is_wanted: fn(&DataType) -> bool,
    wanted: &'static str,
) -> Result<ArrayRef> {
    let found = array.data_type();
    let wrong_type = || {
        let (file, column, found) = (file.into(), column.into(), found.to_string());
        TableError::ColumnType { file, column, found, wanted }
    };
    if !is_wanted(value_type(found)) {
        return Err(wrong_type());
    }
    arrow_cast::cast(array, &DataType::Utf8).map_err(|_| wrong_type())
}

/// The names of classes in a column of a batch, one for each row: text, without the blanks around it, whole numbers,
/// truth values and other numbers as they are written; `before` rows came in earlier batches.
///
/// # Errors
/// If one is missing, or the column holds something else.
pub fn classes(file: &str, array: &ArrayRef, column: &str, before: usize) -> Result<Vec<String>> {
    let is_class = |kind: &DataType| is_text(kind) || kind.is_numeric() || *kind == DataType::Boolean;
    let texts = texts(file, array, column, is_class, "text, a number or a truth value")?;
    let nan = if array.data_type().is_floating() { "NaN" } else { "" };
    let text = |(row, text): (usize, Option<&str>)| match text.map(str::trim) {
        Some(text) if !text.is_empty() && text != nan => Ok(text.to_string()),
        _ => Err(missing(file, array, column, before, row)),
    };
    texts.as_string::<i32>().iter().enumerate().map(text).collect()
}

/// The type of values, also where they are looked up in a dictionary.
pub fn value_type(kind: &DataType) -> &DataType {
    if let DataType::Dictionary(_, values) = kind { values } else { kind }
}

/// Whether a type is text.
pub fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A cell as text, for messages.
pub fn show(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_string();
    }
    arrow_cast::display::array_value_to_string(array, row)
        .map_or_else(|_| "?".to_string(), |text| shorten(&text))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{BooleanArray, DictionaryArray, Float32Array, Int64Array, StringArray, UInt8Array};

    use super::*;

    #[test]
    fn classes_are_text_numbers_or_truth_values() {
        let of = |array: ArrayRef| classes("a", &array, "kind", 10).map_err(|error| error.to_string());
        let looked_up: DictionaryArray<Int8Type> = ["b", "a", "b"].into_iter().collect();
        let arrays: [(ArrayRef, [&str; 3]); 5] = [
            (Arc::new(StringArray::from(vec![" b", "a", "1.0 "])), ["b", "a", "1.0"]),
            (Arc::new(Int64Array::from(vec![-7, 0, 1 << 60])), ["-7", "0", "1152921504606846976"]),
            (Arc::new(UInt8Array::from(vec![1, 2, 255])), ["1", "2", "255"]),
            (Arc::new(BooleanArray::from(vec![true, false, true])), ["true", "false", "true"]),
            (Arc::new(looked_up), ["b", "a", "b"]),
        ];
        for (array, names) in arrays {
            assert_eq!(of(array).unwrap(), names);
        }
        let missing: [(ArrayRef, &str); 3] = [
            (
                Arc::new(StringArray::from(vec![Some("a"), None])),
                "row 12, column `kind`: \"null\" is missing",
            ),
            (Arc::new(StringArray::from(vec![" "])), "row 11, column `kind`: \" \" is missing"),
            (Arc::new(Float32Array::from(vec![1.5, f32::NAN])), "row 12, column `kind`: \"NaN\" is missing"),
        ];
        for (array, said) in missing {
            assert!(of(array.clone()).unwrap_err().contains(said), "{:?}", of(array));
        }
        let days = Arc::new(arrow_array::Date32Array::from(vec![1]));
        assert!(of(days).unwrap_err().contains("has the type Date32, which is not text, a number"));
    }

    #[test]
    fn numbers_that_may_not_be_missing() {
        let of = |array: ArrayRef| present("a", &array, "x", 10).map_err(|error| error.to_string());
        assert_eq!(of(Arc::new(Int64Array::from(vec![3, -4]))).unwrap(), [3.0, -4.0]);
        for array in
            [Float32Array::from(vec![Some(1.0), None]), Float32Array::from(vec![Some(1.0), Some(f32::NAN)])]
        {
            let said = of(Arc::new(array)).unwrap_err();
            assert!(said.contains("row 12, column `x`") && said.contains("is missing; fill it in"), "{said}");
        }
    }
}
