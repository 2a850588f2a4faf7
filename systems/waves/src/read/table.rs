//! Columns of CSV and Parquet files.

use std::fs::File;

use bessemer_tables::parquet::{columns, numbers, schema};
use bessemer_tables::{Layout, Limits, Records, TableError};

use super::ReadOptions;
use crate::error::{Error, Result, nearest, shorten};
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
        // A single column has the number of the row for an axis.
        check_size(1, axes.len().max(1), values.len())?;
        Ok(Columns { axes, values })
    }

    fn all(&self) -> impl Iterator<Item = usize> {
        self.axes.iter().chain(&self.values).copied()
    }

    /// The signal of rows `[N, axes + values]`, whose lines are numbered by `line`.
    fn signal(
        &self,
        file: &str,
        names: &[String],
        rows: &[f32],
        line: impl Fn(usize) -> usize,
    ) -> Result<Signal> {
        let (d, width) = (self.axes.len(), self.axes.len() + self.values.len());
        if rows.is_empty() {
            let below = " below the header";
            return Err(TableError::NoRows { file: file.into(), below }.into());
        }
        if let Some(place) = rows.iter().position(|x| x.is_nan()) {
            let column = self.all().nth(place % width).map_or(String::new(), |c| shorten(&names[c]));
            let (file, row, value) = (file.into(), line(place / width), "NaN".into());
            let problem = "missing or not a number";
            return Err(Error::BadNumber { file, row, column, value, problem });
        }
        let name = |places: &[usize]| places.iter().map(|place| names[*place].clone()).collect::<Vec<_>>();
        let values = rows.chunks_exact(width).flat_map(|row| &row[d..]).copied().collect();
        if d == 0 {
            let count = rows.len() / width;
            check_size(count as u64, 1, width)?;
            let along = (0..count).map(|row| row as f32).collect();
            return Signal::on_grid(&[("row".to_string(), along)], &name(&self.values), |_| values);
        }
        let points = rows.chunks_exact(width).flat_map(|row| &row[..d]).copied().collect();
        Signal::new(&name(&self.axes), points, &name(&self.values), values)
    }

    /// Refuses rows beyond what a signal may have, before they are kept.
    fn check(&self, rows: usize) -> Result<()> {
        check_size(rows.max(1) as u64, self.axes.len().max(1), self.values.len())
    }
}

pub(super) fn read_csv(file: &str, text: &[u8], options: &ReadOptions, limits: &Limits) -> Result<Signal> {
    let mut records = Records::open(file, text, Layout::default(), limits)?;
    let names = records.names().to_vec();
    let columns = Columns::find(file, &names, options)?;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    while let Some(record) = records.next()? {
        lines.push(record.line);
        columns.check(lines.len())?;
        for column in columns.all() {
            rows.push(record.number(column)?);
        }
    }
    columns.signal(file, &names, &rows, |row| lines[row])
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
    let mut rows: Vec<f32> = Vec::new();
    while let Some(batch) = batches.next()? {
        let mut of_batch = Vec::with_capacity(places.len());
        for column in &places {
            of_batch.push(numbers(file, batch.column(*column), &names[*column], batch.before)?);
        }
        for row in 0..batch.rows() {
            rows.extend(of_batch.iter().map(|column| column[row]));
        }
    }
    chosen.signal(file, &names, &rows, |row| row + 1)
}
