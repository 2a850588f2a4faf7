//! Reading files into frames.

mod columns;
mod csv;
mod grid;
mod parquet;

use std::path::Path;

use bessemer_tables::{Contents, Limits};

use crate::error::Result;
use crate::frame::Frame;
use crate::frequency::Frequency;

/// How series are laid out in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Told from the names of the columns.
    #[default]
    Auto,
    /// A row for each series and time: `unique_id, ds, y`.
    Long,
    /// A row for each time and a column for each series: `date, c1, c2`.
    Wide,
    /// A row for each series, its name first and then its values, as in the M4 competition: `V1, V2, V3`.
    SeriesPerRow,
}

/// What to look for in a file, and how much of it to accept.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How series are laid out.
    pub layout: Layout,
    /// The column that names the series; `None` looks for `unique_id`, `item_id`, `id`, `series_id` and
    /// `series`. A long file without one holds a single series.
    pub id: Option<String>,
    /// The column of timestamps; `None` looks for `ds`, `timestamp`, `date`, `datetime`, `time` and, in a wide
    /// file, takes a first column of dates.
    pub time: Option<String>,
    /// The column of values; `None` looks for `y`, `target` and `value`.
    pub target: Option<String>,
    /// The step between rows; `None` takes the most common difference.
    pub frequency: Option<Frequency>,
    /// What separates cells in a CSV file; `None` takes the most common of comma, semicolon and tab in the
    /// header.
    pub separator: Option<u8>,
    /// The largest file to read.
    pub bytes_max: u64,
    /// The most rows to read.
    pub rows_max: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let Limits { bytes_max, rows_max } = Limits::default();
        ReadOptions {
            layout: Layout::Auto,
            id: None,
            time: None,
            target: None,
            frequency: None,
            separator: None,
            bytes_max,
            rows_max,
        }
    }
}

/// Reads a CSV or Parquet file, told apart by their first bytes.
///
/// Times and values that are missing are masked, rows out of order are sorted, and both are noted in
/// [`Frame::notes`].
///
/// # Errors
/// Anything that could be read in two ways or not at all is refused, with its row, column and value.
///
/// ```
/// use bessemer_forecast::{ReadOptions, read};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("sales.csv");
/// std::fs::write(&path, "unique_id,ds,y\na,2024-01-01,5\na,2024-01-02,6\na,2024-01-04,8\n").unwrap();
///
/// let frame = read(&path, &ReadOptions::default()).unwrap();
/// assert_eq!(frame.series[0].len(), 4);
/// assert_eq!(frame.frequency.to_string(), "D");
/// assert_eq!(frame.notes[1].to_string(), "series `a`: 1 missing `D` step is masked");
/// ```
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Frame> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let source = Source { file: &name, stem: path.file_stem().unwrap_or_default().to_string_lossy().into() };
    match bessemer_tables::open(path, &options.limits())? {
        Contents::Parquet(file) => parquet::read(&source, file, options),
        Contents::Text(contents) => csv::read(&source, &contents, options),
    }
}

impl ReadOptions {
    fn limits(&self) -> Limits {
        Limits { bytes_max: self.bytes_max, rows_max: self.rows_max }
    }
}

/// Where a frame comes from.
struct Source<'a> {
    /// The path, for messages.
    file: &'a str,
    /// The file's name without extension, for a series without another name.
    stem: String,
}
