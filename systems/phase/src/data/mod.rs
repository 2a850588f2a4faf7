//! Labelled samples from files.

mod columns;
mod idx;
mod scaler;

use std::path::Path;

pub use bessemer_tables::Names;
use bessemer_tables::shorten;
pub use scaler::Scaler;

use crate::error::{Error, Result};

/// The most classes.
pub const MAX_CLASSES: usize = 1024;

/// How a file is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The column that holds the class, by name or by number from 1; the last one if not given.
    pub label: Option<String>,
    /// Columns that are read, by name or by number from 1; all but the label if none is named.
    pub features: Vec<String>,
    /// Where a CSV file has the names of its columns.
    pub header: Names,
    /// The largest file, in bytes, also once unpacked.
    pub bytes_max: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { label: None, features: Vec::new(), header: Names::Guessed, bytes_max: 1 << 30 }
    }
}

/// Samples as they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of the features.
    pub names: Vec<String>,
    /// `[samples, features]`
    pub values: Vec<f32>,
    /// Names of the classes, in order: as numbers where all are, else by letters.
    pub classes: Vec<String>,
    /// The class of each sample.
    pub labels: Vec<u16>,
    /// Whether all features are of one scale, as the points of an image are.
    pub is_image: bool,
}

impl Table {
    /// Samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The features of one sample.
    pub fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.names.len()..][..self.names.len()]
    }

    /// Adds the samples of another file, such as test data of its own.
    ///
    /// # Errors
    /// If it has other features, or classes that this one lacks.
    pub fn append(&mut self, other: Table, place: &str) -> Result<()> {
        if other.names.len() != self.names.len() {
            let problem = format!(
                "{} features, but the samples to learn from have {}; give files with the same columns",
                other.names.len(),
                self.names.len()
            );
            return Err(Error::Data { place: place.into(), problem });
        }
        for label in other.labels {
            let name = &other.classes[label as usize];
            let Some(known) = self.classes.iter().position(|class| class == name) else {
                let known: Vec<String> = self.classes.iter().take(12).map(|name| shorten(name)).collect();
                let more = if self.classes.len() > 12 { ", …" } else { "" };
                let problem = format!(
                    "class `{}` is not among those to learn from, {}{more}; leave those rows out",
                    shorten(name),
                    known.join(", ")
                );
                return Err(Error::Data { place: place.into(), problem });
            };
            self.labels.push(known as u16);
        }
        self.values.extend(other.values);
        Ok(())
    }
}

/// Reads labelled samples: MNIST's idx files (an `…images-idx3-ubyte` beside its `…labels-idx1-ubyte`, packed
/// with gzip or not), a Parquet file, or a CSV file with or without names in its first line, in which lines that
/// begin with `#` are left out. Features are numbers; classes are text, numbers or truth values.
///
/// ```
/// use bessemer_phase::data::{ReadOptions, read};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("points.csv");
/// std::fs::write(&path, "x,y,kind\n1,2,far\n0,0.5,near\n")?;
/// let table = read(&path, &ReadOptions::default())?;
/// assert_eq!((table.len(), &table.classes[..]), (2, &["far".to_string(), "near".to_string()][..]));
/// assert_eq!(table.row(1), [0.0, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is larger than [`ReadOptions::bytes_max`], or holds anything but numbers and labels; the
/// message names the row and the column.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    if plain.ends_with("-ubyte") {
        return idx::read(path, &name, options.bytes_max);
    }
    columns::read(path, options)
}
