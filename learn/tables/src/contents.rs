//! Opening a file of either format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Result, TableError};
use crate::parquet_footer;

/// How much of a file to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, in bytes, also once unpacked.
    pub bytes_max: u64,
    /// The most rows.
    pub rows_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes_max: 4 << 30, rows_max: 200_000_000 }
    }
}

/// A file of a table, told apart by its first bytes.
pub enum Contents {
    /// Text, if not a CSV file.
    Text(Vec<u8>),
    /// A Parquet file, whose schema makes sense.
    Parquet(File),
}

/// Opens a file, and reads it if it is text.
///
/// # Errors
/// If it cannot be read, is too large, or is a Parquet file whose schema claims what is not there.
pub fn open(path: &Path, limits: &Limits) -> Result<Contents> {
    let io = |action| move |source| TableError::Io { path: path.to_path_buf(), action, source };
    let mut file =
        File::open(path).map_err(|source| TableError::Open { path: path.to_path_buf(), source })?;
    let bytes = file.metadata().map_err(io("read the file's size"))?.len();
    let name = path.display().to_string();
    let limit = limits.bytes_max;
    if bytes > limit {
        return Err(TableError::FileTooLarge { file: name, bytes, limit });
    }
    let mut start = Vec::new();
    (&mut file).take(4).read_to_end(&mut start).map_err(io("read the file"))?;
    if start == b"PAR1" {
        if let Some(problem) = parquet_footer::problem(&file).map_err(io("read the file"))? {
            return Err(TableError::Parquet { file: name, reason: problem.into() });
        }
        return Ok(Contents::Parquet(file));
    }
    let mut contents = start;
    // What is not a plain file, such as a pipe, does not tell its size beforehand.
    file.take(limit.saturating_sub(3)).read_to_end(&mut contents).map_err(io("read the file"))?;
    let bytes = contents.len() as u64;
    if bytes > limit {
        return Err(TableError::FileTooLarge { file: name, bytes, limit });
    }
    Ok(Contents::Text(contents))
}
