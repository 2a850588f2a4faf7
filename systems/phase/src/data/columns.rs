//! Samples in the rows of CSV and Parquet files.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use bessemer_tables::parquet::{classes, columns, present, schema};
use bessemer_tables::{Contents, Layout, Limits, Records, TableError, open, shorten};

use super::{MAX_CLASSES, ReadOptions, Table};
use crate::error::{Error, Result};
use crate::settings::MAX_FEATURES;

/// The longest name of a feature or a class, in bytes: a model keeps all of them.
const MAX_NAME: usize = 1000;

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let file = path.display().to_string();
    // A row takes a byte at least.
    let limits = Limits { bytes_max: options.bytes_max, rows_max: options.bytes_max as usize };
    match open(path, &limits)? {
        Contents::Text(text) => of_csv(&file, &text, options, &limits),
        Contents::Parquet(contents) => of_parquet(&file, contents, options, &limits),
    }
}

fn of_csv(file: &str, text: &[u8], options: &ReadOptions, limits: &Limits) -> Result<Table> {
    let layout = Layout { separator: None, comment: Some(b'#'), names: options.header };
    let mut records = Records::open(file, text, layout, limits)?;
    let mut rows = Rows::new(file, records.names(), options)?;
    while let Some(record) = records.next()? {
        for feature in &rows.columns.features {
            rows.values.push(record.present(*feature)?);
        }
        let class = record.text(rows.columns.label)?;
        rows.push(class, record.line)?;
    }
    rows.table()
}

fn of_parquet(file: &str, contents: File, options: &ReadOptions, limits: &Limits) -> Result<Table> {
    let (builder, claimed) = schema(file, contents)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Rows::new(file, &names, options)?;
    let Columns { label, features } = rows.columns.clone();
    let all: Vec<usize> = features.iter().copied().chain([label]).collect();
    let mut batches = columns(file, builder, claimed, &all, limits)?;
    while let Some(batch) = batches.next()? {
        let of_batch = features
            .iter()
            .map(|feature| present(file, batch.column(*feature), &names[*feature], batch.before))
            .collect::<Result<Vec<_>, TableError>>()?;
        let labels = classes(file, batch.column(label), &names[label], batch.before)?;
        for (row, class) in labels.iter().enumerate() {
            rows.values.extend(of_batch.iter().map(|values| values[row]));
            rows.push(class, batch.before + row + 1)?;
        }
    }
    rows.table()
}

/// The places of the columns that are read.
#[derive(Clone)]
struct Columns {
    label: usize,
    features: Vec<usize>,
}

impl Columns {
    fn find(names: &[String], options: &ReadOptions) -> Result<Columns, String> {
        let count = names.len();
        let place = |name: &String| {
            let found = names.iter().position(|other| other == name);
            let numbered = || name.parse::<usize>().ok().filter(|n| (1..=count).contains(n)).map(|n| n - 1);
            let place = found.or_else(numbered).ok_or_else(|| {
                let known: Vec<String> = names.iter().take(12).map(|name| shorten(name)).collect();
                let more = if count > 12 { ", …" } else { "" };
                format!("no column `{}`; there are {}{more}", shorten(name), known.join(", "))
            })?;
            if found.is_some() && names[place + 1..].contains(name) {
                return Err(format!(
                    "two columns are named `{}`; rename one, or name it by its number",
                    shorten(name)
                ));
            }
            Ok(place)
        };
        let label = match &options.label {
            Some(label) => place(label)?,
            None => count.checked_sub(1).ok_or("there are no columns; give a file with samples")?,
        };
        let features: Vec<usize> = match options.features.is_empty() {
            true => (0..count).filter(|place| *place != label).collect(),
            false => options.features.iter().map(place).collect::<Result<_, _>>()?,
        };
        if features.contains(&label) {
            let name = shorten(&names[label]);
            return Err(format!("column `{name}` is the label and cannot be a feature, too; leave it out"));
        }
        if !(1..=MAX_FEATURES).contains(&features.len()) {
            let columns = if count == 1 { "1 column" } else { &format!("{count} columns") };
            return Err(format!(
                "{columns}, of which {} are features; there must be a label and 1 to {MAX_FEATURES} features",
                features.len()
            ));
        }
        let mut known: HashMap<&str, usize> = HashMap::with_capacity(features.len());
        for feature in &features {
            let name = &names[*feature];
            if name.len() > MAX_NAME {
                let (bytes, name) = (name.len(), shorten(name));
                return Err(format!(
                    "the name of column `{name}` has {bytes} bytes; shorten it to {MAX_NAME}"
                ));
            }
            match known.insert(name, *feature) {
                Some(other) if other == *feature => {
                    return Err(format!("the feature `{}` is named twice; name it once", shorten(name)));
                }
                Some(_) => return Err(format!("two columns are named `{}`; rename one", shorten(name))),
                None => {}
            }
        }
        Ok(Columns { label, features })
    }
}

/// Rows as they come in.
struct Rows<'a> {
    file: &'a str,
    label: String,
    columns: Columns,
    names: Vec<String>,
    values: Vec<f32>,
    /// The classes in the order in which they were met.
    classes: HashMap<String, u16>,
    labels: Vec<u16>,
}

impl<'a> Rows<'a> {
    fn new(file: &'a str, names: &[String], options: &ReadOptions) -> Result<Rows<'a>> {
        let columns = Columns::find(names, options)
            .map_err(|problem| Error::Data { place: format!("`{file}`"), problem })?;
        Ok(Rows {
            file,
            label: shorten(&names[columns.label]),
            names: columns.features.iter().map(|place| names[*place].clone()).collect(),
            columns,
            values: Vec::new(),
            classes: HashMap::new(),
            labels: Vec::new(),
        })
    }

    /// Ends a row, whose values are there already.
    fn push(&mut self, class: &str, row: usize) -> Result<()> {
        let next = self.classes.len();
        let number = match self.classes.get(class) {
            Some(number) => *number,
            None => {
                let refuse = |problem: String| {
                    let place = format!("`{}`: row {row}, column `{}`", self.file, self.label);
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
        if self.labels.is_empty() {
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
            names: self.names,
            values: self.values,
            classes: classes.into_iter().map(|(class, _)| class).collect(),
            labels: self.labels.into_iter().map(|met| places[usize::from(met)]).collect(),
            is_image: false,
        })
    }
}
