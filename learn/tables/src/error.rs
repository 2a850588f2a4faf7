//! What can be wrong with a file of a table, each with the place, the value and the remedy.

use std::path::PathBuf;

use crate::cell::BadCell;

/// A result whose error is [`TableError`].
pub type Result<T, E = TableError> = std::result::Result<T, E>;

/// A file that cannot be read as a table.
///
/// `row` is the line of a text file, counted from 1 with the header as line 1, or the record of a Parquet file
/// counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the message of each variant says what its fields are
pub enum TableError {
    #[error("`{path}`: cannot {action}: {source}", path = path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },

    #[error("`{path}`: cannot open the file: {source}; check the name and the permissions", path = path.display())]
    Open { path: PathBuf, source: std::io::Error },

    #[error("`{file}`: {bytes} bytes is over the limit of {limit}; split the file or raise `bytes_max`")]
    FileTooLarge { file: String, bytes: u64, limit: u64 },

    #[error("`{file}`: {rows} rows or more is over the limit of {limit}; split the file or raise `rows_max`")]
    TooManyRows { file: String, rows: usize, limit: usize },

    #[error(
        "`{file}`: {rows} rows of {columns} columns take {bytes} bytes once unpacked, over the limit of {limit}; split the file or raise `bytes_max`"
    )]
    UnpackedTooLarge { file: String, rows: usize, columns: usize, bytes: u64, limit: u64 },

    #[error("`{file}`: row {row}: more than {limit} cells; split the file by its columns")]
    TooManyCells { file: String, row: usize, limit: usize },

    #[error("`{file}`: not a CSV file: {reason}; {remedy}")]
    NotCsv { file: String, reason: String, remedy: &'static str },

    #[error(
        "`{file}`: cannot be read as Parquet: {reason}; write it again uncompressed or with Snappy or Zstandard"
    )]
    Parquet { file: String, reason: String },

    #[error("`{file}`: there are no rows of data{below}; add rows or read another file")]
    NoRows { file: String, below: &'static str },

    #[error(
        "`{file}`: row {row}: {found} cells, but the {first} has {expected}; \
         complete the row, or quote a cell that contains the separator"
    )]
    RaggedRow { file: String, row: usize, found: usize, first: &'static str, expected: usize },

    #[error(
        "`{file}`: column `{column}` has the type {found}, which is not {wanted}; cast it or choose another"
    )]
    ColumnType { file: String, column: String, found: String, wanted: &'static str },

    #[error(
        "`{file}`: row {row}, column `{column}`: {value:?} is not a number; \
         write it with a decimal point, or leave the cell empty if the value is missing"
    )]
    BadNumber { file: String, row: usize, column: String, value: String },

    #[error(
        "`{file}`: row {row}, column `{column}`: {value:?} is infinite or beyond single precision; \
         correct it, or leave the cell empty if the value is missing"
    )]
    Infinite { file: String, row: usize, column: String, value: String },

    #[error(
        "`{file}`: row {row}, column `{column}`: {value:?} {problem}, or leave the row or the column out"
    )]
    Needed { file: String, row: usize, column: String, value: String, problem: Needed },
}

/// Why a cell is refused where none may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// There is nothing in it, or NaN.
    Missing,
    /// It is text.
    NotANumber,
    /// It is infinite, or beyond single precision.
    Infinite,
}

impl Needed {
    pub(crate) fn of(bad: Option<BadCell>) -> Needed {
        match bad {
            None => Needed::Missing,
            Some(BadCell::NotANumber) => Needed::NotANumber,
            Some(BadCell::Infinite) => Needed::Infinite,
        }
    }
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Needed::Missing => "is missing; fill it in",
            Needed::NotANumber => "is not a number; write it with a decimal point",
            Needed::Infinite => "is infinite or beyond single precision; correct it",
        })
    }
}

/// A value short enough to stand in a message.
pub fn shorten(value: &str) -> String {
    const LENGTH_MAX: usize = 60;
    match value.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_string(),
    }
}
