//! CSV files.

use std::collections::HashMap;

use bessemer_tables::{Layout, Record, Records, TableError};

use super::columns::{self, Roles};
use super::grid::{Column, Group, assemble};
use super::{ReadOptions, Source};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::time::{TimeKind, Timestamp};

pub(super) fn read(source: &Source<'_>, contents: &[u8], options: &ReadOptions) -> Result<Frame> {
    let layout = Layout { separator: options.separator, ..Layout::default() };
    let records = Records::open(source.file, contents, layout, &options.limits())?;
    let mut table = Table { source, records };
    let mut notes = Vec::new();
    let (kind, groups) = if columns::is_series_per_row(table.records.names(), options.layout) {
        table.read_series_per_row()?
    } else {
        let roles = table.find_columns(options)?;
        notes.extend(columns::note_unused(table.records.names(), &roles));
        match roles {
            Roles::Long { id, time, target } => table.read_long(id, time, target)?,
            Roles::Wide { time, values } => table.read_wide(time, &values)?,
        }
    };
    assemble(source, kind, groups, options.frequency, notes)
}

/// The records of a file, and what the file is called.
struct Table<'a> {
    source: &'a Source<'a>,
    records: Records<'a>,
}

impl Table<'_> {
    /// Finds the columns with the help of the first row, and starts again before it.
    fn find_columns(&mut self, options: &ReadOptions) -> Result<Roles> {
        let columns = self.records.names().len();
        let Some(first) = self.records.next()? else {
            let file = self.source.file.into();
            return Err(TableError::NoRows { file, below: " below the header" }.into());
        };
        let first: Vec<String> = (0..columns).map(|column| first.cell(column).to_string()).collect();
        self.records.rewind();
        let is_date =
            |column: usize| matches!(TimeKind::detect(&first[column]), Some((TimeKind::Calendar(_), _)));
        columns::find(self.source, self.records.names(), options, is_date)
    }

    fn read_long(
        &mut self,
        id: Option<usize>,
        time_column: usize,
        target: usize,
    ) -> Result<(TimeKind, Vec<Group>)> {
        let single = columns::single_series_name(self.source, &self.records.names()[target]);
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut last = usize::MAX;
        let mut kind = None;
        while let Some(row) = self.records.next()? {
            let name = id.map_or(single.as_str(), |id| row.cell(id).trim());
            // Rows of a series mostly follow one another.
            if groups.get(last).is_none_or(|group| group.name != name) {
                if name.is_empty() {
                    return Err(empty_id(&row, id.unwrap_or(target)));
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
            let (timestamp, value) = (time(&row, time_column, &mut kind)?, row.number(target)?);
            groups[last].times.push(timestamp);
            groups[last].rows.push(row.line);
            groups[last].columns[0].values.push(value);
        }
        Ok((kind.unwrap_or(TimeKind::Integer), groups))
    }

    fn read_wide(&mut self, time_column: usize, values: &[usize]) -> Result<(TimeKind, Vec<Group>)> {
        let columns =
            values.iter().map(|column| Column::new(self.records.names()[*column].clone())).collect();
        let mut group = Group::new(self.source.stem.clone(), columns);
        let mut kind = None;
        while let Some(row) = self.records.next()? {
            group.times.push(time(&row, time_column, &mut kind)?);
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
        while let Some(row) = self.records.next()? {
            let name = row.cell(0).trim().to_string();
            if name.is_empty() {
                return Err(empty_id(&row, 0));
            }
            if let Some(first) = lines.insert(name.clone(), row.line) {
                let (file, time) = (self.source.file.into(), "its name".to_string());
                return Err(Error::DuplicateTimestamp { file, series: name, time, first, second: row.line });
            }
            // Shorter series leave the last cells of their rows empty.
            let len = (1..row.len()).rev().find(|place| !row.cell(*place).trim().is_empty()).unwrap_or(0);
            let values = (1..=len).map(|place| Ok(row.number(place)?)).collect::<Result<Vec<f32>>>()?;
            let mut group = Group::new(name.clone(), vec![Column { name, values }]);
            group.times = (1..=len as i64).collect();
            group.rows = vec![row.line; len];
            groups.push(group);
        }
        Ok((TimeKind::Integer, groups))
    }
}

/// The timestamp in a cell, which the first row decides to be a date or a whole number.
fn time(row: &Record, column: usize, kind: &mut Option<TimeKind>) -> Result<Timestamp> {
    let cell = row.cell(column);
    let parsed = match kind {
        Some(kind) => kind.parse(cell),
        None => TimeKind::detect(cell).map(|(detected, time)| {
            *kind = Some(detected);
            time
        }),
    };
    parsed.ok_or_else(|| {
        let (wanted, remedy) = TimeKind::expected(kind.as_ref());
        let (file, row, column, value) = row.place(column);
        Error::BadTimestamp { file, row, column, value, wanted, remedy }
    })
}

fn empty_id(row: &Record, column: usize) -> Error {
    let (file, row, column, _) = row.place(column);
    Error::EmptyId { file, row, column }
}
