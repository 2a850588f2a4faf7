//! Samples in the rows of CSV and Parquet files.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use bessemer_tables::parquet::{classes, columns, present, schema};
use bessemer_tables::{Contents, Layout, Limits, Names, Records, TableError, open, shorten};

use super::places::Places;
use super::{Columns, MAX_CLASSES, MAX_NAME, ReadOptions, Table};
use crate::error::{Error, Result};

pub(super) fn read(path: &Path, options: &ReadOptions, known: Option<&Columns>) -> Result<Table> {
    let file = path.display().to_string();
    // A row takes a byte at least.
    let limits = Limits { bytes_max: options.bytes_max, rows_max: options.bytes_max as usize };
    match open(path, &limits)? {
        Contents::Text(text) => of_csv(&file, &text, options, known, &limits),
        Contents::Parquet(contents) => of_parquet(&file, contents, options, known, &limits),
    }
}

fn of_csv(
    file: &str,
    text: &[u8],
    options: &ReadOptions,
    known: Option<&Columns>,
    limits: &Limits,
) -> Result<Table> {
    let mut layout = Layout { separator: None, comment: Some(b'#'), names: options.header };
    let mut records = Records::open(file, text, layout, limits)?;
    if let (Names::Guessed, false, [name]) = (options.header, options.labelled, records.names()) {
        // The last cell counts for nothing in the guess, as it may be a class; here it is the only feature.
        if name.parse::<f32>().is_ok() {
            layout.names = Names::Numbered;
            records = Records::open(file, text, layout, limits)?;
        }
    }
    let mut rows = Rows::new(file, records.names(), records.has_names(), options, known)?;
    while let Some(record) = records.next()? {
        for feature in &rows.places.features {
            rows.values.push(record.present(*feature)?);
        }
        if let Some(label) = rows.places.label {
            rows.push(record.text(label)?, record.line)?;
        }
    }
    rows.table()
}

fn of_parquet(
    file: &str,
    contents: File,
    options: &ReadOptions,
    known: Option<&Columns>,
    limits: &Limits,
) -> Result<Table> {
    let (builder, claimed) = schema(file, contents)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Rows::new(file, &names, true, options, known)?;
    let Places { label, features } = rows.places.clone();
    let all: Vec<usize> = features.iter().copied().chain(label).collect();
    let mut batches = columns(file, builder, claimed, &all, limits)?;
    while let Some(batch) = batches.next()? {
        let of_batch = features
            .iter()
            .map(|feature| present(file, batch.column(*feature), &names[*feature], batch.before))
            .collect::<Result<Vec<_>, TableError>>()?;
        for row in 0..batch.rows() {
            rows.values.extend(of_batch.iter().map(|values| values[row]));
        }
        let Some(label) = label else { continue };
        let labels = classes(file, batch.column(label), &names[label], batch.before)?;
        for (row, class) in labels.iter().enumerate() {
            rows.push(class, batch.before + row + 1)?;
        }
    }
    rows.table()
}

/// Rows as they come in.
struct Rows<'a> {
    file: &'a str,
    places: Places,
    columns: Columns,
    values: Vec<f32>,
    /// The classes in the order in which they were met.
    classes: HashMap<String, u16>,
    labels: Vec<u16>,
}

impl<'a> Rows<'a> {
    fn new(
        file: &'a str,
        names: &[String],
        is_named: bool,
        options: &ReadOptions,
        known: Option<&Columns>,
    ) -> Result<Rows<'a>> {
        let places = Places::find(names, is_named, options, known)
            .map_err(|problem| Error::Data { place: format!("`{file}`"), problem })?;
        let columns = Columns {
            features: places.features.iter().map(|place| names[*place].clone()).collect(),
            label: places.label.map(|place| names[place].clone()),
            named: is_named,
        };
        let (values, classes, labels) = (Vec::new(), HashMap::new(), Vec::new());
        Ok(Rows { file, places, columns, values, classes, labels })
    }

    /// Adds the class of a row.
    fn push(&mut self, class: &str, row: usize) -> Result<()> {
        let next = self.classes.len();
        let number = match self.classes.get(class) {
            Some(number) => *number,
            None => {
                let refuse = |problem: String| {
                    let label = shorten(self.columns.label.as_deref().unwrap_or_default());
                    let place = format!("`{}`: row {row}, column `{label}`", self.file);
                    Err(Error::Data { place, problem })
                };
                if class.len() > MAX_NAME {
                    let (bytes, class) = (class.len(), shorten(class));
                    return refuse(format!("class `{class}` has {bytes} bytes; shorten it to {MAX_NAME}"));
                }
                if next == MAX_CLASSES {
                    let class = shorten(class);
                    return refuse(format!(
                        "`{class}` is one more than the {MAX_CLASSES} classes there may be; name another column as the label"
                    ));
                }
                self.classes.insert(class.to_string(), next as u16);
                next as u16
            }
        };
        self.labels.push(number);
        Ok(())
    }

    /// The samples, with classes in order: as numbers where all are, else by letters.
    fn table(self) -> Result<Table> {
        if self.values.is_empty() {
            return Err(TableError::NoRows {
                file: self.file.into(),
                below: " below the names of the columns",
            }
            .into());
        }
        let mut classes: Vec<(String, u16)> = self.classes.into_iter().collect();
        classes.sort_unstable();
        let number = |text: &String| text.parse::<f64>().ok().filter(|number| number.is_finite());
        if classes.iter().all(|(class, _)| number(class).is_some()) {
            let rank = |class: &(String, u16)| number(&class.0).unwrap_or_default();
            classes.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        }
        let mut places = vec![0; classes.len()];
        classes.iter().enumerate().for_each(|(place, (_, met))| places[usize::from(*met)] = place as u16);
        Ok(Table {
            columns: self.columns,
            values: self.values,
            classes: classes.into_iter().map(|(class, _)| class).collect(),
            labels: self.labels.into_iter().map(|met| places[usize::from(met)]).collect(),
            is_image: false,
        })
    }
}
