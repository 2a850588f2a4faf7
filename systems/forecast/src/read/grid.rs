//! From rows as they come to series on a regular grid.

use bessemer_tables::TableError;

use super::Source;
use crate::error::{Error, Result};
use crate::frame::{Frame, Note, Series};
use crate::frequency::Frequency;
use crate::time::{TimeKind, Timestamp};

/// Rows that share their times: one series of a long file, or all of a wide one.
pub(super) struct Group {
    pub name: String,
    pub times: Vec<Timestamp>,
    /// Where each stands in the file.
    pub rows: Vec<usize>,
    pub columns: Vec<Column>,
}

/// The values of a series at the times of its group; NaN where missing.
pub(super) struct Column {
    pub name: String,
    pub values: Vec<f32>,
}

impl Column {
    pub fn new(name: String) -> Column {
        Column { name, values: Vec::new() }
    }
}

impl Group {
    pub fn new(name: String, columns: Vec<Column>) -> Group {
        Group { name, times: Vec::new(), rows: Vec::new(), columns }
    }

    /// Puts the rows in the order of time; whether they were not.
    fn sort(&mut self) -> bool {
        if self.times.is_sorted() {
            return false;
        }
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by_key(|place| self.times[*place]); // stable, so duplicates are named in file order
        self.times = order.iter().map(|place| self.times[*place]).collect();
        self.rows = order.iter().map(|place| self.rows[*place]).collect();
        for column in &mut self.columns {
            column.values = order.iter().map(|place| column.values[*place]).collect();
        }
        true
    }
}

/// Builds the frame: sorts, finds the frequency, and masks the gaps.
pub(super) fn assemble(
    source: &Source<'_>,
    kind: TimeKind,
    mut groups: Vec<Group>,
    frequency: Option<Frequency>,
    mut notes: Vec<Note>,
) -> Result<Frame> {
    groups.retain(|group| !group.times.is_empty());
    if groups.is_empty() {
        let file = source.file.into();
        return Err(TableError::NoRows { file, below: " below the header" }.into());
    }
    let sorted = groups.iter_mut().filter_map(|group| group.sort().then_some(())).count();
    if sorted > 0 {
        notes.push(Note::Sorted { series: sorted });
    }
    for group in &groups {
        refuse_duplicates(source, &kind, group)?;
    }
    let frequency = match frequency {
        Some(frequency) => given_frequency(source, &kind, frequency, &groups)?,
        None => {
            let times: Vec<&[Timestamp]> = groups.iter().map(|group| group.times.as_slice()).collect();
            let frequency = Frequency::infer(&kind, &times)
                .ok_or_else(|| Error::FrequencyUnknown { file: source.file.into() })?;
            notes.push(Note::FrequencyInferred { frequency });
            frequency
        }
    };
    let mut gaps = Gaps::new(frequency);
    let cells: usize = groups.iter().map(|group| group.times.len() * group.columns.len()).sum();
    let mut budget = allowed(cells);
    let mut series = Vec::with_capacity(groups.iter().map(|group| group.columns.len()).sum());
    for group in groups {
        let places = places_on_grid(source, &kind, frequency, &group, &mut budget)?;
        let steps = places.as_ref().map_or(0, |places| places[places.len() - 1] + 1 - group.times.len());
        for column in group.columns {
            let empty = column.values.iter().filter(|value| value.is_nan()).count();
            gaps.note(&column.name, steps, empty, &mut notes);
            let values = match &places {
                None => column.values,
                Some(places) => {
                    let mut values = vec![f32::NAN; places[places.len() - 1] + 1];
                    for (place, value) in places.iter().zip(&column.values) {
                        values[*place] = *value;
                    }
                    values
                }
            };
            series.push(Series::new(column.name, group.times[0], values));
        }
    }
    gaps.finish(&mut notes);
    Ok(Frame { series, frequency, time: kind, notes })
}

fn refuse_duplicates(source: &Source<'_>, kind: &TimeKind, group: &Group) -> Result<()> {
    match group.times.windows(2).position(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(place) => Err(Error::DuplicateTimestamp {
            file: source.file.into(),
            series: group.name.clone(),
            time: kind.format(group.times[place]),
            first: group.rows[place],
            second: group.rows[place + 1],
        }),
    }
}

fn given_frequency(
    source: &Source<'_>,
    kind: &TimeKind,
    frequency: Frequency,
    groups: &[Group],
) -> Result<Frequency> {
    if !frequency.fits(kind) {
        let remedy = match kind {
            TimeKind::Integer => "give a whole number, such as 1",
            TimeKind::Calendar(_) => "give a name such as `h`, `D` or `MS`",
        };
        let (file, frequency) = (source.file.into(), frequency.to_string());
        return Err(Error::FrequencyKind { file, frequency, kind: kind.describe(), remedy });
    }
    let times: Vec<&[Timestamp]> = groups.iter().map(|group| group.times.as_slice()).collect();
    Ok(frequency.anchored(&times))
}

/// The most steps that so many cells may be spread over: one wrong year in an hourly file must not ask for
/// all memory.
fn allowed(cells: usize) -> usize {
    cells.saturating_mul(100).saturating_add(10_000)
}

/// The step of each row after the first; `None` where there is no gap. What is allocated for gaps is taken
/// from `budget`.
fn places_on_grid(
    source: &Source<'_>,
    kind: &TimeKind,
    frequency: Frequency,
    group: &Group,
    budget: &mut usize,
) -> Result<Option<Vec<usize>>> {
    let start = group.times[0];
    let rows = group.times.len();
    let mut places = Vec::with_capacity(rows);
    for (time, row) in group.times.iter().zip(&group.rows) {
        let (file, series, row) = (source.file, &group.name, *row);
        // Sorted without duplicates, so the steps are not negative.
        let Some(steps) = frequency.steps_between(start, *time).and_then(|steps| usize::try_from(steps).ok())
        else {
            return Err(Error::OffGrid {
                file: file.into(),
                row,
                series: series.clone(),
                time: kind.format(*time),
                start: kind.format(start).into(),
                frequency,
            });
        };
        let too_many =
            |steps: &usize| *steps >= allowed(rows) || steps.saturating_mul(group.columns.len()) >= *budget;
        if too_many(&steps) {
            return Err(Error::GapTooLarge {
                file: file.into(),
                row,
                series: series.clone(),
                time: kind.format(*time),
                frequency,
                steps: steps as u64,
                rows,
            });
        }
        places.push(steps);
    }
    let len = places[rows - 1] + 1;
    *budget = budget.saturating_sub(len * group.columns.len());
    Ok((len > rows).then_some(places))
}

/// Notes of what is missing: in full for the first few series, in sum for the others.
struct Gaps {
    frequency: Frequency,
    shown: usize,
    more_series: usize,
    more_values: usize,
}

impl Gaps {
    const SHOWN_MAX: usize = 10;

    fn new(frequency: Frequency) -> Gaps {
        Gaps { frequency, shown: 0, more_series: 0, more_values: 0 }
    }

    fn note(&mut self, series: &str, steps: usize, values: usize, notes: &mut Vec<Note>) {
        if steps + values == 0 {
            return;
        }
        if self.shown == Self::SHOWN_MAX {
            self.more_series += 1;
            self.more_values += steps + values;
            return;
        }
        self.shown += 1;
        let series = series.to_string();
        if steps > 0 {
            notes.push(Note::MissingSteps { series: series.clone(), steps, frequency: self.frequency });
        }
        if values > 0 {
            notes.push(Note::MissingValues { series, values });
        }
    }

    fn finish(self, notes: &mut Vec<Note>) {
        if self.more_series > 0 {
            notes.push(Note::MissingInMore { series: self.more_series, values: self.more_values });
        }
    }
}
