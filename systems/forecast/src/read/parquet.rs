//! Parquet files.

use std::collections::HashMap;
use std::fs::File;

use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::{DataType, Field, TimeUnit};
use bessemer_tables::TableError;
use bessemer_tables::parquet::{self, Batch, is_text, numbers, schema, show, value_type};

use super::columns::{self, Roles};
use super::grid::{Column, Group, assemble};
use super::{ReadOptions, Source};
use crate::error::{Error, Result};
use crate::frame::{Frame, Note};
use crate::time::{DAY, Precision, TimeKind, TimeStyle, Timestamp};

pub(super) fn read(source: &Source<'_>, file: File, options: &ReadOptions) -> Result<Frame> {
    let (builder, rows) = schema(source.file, file)?;
    let fields: Vec<Field> = builder.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let is_date = |column: usize| fields.get(column).is_some_and(|field| is_calendar(field.data_type()));
    let roles = columns::find(source, &names, options, is_date)?;
    let used: Vec<usize> = match &roles {
        Roles::Long { id, time, target } => [Some(*time), Some(*target), *id].into_iter().flatten().collect(),
        Roles::Wide { time, values } => std::iter::once(*time).chain(values.iter().copied()).collect(),
    };
    let mut batches = parquet::columns(source.file, builder, rows, &used, &options.limits())?;

    let mut table = Table { source, names: &names, kind: None };
    let mut long = LongRows::default();
    let mut wide = match &roles {
        Roles::Wide { values, .. } => {
            let columns = values.iter().map(|column| Column::new(names[*column].clone())).collect();
            Group::new(source.stem.clone(), columns)
        }
        _ => Group::new(String::new(), vec![]),
    };
    while let Some(batch) = batches.next()? {
        match &roles {
            Roles::Long { id, time, target } => table.take_long(&batch, *id, *time, *target, &mut long)?,
            Roles::Wide { time, values } => table.take_wide(&batch, *time, values, &mut wide)?,
        }
    }
    let time = match roles {
        Roles::Long { time, .. } | Roles::Wide { time, .. } => time,
    };
    let zone = match fields[time].data_type() {
        DataType::Timestamp(_, Some(zone)) if !is_utc(zone) => {
            Some(Note::TimeZone { zone: zone.to_string() })
        }
        _ => None,
    };
    let notes = columns::note_unused(&names, &roles).into_iter().chain(zone).collect();
    let groups = if matches!(roles, Roles::Long { .. }) { long.groups } else { vec![wide] };
    let kind = refine(table.kind.unwrap_or(TimeKind::Integer), &groups);
    assemble(source, kind, groups, options.frequency, notes)
}

/// Dates that a file stores as moments at midnight are written back as dates.
fn refine(kind: TimeKind, groups: &[Group]) -> TimeKind {
    match kind {
        TimeKind::Calendar(style)
            if groups.iter().all(|group| group.times.iter().all(|time| time.rem_euclid(DAY) == 0)) =>
        {
            TimeKind::Calendar(TimeStyle { precision: style.precision.min(Precision::Day), ..style })
        }
        kind => kind,
    }
}

#[derive(Default)]
struct LongRows {
    groups: Vec<Group>,
    places: HashMap<String, usize>,
}

struct Table<'a> {
    source: &'a Source<'a>,
    names: &'a [String],
    kind: Option<TimeKind>,
}

impl Table<'_> {
    fn take_long(
        &mut self,
        batch: &Batch<'_>,
        id: Option<usize>,
        time: usize,
        target: usize,
        long: &mut LongRows,
    ) -> Result<()> {
        let times = self.times(batch, time)?;
        let values = self.numbers(batch, target)?;
        let ids = id.map(|id| self.texts(batch, id, "text or whole numbers")).transpose()?;
        let ids = ids.as_ref().map(|ids| ids.as_string::<i32>());
        let single = columns::single_series_name(self.source, &self.names[target]);
        let mut last = usize::MAX;
        for (row, (timestamp, value)) in times.into_iter().zip(values).enumerate() {
            let name = match ids {
                None => single.as_str(),
                Some(ids) if ids.is_null(row) => "",
                Some(ids) => ids.value(row),
            };
            if long.groups.get(last).is_none_or(|group| group.name != name) {
                if name.is_empty() {
                    let (file, column) = (self.source.file.into(), self.names[id.unwrap_or(target)].clone());
                    return Err(Error::EmptyId { file, row: batch.before + row + 1, column });
                }
                last = match long.places.get(name) {
                    Some(place) => *place,
                    None => {
                        long.places.insert(name.to_string(), long.groups.len());
                        long.groups.push(Group::new(name.to_string(), vec![Column::new(name.to_string())]));
                        long.groups.len() - 1
                    }
                };
            }
            let group = &mut long.groups[last];
            group.times.push(timestamp);
            group.rows.push(batch.before + row + 1);
            group.columns[0].values.push(value);
        }
        Ok(())
    }

    fn take_wide(
        &mut self,
        batch: &Batch<'_>,
        time: usize,
        values: &[usize],
        group: &mut Group,
    ) -> Result<()> {
        group.times.extend(self.times(batch, time)?);
        group.rows.extend((1..=batch.rows()).map(|row| batch.before + row));
        for (column, place) in group.columns.iter_mut().zip(values) {
            column.values.extend(self.numbers(batch, *place)?);
        }
        Ok(())
    }

    fn cast(&self, array: &ArrayRef, column: usize, to: &DataType, wanted: &'static str) -> Result<ArrayRef> {
        arrow_cast::cast(array, to).map_err(|_| self.wrong_type(array, column, wanted))
    }

    fn wrong_type(&self, array: &ArrayRef, column: usize, wanted: &'static str) -> Error {
        let found = array.data_type().to_string();
        let (file, column) = (self.source.file.into(), self.names[column].clone());
        TableError::ColumnType { file, column, found, wanted }.into()
    }

    fn texts(&self, batch: &Batch<'_>, column: usize, wanted: &'static str) -> Result<ArrayRef> {
        let is_wanted = |kind: &DataType| is_text(kind) || kind.is_integer();
        let (file, name) = (self.source.file, &self.names[column]);
        Ok(parquet::texts(file, batch.column(column), name, is_wanted, wanted)?)
    }

    /// The values of a column; NaN where missing.
    fn numbers(&self, batch: &Batch<'_>, column: usize) -> Result<Vec<f32>> {
        Ok(numbers(self.source.file, batch.column(column), &self.names[column], batch.before)?)
    }

    fn times(&mut self, batch: &Batch<'_>, column: usize) -> Result<Vec<Timestamp>> {
        let array = batch.column(column);
        let wanted = "a date, a time or a whole number";
        let kind = array.data_type();
        if is_text(value_type(kind)) {
            return self.parse_times(batch, column);
        }
        let cast = if is_calendar(kind) {
            let utc = matches!(kind, DataType::Timestamp(_, Some(_)));
            let style = TimeStyle { precision: Precision::Second, utc, ..TimeStyle::default() };
            self.kind = Some(TimeKind::Calendar(style));
            let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
            let cast = self.cast(array, column, &micros, wanted)?;
            cast.as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<Option<i64>>>()
        } else if kind.is_integer() {
            self.kind = Some(TimeKind::Integer);
            let cast = self.cast(array, column, &DataType::Int64, wanted)?;
            cast.as_primitive::<Int64Type>().iter().collect()
        } else {
            return Err(self.wrong_type(array, column, wanted));
        };
        let row = |row: usize| self.bad_time(array, batch.before, row, column);
        cast.into_iter().enumerate().map(|(place, time)| time.ok_or_else(|| row(place))).collect()
    }

    fn parse_times(&mut self, batch: &Batch<'_>, column: usize) -> Result<Vec<Timestamp>> {
        let array = self.texts(batch, column, "a date")?;
        let texts = array.as_string::<i32>();
        let mut times = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let parsed = text.and_then(|text| match self.kind {
                Some(kind) => kind.parse(text),
                None => TimeKind::detect(text).map(|(kind, time)| {
                    self.kind = Some(kind);
                    time
                }),
            });
            times.push(parsed.ok_or_else(|| self.bad_time(&array, batch.before, row, column))?);
        }
        Ok(times)
    }

    fn bad_time(&self, array: &ArrayRef, before: usize, row: usize, column: usize) -> Error {
        let (wanted, remedy) = TimeKind::expected(self.kind.as_ref());
        let (file, row_number, column) =
            (self.source.file.into(), before + row + 1, self.names[column].clone());
        Error::BadTimestamp { file, row: row_number, column, value: show(array, row), wanted, remedy }
    }
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "Etc/UTC", "Z", "+00:00"].contains(&zone)
}

fn is_calendar(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}
