//! Labelled samples, as commands are given them.

use std::path::PathBuf;

use bessemer::phase::data::{ReadOptions, Table, read};

use crate::error::Result;

/// Where samples are.
#[derive(clap::Args, Debug)]
pub struct DataArgs {
    /// CSV file, or MNIST's `…images-idx3-ubyte`, packed or not, beside its labels
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Column of the class, by name or number [default: the last one]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label: Option<String>,
    /// Columns to learn from, by name [default: all others]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', help_heading = "Data")]
    pub features: Vec<String>,
}

impl DataArgs {
    /// The samples of the file.
    pub fn read(&self) -> Result<Table> {
        Ok(read(&self.data, &self.options())?)
    }

    /// How files are read.
    pub fn options(&self) -> ReadOptions {
        ReadOptions { label: self.label.clone(), features: self.features.clone() }
    }
}
