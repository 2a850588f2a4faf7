//! CSV files, a record at a time.

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use crate::cell::{BadCell, number};
use crate::contents::Limits;
use crate::error::{Result, TableError, shorten};

/// Names what is often given in place of a CSV file.
fn refuse_other_formats(file: &str, text: &[u8]) -> Result<()> {
    let name = || file.to_string();
    let start = &text[..text.len().min(8192)];
    let (reason, remedy) = if text.iter().all(u8::is_ascii_whitespace) {
        return Err(TableError::NoRows { file: name(), below: "" });
    } else if start.starts_with(b"PK\x03\x04") {
        ("it is an Excel workbook or a zip archive", "save the sheet as CSV, or unpack the archive")
    } else if start.starts_with(b"\x1f\x8b") || start.starts_with(b"\x28\xb5\x2f\xfd") {
        ("it is compressed", "unpack it first")
    } else if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        ("it is encoded as UTF-16", "save it as UTF-8")
    } else if start.trim_ascii_start().first() == Some(&b'<') {
        ("it is a web page or XML", "download the file itself")
    } else if start.trim_ascii_start().first() == Some(&b'{') {
        ("it is JSON", "convert it to CSV or Parquet")
    } else if start.contains(&0) {
        ("it holds binary data", "give a CSV or Parquet file")
    } else {
        return Ok(());
    };
    Err(TableError::NotCsv { file: name(), reason: reason.into(), remedy })
}

/// The most cells in a row: the reader takes a row in whole, and each cell costs it ten times its separator.
const CELLS_MAX: usize = 1 << 20;

fn refuse_endless_lines(file: &str, text: &[u8], separator: u8) -> Result<()> {
    // A line of so many cells has no break in at least one of these pieces, and hardly a file has one such.
    if text.chunks_exact(CELLS_MAX / 2).all(|piece| piece.contains(&b'\n')) {
        return Ok(());
    }
    let is_endless = |line: &[u8]| line.iter().filter(|byte| **byte == separator).count() >= CELLS_MAX;
    match text.split(|byte| *byte == b'\n').position(is_endless) {
        None => Ok(()),
        Some(line) => Err(TableError::TooManyCells { file: file.into(), row: line + 1, limit: CELLS_MAX }),
    }
}

/// The records of a CSV file, one at a time.
pub struct Records<'a> {
    file: &'a str,
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    separator: u8,
    record: StringRecord,
    names: Vec<String>,
    rows: usize,
    rows_max: usize,
}

/// One record and where it stands.
pub struct Record<'a> {
    file: &'a str,
    names: &'a [String],
    record: &'a StringRecord,
    /// Its line in the file, counted from 1.
    pub line: usize,
}

impl<'a> Records<'a> {
    /// Of the contents of a file, which messages call `file`. Without a separator, the most common of comma,
    /// semicolon and tab in the header.
    ///
    /// # Errors
    /// If it is no CSV file or has no header.
    pub fn open(
        file: &'a str,
        contents: &'a [u8],
        separator: Option<u8>,
        limits: &Limits,
    ) -> Result<Records<'a>> {
        let text = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
        refuse_other_formats(file, text)?;
        let separator = separator.unwrap_or_else(|| guess_separator(text));
        refuse_endless_lines(file, text, separator)?;
        let mut reader = build(text, separator);
        let header = reader.headers().map_err(|error| explain(file, text, error))?;
        let names: Vec<String> = header.iter().map(|name| name.trim().to_string()).collect();
        let rows_max = limits.rows_max;
        Ok(Records { file, text, reader, separator, record: StringRecord::new(), names, rows: 0, rows_max })
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Starts again before the first record.
    pub fn rewind(&mut self) {
        self.reader = build(self.text, self.separator);
        self.rows = 0;
    }

    /// The next record, if there is one.
    ///
    /// # Errors
    /// If it is not UTF-8, has other cells than the header, or is one too many.
    #[allow(clippy::should_implement_trait)] // it lends its record
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        let read = self.reader.read_record(&mut self.record);
        if !read.map_err(|error| explain(self.file, self.text, error))? {
            return Ok(None);
        }
        self.rows += 1;
        if self.rows > self.rows_max {
            let (rows, limit) = (self.rows, self.rows_max);
            return Err(TableError::TooManyRows { file: self.file.into(), rows, limit });
        }
        let line = line_of(self.text, self.record.position());
        Ok(Some(Record { file: self.file, names: &self.names, record: &self.record, line }))
    }
}

impl Record<'_> {
    /// The text of a cell; empty where there is none.
    pub fn cell(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default()
    }

    /// How many cells there are.
    #[allow(clippy::len_without_is_empty)] // there is at least one
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// The number in a cell; NaN where it is missing: empty, `NaN`, `NA`, `null` and the like.
    ///
    /// # Errors
    /// If it is no number, or none of single precision.
    pub fn number(&self, column: usize) -> Result<f32> {
        number(self.cell(column)).map_err(|bad| {
            let (file, row, column, value) = self.place(column);
            match bad {
                BadCell::NotANumber => TableError::BadNumber { file, row, column, value },
                BadCell::Infinite => TableError::Infinite { file, row, column, value },
            }
        })
    }

    /// File, line, name of the column and text of a cell, for messages.
    pub fn place(&self, column: usize) -> (String, usize, String, String) {
        let name = self.names.get(column).cloned().unwrap_or_default();
        (self.file.into(), self.line, name, shorten(self.cell(column)))
    }
}

fn build(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).from_reader(text)
}

fn guess_separator(text: &[u8]) -> u8 {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    // The last of equals wins: a comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// The line a record is on. The reader's position is where it began to look for the record, before any
/// empty lines and the second half of the line break before it.
fn line_of(text: &[u8], position: Option<&csv::Position>) -> usize {
    let Some(position) = position else { return 0 };
    let rest = text.get(position.byte() as usize..).unwrap_or_default();
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() as usize + breaks.filter(|byte| **byte == b'\n').count()
}

fn explain(file: &str, text: &[u8], error: csv::Error) -> TableError {
    let file = file.to_string();
    let line = line_of(text, error.position());
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            TableError::RaggedRow { file, row: line, found: *len as usize, expected: *expected_len as usize }
        }
        ErrorKind::Utf8 { .. } => TableError::NotCsv {
            file,
            reason: format!("row {line} is not UTF-8 text"),
            remedy: "save it as UTF-8",
        },
        _ => TableError::NotCsv { file, reason: error.to_string(), remedy: "give a CSV or Parquet file" },
    }
}
