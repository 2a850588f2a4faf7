//! Labelled samples from files.

mod columns;
mod idx;
mod places;
mod scaler;

use std::path::Path;

pub use bessemer_tables::Names;
use bessemer_tables::shorten;
use places::listed;
pub use scaler::Scaler;

use crate::error::{Error, Result};

/// The most classes.
pub const MAX_CLASSES: usize = 1024;
/// The longest name of a feature, a label or a class, in bytes: a model keeps all of them.
const MAX_NAME: usize = 1000;

/// How a file is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The column that holds the class, by name or by number from 1; if not given, that of the data that were
    /// learned from, or the last one.
    pub label: Option<String>,
    /// Columns that are read, by name or by number from 1; if none is named, those that were learned from, or all
    /// but the label.
    pub features: Vec<String>,
    /// Whether there are labels, and they are read.
    pub labelled: bool,
    /// Where a CSV file has the names of its columns.
    pub header: Names,
    /// The largest file, in bytes, also once unpacked.
    pub bytes_max: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let (label, features, header) = (None, Vec::new(), Names::Guessed);
        ReadOptions { label, features, labelled: true, header, bytes_max: 1 << 30 }
    }
}

/// The columns of samples, by which those of another file are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Names of the features; where the file has none, their numbers from 1, and of images the row and the column
    /// of each point.
    pub features: Vec<String>,
    /// The name or the number of the label; `None` where there is none, or it is no column.
    pub label: Option<String>,
    /// Whether these are names that the file has.
    pub named: bool,
}

/// Samples as they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Where the values and labels are from.
    pub columns: Columns,
    /// `[samples, features]`
    pub values: Vec<f32>,
    /// Names of the classes, in order: as numbers where all are, else by letters.
    pub classes: Vec<String>,
    /// The class of each sample; none where labels were not read.
    pub labels: Vec<u16>,
    /// Whether all features are of one scale, as the points of an image are.
    pub is_image: bool,
}

impl Table {
    /// Samples.
    pub fn len(&self) -> usize {
        self.values.len() / self.features().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Features of a sample.
    pub fn features(&self) -> usize {
        self.columns.features.len()
    }

    /// The features of one sample.
    pub fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.features()..][..self.features()]
    }

    /// Adds the samples of another file, such as test data of its own.
    ///
    /// # Errors
    /// If it has other features, or classes that this one lacks.
    pub fn append(&mut self, other: Table, place: &str) -> Result<()> {
        if other.features() != self.features() {
            let problem = format!(
                "{} features, but the samples to learn from have {}; give files with the same columns",
                other.features(),
                self.features()
            );
            return Err(Error::Data { place: place.into(), problem });
        }
        for label in other.labels {
            let name = &other.classes[label as usize];
            let Some(known) = self.classes.iter().position(|class| class == name) else {
                let problem = format!(
                    "class `{}` is not among those to learn from, {}; leave those rows out",
                    shorten(name),
                    listed(&self.classes)
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
    read_with(path, options, None)
}

/// Reads samples as [`read`] does, with the features of data that are `known`: in a file with names, those of the
/// same names in their order, if the known ones have names, too; other columns are left out. Without names on either
/// side, features are found by their places.
///
/// ```
/// use bessemer_phase::data::{ReadOptions, read, read_like};
///
/// let folder = tempfile::tempdir()?;
/// let (first, other) = (folder.path().join("first.csv"), folder.path().join("other.csv"));
/// std::fs::write(&first, "x,y,kind\n1,2,far\n0,0.5,near\n")?;
/// std::fs::write(&other, "kind,id,y,x\nnear,7,0.25,0.5\n")?;
/// let options = ReadOptions::default();
/// let known = read(&first, &options)?.columns;
/// assert_eq!(read_like(&other, &options, &known)?.row(0), [0.5, 0.25]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read`], and if one of the columns is missing.
pub fn read_like(path: &Path, options: &ReadOptions, known: &Columns) -> Result<Table> {
    read_with(path, options, Some(known))
}

fn read_with(path: &Path, options: &ReadOptions, known: Option<&Columns>) -> Result<Table> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    if plain.ends_with("-ubyte") {
        return idx::read(path, &name, options);
    }
    columns::read(path, options, known)
}
