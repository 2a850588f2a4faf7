//! Options for reading a file of series.

use std::path::{Path, PathBuf};

use bessemer::forecast::{Frame, Frequency, Layout, ReadOptions, read};
use clap::ValueEnum;

use crate::error::Result;
use crate::run::RunArgs;

/// What to read, and how.
#[derive(clap::Args, Debug)]
pub struct ReadArgs {
    /// CSV or Parquet file of series
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    #[command(flatten)]
    form: FormArgs,
}

/// How a file of series is read.
#[derive(clap::Args, Debug)]
pub struct FormArgs {
    /// Column that names the series [default: unique_id, item_id, id, series_id or series]
    #[arg(long, value_name = "NAME", help_heading = "Reading")]
    id_column: Option<String>,
    /// Column of timestamps [default: ds, timestamp, date, datetime or time]
    #[arg(long, value_name = "NAME", help_heading = "Reading")]
    time_column: Option<String>,
    /// Column of values [default: y, target or value]
    #[arg(long, value_name = "NAME", help_heading = "Reading")]
    target_column: Option<String>,
    /// How series are laid out
    #[arg(long, value_enum, default_value_t, help_heading = "Reading")]
    layout: LayoutName,
    /// Step between rows: us, ms, s, min, h, D, B, W, MS, ME, QS, YS or, for times that are numbers, a
    /// number; a count may stand before it, as in 15min [default: told from the rows]
    #[arg(long, value_name = "STEP", allow_hyphen_values = true, help_heading = "Reading")]
    frequency: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LayoutName {
    /// Told from the columns
    #[default]
    Auto,
    /// A row for each series and time
    Long,
    /// A row for each time, a column for each series
    Wide,
    /// A row for each series
    SeriesPerRow,
}

impl ReadArgs {
    /// Reads the file, and says what is worth knowing about it.
    pub fn read(&self, run: &RunArgs) -> Result<Frame> {
        self.form.read(&self.data, run)
    }

    /// The file, as it was given.
    pub fn name(&self) -> String {
        self.data.display().to_string()
    }
}

impl FormArgs {
    /// Likewise, of any file.
    pub fn read(&self, data: &Path, run: &RunArgs) -> Result<Frame> {
        let options = ReadOptions {
            layout: match self.layout {
                LayoutName::Auto => Layout::Auto,
                LayoutName::Long => Layout::Long,
                LayoutName::Wide => Layout::Wide,
                LayoutName::SeriesPerRow => Layout::SeriesPerRow,
            },
            id: self.id_column.clone(),
            time: self.time_column.clone(),
            target: self.target_column.clone(),
            frequency: self.frequency.as_deref().map(str::parse::<Frequency>).transpose()?,
            ..ReadOptions::default()
        };
        let frame = read(data, &options)?;
        for note in &frame.notes {
            run.note(&format!("note: {note}"));
        }
        Ok(frame)
    }
}
