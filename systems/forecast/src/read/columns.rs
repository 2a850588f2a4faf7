//! Which columns of a file hold what.

use std::collections::HashSet;

use super::{Layout, ReadOptions, Source};
use crate::error::{Error, Result};
use crate::frame::Note;

const ID: [&str; 5] = ["unique_id", "item_id", "id", "series_id", "series"];
const TIME: [&str; 5] = ["ds", "timestamp", "date", "datetime", "time"];
/// Names a time column may also have, where no value is looked for by name.
const WIDE_TIME: [&str; 9] = ["month", "year", "quarter", "week", "day", "hour", "step", "period", "index"];
const TARGET: [&str; 3] = ["y", "target", "value"];

/// The places of the columns that are read.
#[derive(Debug, PartialEq)]
pub(super) enum Roles {
    Long { id: Option<usize>, time: usize, target: usize },
    Wide { time: usize, values: Vec<usize> },
}

/// Whether each row of a text file is a series, as in the M4 competition.
pub(super) fn is_series_per_row(names: &[String], layout: Layout) -> bool {
    match layout {
        Layout::SeriesPerRow => true,
        Layout::Auto => matches!(names, [first, second, ..] if first == "V1" && second == "V2"),
        Layout::Long | Layout::Wide => false,
    }
}

/// What is looked for in a header.
struct Wanted<'a> {
    role: &'static str,
    option: &'a Option<String>,
    option_name: &'static str,
    usual: &'static [&'static str],
}

/// Finds the columns of a file in which a row is a time. `is_date` tells whether a column's first cell is a
/// date.
pub(super) fn find(
    source: &Source<'_>,
    names: &[String],
    options: &ReadOptions,
    is_date: impl Fn(usize) -> bool,
) -> Result<Roles> {
    let header = Header { source, names };
    let id = Wanted { role: "id", option: &options.id, option_name: "id", usual: &ID };
    let time = Wanted { role: "time", option: &options.time, option_name: "time", usual: &TIME };
    let target = Wanted { role: "target", option: &options.target, option_name: "target", usual: &TARGET };
    let layout = match options.layout {
        Layout::Auto | Layout::SeriesPerRow => {
            let is_named = options.id.is_some() || options.target.is_some();
            let has_two = [&id, &target].iter().any(|wanted| header.usual(wanted.usual).is_some())
                && (options.time.is_some() || header.usual(&TIME).or(header.usual(&WIDE_TIME)).is_some());
            if is_named || has_two { Layout::Long } else { Layout::Wide }
        }
        layout => layout,
    };
    if layout == Layout::Wide {
        let time = header.resolve(&time, header.usual(&WIDE_TIME).or_else(|| is_date(0).then_some(0)))?;
        // A column without a name is the index of whatever wrote the file.
        let is_named = |column: usize| !names[column].trim().is_empty();
        let values: Vec<usize> = (0..names.len()).filter(|c| *c != time && is_named(*c)).collect();
        if values.is_empty() {
            return Err(header.missing(&target));
        }
        header.refuse_duplicates()?;
        return Ok(Roles::Wide { time, values });
    }
    let id = if options.id.is_some() { Some(header.resolve(&id, None)?) } else { header.find(&id)? };
    let time = header.resolve(&time, header.usual(&WIDE_TIME))?;
    let target = header.resolve(&target, only_other(names.len(), id, time))?;
    Ok(Roles::Long { id, time, target })
}

/// Beside an id and a time, the only other column is the target whatever its name.
fn only_other(columns: usize, id: Option<usize>, time: usize) -> Option<usize> {
    let mut others = (0..columns).filter(|column| *column != time && Some(*column) != id);
    (id.is_some() && columns == 3).then(|| others.next())?
}

/// A note of the columns that a file has and nobody reads.
pub(super) fn note_unused(names: &[String], roles: &Roles) -> Option<Note> {
    let used: HashSet<usize> = match roles {
        Roles::Long { id, time, target } => [*time, *target].into_iter().chain(*id).collect(),
        Roles::Wide { time, values } => values.iter().chain([time]).copied().collect(),
    };
    let unused: Vec<&String> =
        names.iter().enumerate().filter(|(place, _)| !used.contains(place)).map(|(_, name)| name).collect();
    (!unused.is_empty()).then(|| Note::UnusedColumns { columns: list(unused.into_iter()) })
}

/// The name of the only series of a long file without ids: its column, or the file where the column's name
/// says nothing.
pub(super) fn single_series_name(source: &Source<'_>, target: &str) -> String {
    let says_nothing = TARGET.iter().any(|usual| target.eq_ignore_ascii_case(usual));
    if says_nothing { source.stem.clone() } else { target.to_string() }
}

struct Header<'a> {
    source: &'a Source<'a>,
    names: &'a [String],
}

impl Header<'_> {
    /// The first column with one of the usual names, in the order of these names.
    fn usual(&self, usual: &[&str]) -> Option<usize> {
        usual.iter().find_map(|name| self.names.iter().position(|n| n.trim().eq_ignore_ascii_case(name)))
    }

    fn find(&self, wanted: &Wanted<'_>) -> Result<Option<usize>> {
        let found = match wanted.option {
            Some(name) => self.names.iter().position(|n| n == name),
            None => self.usual(wanted.usual),
        };
        match found {
            Some(place) if self.names[place + 1..].contains(&self.names[place]) => {
                Err(Error::DuplicateColumn {
                    file: self.source.file.to_string(),
                    column: self.names[place].clone(),
                })
            }
            found => Ok(found),
        }
    }

    /// The column wanted, or, where no name was given and none of the usual is there, the fallback.
    fn resolve(&self, wanted: &Wanted<'_>, fallback: Option<usize>) -> Result<usize> {
        let fallback = fallback.filter(|_| wanted.option.is_none());
        self.find(wanted)?.or(fallback).ok_or_else(|| self.missing(wanted))
    }

    fn missing(&self, wanted: &Wanted<'_>) -> Error {
        let (text, remedy) = match wanted.option {
            Some(name) => {
                let nearest = self
                    .names
                    .iter()
                    .map(|n| (strsim::jaro_winkler(&n.to_lowercase(), &name.to_lowercase()), n))
                    .max_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|(similarity, _)| *similarity > 0.7);
                let remedy = match nearest {
                    Some((_, nearest)) => format!("did you mean `{nearest}`?"),
                    None => "choose one of these".to_string(),
                };
                (format!(" `{name}`"), remedy)
            }
            None => {
                let usual: Vec<String> = wanted.usual.iter().map(|name| format!("`{name}`")).collect();
                (
                    format!(" ({})", usual.join(", ")),
                    format!("name it with the option `{}`", wanted.option_name),
                )
            }
        };
        Error::MissingColumn {
            file: self.source.file.to_string(),
            role: wanted.role,
            wanted: text,
            columns: list(self.names.iter()),
            remedy,
        }
    }

    fn refuse_duplicates(&self) -> Result<()> {
        let mut seen = HashSet::new();
        match self.names.iter().find(|name| !seen.insert(name.as_str())) {
            None => Ok(()),
            Some(name) => {
                Err(Error::DuplicateColumn { file: self.source.file.to_string(), column: name.clone() })
            }
        }
    }
}

/// The names of columns for a message, the first few of many.
fn list<'a>(mut names: impl ExactSizeIterator<Item = &'a String>) -> String {
    const SHOWN_MAX: usize = 12;
    let more = names.len().saturating_sub(SHOWN_MAX);
    let shown: Vec<String> =
        names.by_ref().take(SHOWN_MAX).map(|name| format!("`{}`", crate::error::shorten(name))).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}
