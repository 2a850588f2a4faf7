//! Labelled samples, as commands are given them.

use std::path::PathBuf;

use bessemer::phase::Classifier;
use bessemer::phase::data::{Names, ReadOptions, Table};

use crate::error::Result;

/// Whether there is a line of names.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Header {
    Yes,
    No,
}

/// Where samples are.
#[derive(clap::Args, Debug)]
pub struct DataArgs {
    /// CSV or Parquet file, or MNIST's `…images-idx3-ubyte`, packed or not, beside its labels
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Column of the class, by name or number [default: the last one]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label: Option<String>,
    /// Columns to learn from, by name or number [default: all others]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data")]
    pub features: Vec<String>,
    /// Whether the first line of a CSV file holds names [default: unless a cell of it, the last apart, is a
    /// number]
    #[arg(long, value_enum, value_name = "YES|NO", hide_possible_values = true, help_heading = "Data")]
    pub header: Option<Header>,
}

impl DataArgs {
    /// How files are read.
    pub fn options(&self) -> ReadOptions {
        options(self.label.as_deref(), &self.features, self.header)
    }
}

/// Where samples are that a model is given.
#[derive(clap::Args, Debug)]
pub struct ModelDataArgs {
    /// CSV or Parquet file, or MNIST's `…images-idx3-ubyte`, packed or not
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Columns to take, by name or number [default: those of the names that the model learned from; where either
    /// has no names, those at the same places]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data")]
    pub features: Vec<String>,
    /// Whether the first line of a CSV file holds names [default: unless a cell of it, the last apart, is a
    /// number]
    #[arg(long, value_enum, value_name = "YES|NO", hide_possible_values = true, help_heading = "Data")]
    pub header: Option<Header>,
}

/// Where the classes are of samples that a model is given.
#[derive(clap::Args, Debug)]
pub struct LabelledArgs {
    #[command(flatten)]
    pub given: ModelDataArgs,
    /// Column of the class, by name or number [default: the one that the model learned from; where either has no
    /// names, the one at the same place, or the last one]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label: Option<String>,
}

impl ModelDataArgs {
    /// How the file is read.
    pub fn options(&self, label: Option<&str>) -> ReadOptions {
        options(label, &self.features, self.header)
    }
}

impl LabelledArgs {
    /// The samples, as the model takes them.
    pub fn read(&self, model: &Classifier) -> Result<Table> {
        Ok(model.read(&self.given.data, &self.given.options(self.label.as_deref()))?)
    }
}

fn options(label: Option<&str>, features: &[String], header: Option<Header>) -> ReadOptions {
    let header = match header {
        None => Names::Guessed,
        Some(Header::Yes) => Names::First,
        Some(Header::No) => Names::Numbered,
    };
    let (label, features) = (label.map(String::from), features.to_vec());
    ReadOptions { label, features, header, ..ReadOptions::default() }
}
