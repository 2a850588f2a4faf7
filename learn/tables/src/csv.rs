//! CSV files, a record at a time.

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use crate::cell::{BadCell, double, number};
use crate::contents::Limits;
use crate::error::{Needed, Result, TableError, shorten};

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

/// How the lines of a file are to be read.
///
/// ```
/// use bessemer_tables::{Layout, Limits, Names, Records};
///
/// let layout = Layout { comment: Some(b'#'), names: Names::Guessed, ..Layout::default() };
/// let records = Records::open("a.csv", b"# by hand\n1,2,x\n", layout, &Limits::default())?;
/// assert_eq!((records.names(), records.has_names()), (&["1", "2", "3"].map(String::from)[..], false));
/// # Ok::<(), bessemer_tables::TableError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// What is between cells. `None`: the most common of comma, semicolon and tab in the first line.
    pub separator: Option<u8>,
    /// What lines begin with that are left out.
    pub comment: Option<u8>,
    /// Where the names of the columns are.
    pub names: Names,
}

/// Where the names of the columns are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// In the first line.
    #[default]
    First,
    /// Nowhere: columns are named by their numbers, from 1.
    Numbered,
    /// In the first line, unless a cell of it, the last apart, is a number.
    Guessed,
}

/// The records of a CSV file, one at a time.
pub struct Records<'a> {
    file: &'a str,
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// Without anything left to choose.
    form: Form,
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
    /// Of the contents of a file, which messages call `file`.
    ///
    /// # Errors
    /// If it is no CSV file or has no first line.
    pub fn open(file: &'a str, contents: &'a [u8], layout: Layout, limits: &Limits) -> Result<Records<'a>> {
        let text = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
        refuse_other_formats(file, text)?;
        let Layout { separator, comment, names } = layout;
        let separator = separator.unwrap_or_else(|| guess_separator(text, comment));
        refuse_endless_lines(file, text, separator)?;
        let mut form = Form { separator, comment, has_names: false };
        let mut reader = form.reader(text);
        let first = reader.headers().map_err(|error| form.explain(file, text, error))?;
        if first.is_empty() {
            return Err(TableError::NoRows { file: file.into(), below: "" });
        }
        form.has_names = match names {
            Names::First => true,
            Names::Numbered => false,
            Names::Guessed => {
                !first.iter().take(first.len() - 1).any(|cell| cell.trim().parse::<f32>().is_ok())
            }
        };
        let names: Vec<String> = match form.has_names {
            true => first.iter().map(|name| name.trim().to_string()).collect(),
            false => (1..=first.len()).map(|number| number.to_string()).collect(),
        };
        let (reader, rows_max) = (form.reader(text), limits.rows_max);
        Ok(Records { file, text, reader, form, record: StringRecord::new(), names, rows: 0, rows_max })
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether these are those of the file, and not numbers in their place.
    pub fn has_names(&self) -> bool {
        self.form.has_names
    }

    /// Starts again before the first record.
    pub fn rewind(&mut self) {
        self.reader = self.form.reader(self.text);
        self.rows = 0;
    }

    /// The next record, if there is one.
    ///
    /// # Errors
    /// If it is not UTF-8, has other cells than the header, or is one too many.
    #[allow(clippy::should_implement_trait)] // it lends its record
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        let read = self.reader.read_record(&mut self.record);
        if !read.map_err(|error| self.form.explain(self.file, self.text, error))? {
            return Ok(None);
        }
        self.rows += 1;
        if self.rows > self.rows_max {
            let (rows, limit) = (self.rows, self.rows_max);
            return Err(TableError::TooManyRows { file: self.file.into(), rows, limit });
        }
        let line = self.form.line_of(self.text, self.record.position());
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

    /// The number in a cell, where none may be missing.
    ///
    /// # Errors
    /// If there is none of single precision.
    pub fn present(&self, column: usize) -> Result<f32> {
        match number(self.cell(column)) {
            Ok(value) if !value.is_nan() => Ok(value),
            bad => Err(self.needed(column, Needed::of(bad.err()))),
        }
    }

    /// Likewise in double precision: columns such as times can be far from 0 beside what their numbers differ by.
    ///
    /// # Errors
    /// If there is none, or one beyond what single precision reaches.
    pub fn double(&self, column: usize) -> Result<f64> {
        match double(self.cell(column)) {
            Ok(value) if !value.is_nan() => Ok(value),
            bad => Err(self.needed(column, Needed::of(bad.err()))),
        }
    }

    fn needed(&self, column: usize, problem: Needed) -> TableError {
        let (file, row, column, value) = self.place(column);
        TableError::Needed { file, row, column, value, problem }
    }

    /// The text of a cell without the blanks around it, where none may be missing.
    ///
    /// # Errors
    /// If it is empty.
    pub fn text(&self, column: usize) -> Result<&str> {
        let text = self.cell(column).trim();
        if text.is_empty() {
            return Err(self.needed(column, Needed::Missing));
        }
        Ok(text)
    }

    /// File, line, name of the column and text of a cell, for messages.
    pub fn place(&self, column: usize) -> (String, usize, String, String) {
        let name = self.names.get(column).cloned().unwrap_or_default();
        (self.file.into(), self.line, name, shorten(self.cell(column)))
    }
}

/// What the reader is told of a file.
#[derive(Clone, Copy)]
struct Form {
    separator: u8,
    comment: Option<u8>,
    has_names: bool,
}

impl Form {
    fn reader(self, text: &[u8]) -> csv::Reader<&[u8]> {
        let mut reader = ReaderBuilder::new()
            .delimiter(self.separator)
            .comment(self.comment)
            .has_headers(self.has_names)
            .from_reader(text);
        if self.has_names {
            // Left to the first record, names would be counted as its lines. That they can be read is known.
            _ = reader.headers();
        }
        reader
    }

    /// The line a record is on. The reader's position is where it began to look for the record, before any
    /// empty lines, comments and the second half of the line break before it.
    fn line_of(self, text: &[u8], position: Option<&csv::Position>) -> usize {
        let Some(position) = position else { return 0 };
        let mut rest = text.get(position.byte() as usize..).unwrap_or_default();
        let mut line = position.line() as usize;
        while let Some((byte, after)) = rest.split_first() {
            rest = match byte {
                b'\n' => {
                    line += 1;
                    after
                }
                b'\r' => after,
                byte if Some(*byte) == self.comment => {
                    &rest[rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())..]
                }
                _ => break,
            };
        }
        line
    }

    fn explain(self, file: &str, text: &[u8], error: csv::Error) -> TableError {
        let file = file.to_string();
        let line = self.line_of(text, error.position());
        match error.kind() {
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                let (found, expected) = (*len as usize, *expected_len as usize);
                let first = if self.has_names { "header" } else { "first row" };
                TableError::RaggedRow { file, row: line, found, first, expected }
            }
            ErrorKind::Utf8 { .. } => TableError::NotCsv {
                file,
                reason: format!("row {line} is not UTF-8 text"),
                remedy: "save it as UTF-8",
            },
            _ => TableError::NotCsv { file, reason: error.to_string(), remedy: "give a CSV or Parquet file" },
        }
    }
}

fn guess_separator(text: &[u8], comment: Option<u8>) -> u8 {
    let mut lines = text.split(|byte| *byte == b'\n');
    let is_comment = |line: &[u8]| comment.is_some() && line.first() == comment.as_ref();
    let first = lines.find(|line| !(line.is_empty() || *line == b"\r" || is_comment(line)));
    let count = |separator: &u8| first.unwrap_or_default().iter().filter(|byte| *byte == separator).count();
    // The last of equals wins: a comma.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESSED: Layout = Layout { separator: None, comment: Some(b'#'), names: Names::Guessed };

    /// The names, and for each record its line and its cells; or what is said.
    fn read(text: &str, layout: Layout) -> Result<(Vec<String>, Vec<String>), String> {
        let said = |error: TableError| error.to_string();
        let mut records =
            Records::open("a.csv", text.as_bytes(), layout, &Limits::default()).map_err(said)?;
        let mut lines = Vec::new();
        while let Some(record) = records.next().map_err(said)? {
            let cells: Vec<&str> = (0..record.len()).map(|column| record.cell(column)).collect();
            lines.push(format!("{}: {}", record.line, cells.join("|")));
        }
        Ok((records.names().to_vec(), lines))
    }

    #[test]
    fn names_are_where_they_are_said_to_be() {
        let numbered = Layout { names: Names::Numbered, ..GUESSED };
        let first = Layout { names: Names::First, ..GUESSED };
        for (text, layout, names, lines) in [
            ("x,kind\n1,a\n", GUESSED, ["x", "kind"], &["2: 1|a"][..]),
            ("1,a\n2,b\n", GUESSED, ["1", "2"], &["1: 1|a", "2: 2|b"]),
            ("x,kind\n1,a\n", numbered, ["1", "2"], &["1: x|kind", "2: 1|a"]),
            ("0,1\n5,6\n", first, ["0", "1"], &["2: 5|6"]),
            (
                "# one, two; three\n\n\n# more\nx;y\n#\n1;2\n\n#\n3;4",
                GUESSED,
                ["x", "y"],
                &["7: 1|2", "10: 3|4"],
            ),
            ("x,y\n#1,2\n", Layout::default(), ["x", "y"], &["2: #1|2"]),
        ] {
            let names = names.map(String::from).to_vec();
            let lines = lines.iter().map(|line| line.to_string()).collect();
            assert_eq!(read(text, layout), Ok((names, lines)), "{text:?}");
        }
        let said = |text| read(text, GUESSED).unwrap_err();
        assert!(said("# nothing\n#\n").contains("no rows of data"));
        assert!(said("# ragged\n1,2\n\n3\n").contains("row 4: 1 cells, but the first row has 2"));
        assert!(said("x,y\n3\n").contains("row 2: 1 cells, but the header has 2"));
    }

    #[test]
    fn what_may_not_be_missing_is_named_with_its_place() {
        let mut records =
            Records::open("a.csv", b"x,y\n 1 , b\n,\nnan,\n1e99,\none,", GUESSED, &Limits::default())
                .unwrap();
        let record = records.next().unwrap().unwrap();
        assert_eq!((record.present(0).unwrap(), record.text(1).unwrap()), (1.0, "b"));
        for (row, value, problem) in [
            (3, "\"\"", "is missing; fill it in"),
            (4, "\"nan\"", "is missing; fill it in"),
            (5, "\"1e99\"", "is infinite or beyond single precision; correct it"),
            (6, "\"one\"", "is not a number; write it with a decimal point"),
        ] {
            let record = records.next().unwrap().unwrap();
            let said = record.present(0).unwrap_err().to_string();
            assert_eq!(
                said,
                format!(
                    "`a.csv`: row {row}, column `x`: {value} {problem}, or leave the row or the column out"
                )
            );
            assert!(record.text(1).unwrap_err().to_string().contains("column `y`: \"\" is missing"));
        }
    }
}
