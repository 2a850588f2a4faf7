//! CSV files.

use std::collections::HashMap;

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::cell::{BadCell, number};
use super::columns::{self, Roles};
use super::grid::{Column, Group, assemble};
use super::{ReadOptions, Source};
use crate::error::{Error, Result, shorten};
use crate::frame::Frame;
use crate::time::{TimeKind, Timestamp};

pub(super) fn read(source: &Source<'_>, contents: &[u8], options: &ReadOptions) -> Result<Frame> {
    let text = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
    refuse_other_formats(source, text)?;
    let mut table = Table::open(source, text, options)?;
    let mut notes = Vec::new();
    let (kind, groups) = if columns::is_series_per_row(&table.names, options.layout) {
        table.read_series_per_row()?
    } else {
        let roles = table.find_columns(options)?;
        notes.extend(columns::note_unused(&table.names, &roles));
        match roles {
            Roles::Long { id, time, target } => table.read_long(id, time, target)?,
            Roles::Wide { time, values } => table.read_wide(time, &values)?,
        }
    };
    assemble(source, kind, groups, options.frequency, notes)
}

/// Names what is often given in place of a CSV file.
fn refuse_other_formats(source: &Source<'_>, text: &[u8]) -> Result<()> {
    let file = source.file.to_string();
    let start = &text[..text.len().min(8192)];
    let (reason, remedy) = if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::NoRows { file, below: "" });
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
    Err(Error::NotCsv { file, reason: reason.into(), remedy })
}

/// The most cells in a row: the reader takes a row in whole, and each cell costs it ten times its separator.
const CELLS_MAX: usize = 1 << 20;

fn refuse_endless_lines(source: &Source<'_>, text: &[u8], separator: u8) -> Result<()> {
    // A line of so many cells has no break in at least one of these pieces, and hardly a file has one such.
    if text.chunks_exact(CELLS_MAX / 2).all(|piece| piece.contains(&b'\n')) {
        return Ok(());
    }
    let is_endless = |line: &[u8]| line.iter().filter(|byte| **byte == separator).count() >= CELLS_MAX;
    match text.split(|byte| *byte == b'\n').position(is_endless) {
        None => Ok(()),
        Some(line) => Err(Error::TooManyCells { file: source.file.into(), row: line + 1, limit: CELLS_MAX }),
    }
}

/// The records of a file, one at a time.
struct Table<'a> {
    source: &'a Source<'a>,
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    separator: u8,
    record: StringRecord,
    names: Vec<String>,
    rows: usize,
    rows_max: usize,
}

/// One record and where it stands.
struct Row<'a> {
    source: &'a Source<'a>,
    names: &'a [String],
    record: &'a StringRecord,
    line: usize,
}

impl<'a> Table<'a> {
    fn open(source: &'a Source<'a>, text: &'a [u8], options: &ReadOptions) -> Result<Table<'a>> {
        let separator = options.separator.unwrap_or_else(|| guess_separator(text));
        refuse_endless_lines(source, text, separator)?;
        let mut reader = build(text, separator);
        let header = reader.headers().map_err(|error| explain(source, text, error))?;
        let names: Vec<String> = header.iter().map(|name| name.trim().to_string()).collect();
        let rows_max = options.rows_max;
        Ok(Table { source, text, reader, separator, record: StringRecord::new(), names, rows: 0, rows_max })
    }

    /// Finds the columns with the help of the first row, and starts again before it.
    fn find_columns(&mut self, options: &ReadOptions) -> Result<Roles> {
        let Some(first) = self.next_row()?.map(|row| row.record.clone()) else {
            return Err(Error::NoRows { file: self.source.file.into(), below: " below the header" });
        };
        self.reader = build(self.text, self.separator);
        self.rows = 0;
        let cell = |column| first.get(column).unwrap_or_default();
        let is_date = |column| matches!(TimeKind::detect(cell(column)), Some((TimeKind::Calendar(_), _)));
        columns::find(self.source, &self.names, options, is_date)
    }

    fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        if !self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| explain(self.source, self.text, error))?
        {
            return Ok(None);
        }
        self.rows += 1;
        if self.rows > self.rows_max {
            let (rows, limit) = (self.rows, self.rows_max);
            return Err(Error::TooManyRows { file: self.source.file.into(), rows, limit });
        }
        let line = line_of(self.text, self.record.position());
        Ok(Some(Row { source: self.source, names: &self.names, record: &self.record, line }))
    }

    fn read_long(&mut self, id: Option<usize>, time: usize, target: usize) -> Result<(TimeKind, Vec<Group>)> {
        let single = columns::single_series_name(self.source, &self.names[target]);
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut last = usize::MAX;
        let mut kind = None;
        while let Some(row) = self.next_row()? {
            let name = id.map_or(single.as_str(), |id| row.cell(id).trim());
            // Rows of a series mostly follow one another.
            if groups.get(last).is_none_or(|group| group.name != name) {
                if name.is_empty() {
                    return Err(row.empty_id(id.unwrap_or(target)));
                }
                last = match places.get(name) {
                    Some(place) => *place,
                    None => {
                        places.insert(name.to_string(), groups.len());
                        groups.push(Group::new(name.to_string(), vec![Column::new(name.to_string())]));
                        groups.len() - 1
                    }
                };
            }
            let (timestamp, value) = (row.time(time, &mut kind)?, row.number(target)?);
            groups[last].times.push(timestamp);
            groups[last].rows.push(row.line);
            groups[last].columns[0].values.push(value);
        }
        Ok((kind.unwrap_or(TimeKind::Integer), groups))
    }

    fn read_wide(&mut self, time: usize, values: &[usize]) -> Result<(TimeKind, Vec<Group>)> {
        let columns = values.iter().map(|column| Column::new(self.names[*column].clone())).collect();
        let mut group = Group::new(self.source.stem.clone(), columns);
        let mut kind = None;
        while let Some(row) = self.next_row()? {
            group.times.push(row.time(time, &mut kind)?);
            group.rows.push(row.line);
            for (column, place) in group.columns.iter_mut().zip(values) {
                column.values.push(row.number(*place)?);
            }
        }
        Ok((kind.unwrap_or(TimeKind::Integer), vec![group]))
    }

    fn read_series_per_row(&mut self) -> Result<(TimeKind, Vec<Group>)> {
        let mut groups: Vec<Group> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        while let Some(row) = self.next_row()? {
            let name = row.cell(0).trim().to_string();
            if name.is_empty() {
                return Err(row.empty_id(0));
            }
            if let Some(first) = lines.insert(name.clone(), row.line) {
                let (file, time) = (row.source.file.into(), "its name".to_string());
                return Err(Error::DuplicateTimestamp { file, series: name, time, first, second: row.line });
            }
            // Shorter series leave the last cells of their rows empty.
            let len =
                (1..row.record.len()).rev().find(|place| !row.cell(*place).trim().is_empty()).unwrap_or(0);
            let values = (1..=len).map(|place| row.number(place)).collect::<Result<Vec<f32>>>()?;
            let mut group = Group::new(name.clone(), vec![Column { name, values }]);
            group.times = (1..=len as i64).collect();
            group.rows = vec![row.line; len];
            groups.push(group);
        }
        Ok((TimeKind::Integer, groups))
    }
}

impl Row<'_> {
    fn cell(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default()
    }

    fn number(&self, column: usize) -> Result<f32> {
        number(self.cell(column)).map_err(|bad| {
            let (file, row, column, value) = self.place(column);
            match bad {
                BadCell::NotANumber => Error::BadNumber { file, row, column, value },
                BadCell::Infinite => Error::Infinite { file, row, column, value },
            }
        })
    }

    /// The timestamp, which the first row decides to be a date or a whole number.
    fn time(&self, column: usize, kind: &mut Option<TimeKind>) -> Result<Timestamp> {
        let cell = self.cell(column);
        let parsed = match kind {
            Some(kind) => kind.parse(cell),
            None => TimeKind::detect(cell).map(|(detected, time)| {
                *kind = Some(detected);
                time
            }),
        };
        parsed.ok_or_else(|| {
            let (wanted, remedy) = TimeKind::expected(kind.as_ref());
            let (file, row, column, value) = self.place(column);
            Error::BadTimestamp { file, row, column, value, wanted, remedy }
        })
    }

    fn empty_id(&self, column: usize) -> Error {
        let (file, row, column, _) = self.place(column);
        Error::EmptyId { file, row, column }
    }

    fn place(&self, column: usize) -> (String, usize, String, String) {
        let name = self.names.get(column).cloned().unwrap_or_default();
        (self.source.file.into(), self.line, name, shorten(self.cell(column)))
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

fn explain(source: &Source<'_>, text: &[u8], error: csv::Error) -> Error {
    let file = source.file.to_string();
    let line = line_of(text, error.position());
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Error::RaggedRow { file, row: line, found: *len as usize, expected: *expected_len as usize }
        }
        ErrorKind::Utf8 { .. } => Error::NotCsv {
            file,
            reason: format!("row {line} is not UTF-8 text"),
            remedy: "save it as UTF-8",
        },
        _ => Error::NotCsv { file, reason: error.to_string(), remedy: "give a CSV or Parquet file" },
    }
}
