//! Columns of CSV and Parquet files.

use std::fs::File;

use bessemer_tables::parquet::{columns, doubles, schema, wholes};
use bessemer_tables::{Layout, Limits, Names, Records, TableError};

use super::ReadOptions;
use crate::error::{Error, Result, nearest, shorten};
use crate::exact::Exact;
use crate::signal::{Signal, check_size};

/// The places of the columns that are read.
struct Columns {
    axes: Vec<usize>,
    values: Vec<usize>,
}

impl Columns {
    /// Finds the columns by name.
    fn find(file: &str, names: &[String], options: &ReadOptions) -> Result<Columns> {
        let place = |name: &String| {
            names.iter().position(|other| other == name).ok_or_else(|| {
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                let (nearest, shown) = (nearest(name, &known), known.iter().take(12));
                let columns: Vec<String> = shown.map(|name| format!("`{}`", shorten(name))).collect();
                let more = if known.len() > 12 { ", …" } else { "" };
                let (file, column, columns) = (file.into(), shorten(name), columns.join(", ") + more);
                Error::MissingColumn { file, column, nearest, columns }
            })
        };
        let places = |names: &Option<Vec<String>>| {
            names.as_ref().map(|names| names.iter().map(place).collect::<Result<Vec<usize>>>()).transpose()
        };
        let others = |taken: &[usize]| (0..names.len()).filter(|c| !taken.contains(c)).collect();
        let (axes, values) = match (places(&options.axes)?, places(&options.values)?) {
            (Some(axes), Some(values)) => (axes, values),
            (Some(axes), None) => {
                let values = others(&axes);
                (axes, values)
            }
            (None, Some(values)) => (others(&values), values),
            (None, None) => ((0..names.len().saturating_sub(1)).collect(), vec![names.len() - 1]),
        };
        for (place, column) in axes.iter().chain(&values).enumerate() {
            if axes.iter().chain(&values).take(place).any(|other| other == column) {
                let problem = format!("the column `{}` is asked for twice", shorten(&names[*column]));
                let remedy = "name each column once, as an axis or as a value";
                return Err(Error::File { file: file.into(), problem, remedy });
            }
        }
        let twice = |column: &&usize| names.iter().filter(|name| **name == names[**column]).count() > 1;
        if let Some(column) = axes.iter().chain(&values).find(twice) {
            let problem = format!("there are several columns `{}`", shorten(&names[*column]));
            let remedy = "rename all but one, or choose others for axes and values";
            return Err(Error::File { file: file.into(), problem, remedy });
        }
        // A single column has the number of the row for an axis.
        check_size(1, axes.len().max(1), values.len())?;
        Ok(Columns { axes, values })
    }

    fn all(&self) -> impl Iterator<Item = usize> {
        self.axes.iter().chain(&self.values).copied()
    }

    /// The signal of columns as they were read, in the order of [`Columns::all`].
    fn signal(&self, file: &str, names: &[String], columns: Vec<Exact>) -> Result<Signal> {
        if columns.iter().any(Exact::is_empty) {
            let below = " below the header";
            return Err(TableError::NoRows { file: file.into(), below }.into());
        }
        let mut columns = self.all().map(|place| names[place].clone()).zip(columns);
        let axes = columns.by_ref().take(self.axes.len()).collect();
        Signal::of_columns(axes, columns.collect())
    }

    /// Refuses rows beyond what a signal may have, before they are kept.
    fn check(&self, rows: usize) -> Result<()> {
        check_size(rows.max(1) as u64, self.axes.len().max(1), self.values.len())
    }
}

pub(super) fn read_csv(file: &str, text: &[u8], options: &ReadOptions, limits: &Limits) -> Result<Signal> {
    let names = if options.header == Some(false) { Names::Numbered } else { Names::First };
    let mut records = Records::open(file, text, Layout { names, ..Layout::default() }, limits)?;
    let names = records.names().to_vec();
    if options.header.is_none() && names.iter().all(|name| name.parse::<f64>().is_ok()) {
        let problem =
            "its first line holds nothing but numbers, where names of columns were to be".to_string();
        let remedy = "write names above it, or set `header` (`--header no`)";
        return Err(Error::File { file: file.into(), problem, remedy });
    }
    let columns = Columns::find(file, &names, options)?;
    let (mut read, mut rows) = (vec![Exact::default(); columns.all().count()], 0);
    while let Some(record) = records.next()? {
        rows += 1;
        columns.check(rows)?;
        for (exact, column) in read.iter_mut().zip(columns.all()) {
            match record.cell(column).trim().parse::<i64>() {
                Ok(whole) => exact.push_whole(whole),
                Err(_) => exact.push(record.double(column)?),
            }
        }
    }
    columns.signal(file, &names, read)
}

pub(super) fn read_parquet(
    file: &str,
    contents: File,
    options: &ReadOptions,
    limits: &Limits,
) -> Result<Signal> {
    let (builder, claimed) = schema(file, contents)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    if names.is_empty() {
        let problem = "there are no columns".to_string();
        return Err(Error::File { file: file.into(), problem, remedy: "write at least one" });
    }
    let chosen = Columns::find(file, &names, options)?;
    chosen.check(claimed)?;
    let places: Vec<usize> = chosen.all().collect();
    let mut batches = columns(file, builder, claimed, &places, limits)?;
    let mut read = vec![Exact::default(); places.len()];
    while let Some(batch) = batches.next()? {
        for (exact, column) in read.iter_mut().zip(&places) {
            let array = batch.column(*column);
            match wholes(array) {
                Some(wholes) => wholes.into_iter().for_each(|whole| exact.push_whole(whole)),
                None => {
                    let numbers = doubles(file, array, &names[*column], batch.before)?;
                    numbers.into_iter().for_each(|number| exact.push(number));
                }
            }
        }
    }
    chosen.signal(file, &names, read)
}
