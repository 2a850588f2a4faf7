//! Labelled samples, as commands are given them.

use std::path::PathBuf;

use bessemer::phase::data::{Names, ReadOptions, Table, read};

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
    /// The samples of the file.
    pub fn read(&self) -> Result<Table> {
        Ok(read(&self.data, &self.options())?)
    }

    /// How files are read.
    pub fn options(&self) -> ReadOptions {
        let header = match self.header {
            None => Names::Guessed,
            Some(Header::Yes) => Names::First,
            Some(Header::No) => Names::Numbered,
        };
        let (label, features) = (self.label.clone(), self.features.clone());
        ReadOptions { label, features, header, ..ReadOptions::default() }
    }
}
