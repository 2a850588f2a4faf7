//! Reading files into signals.

mod npy;
mod png;
mod table;
mod wav;

use std::path::Path;

use bessemer_tables::{Contents, Limits};

use crate::error::{Error, Result};
use crate::signal::Signal;

/// The largest file that is read, in bytes.
const BYTES_MAX: u64 = 4 << 30;

/// The formats that are read, for messages.
const KNOWN: &str = "`.csv`, `.tsv`, `.parquet`, `.npy`, `.wav` or `.png`";

/// Which columns of a table are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The columns that are axes. `None`: all but those of the values. Without any, the number of the row is the
    /// only axis, `row`.
    pub axes: Option<Vec<String>>,
    /// The columns that are values. `None`: the last one, or all that are no axes if these are given.
    pub values: Option<Vec<String>>,
    /// Whether the first line of a text file holds the names of the columns, which else are numbered from 1. `None`:
    /// it does, but one that holds nothing but numbers is refused.
    pub header: Option<bool>,
}

/// Reads a signal, in the format that the name of the file tells:
///
/// - `.csv`, `.tsv`, `.parquet`: a point in each row. All but the last column are axes, unless others are chosen.
///   Of a single column the number of the row, from 0, is the axis. Numbers far from 0 beside what they differ by
///   keep that: see [`Signal::axis_offset`].
/// - `.npy`: numbers of 1 to 8 axes, `i0`, `i1`, …, whose coordinates are the indices.
/// - `.wav`: integers of 8 to 32 bits as -1 .. 1, or floats as they are; the axis is the time in seconds, and
///   channels are `left` and `right` or numbered.
/// - `.png`: grey or red, green and blue as 0 .. 1; the axes are `y` and `x`, in pixels from the top left.
///   Transparency is left out.
///
/// # Errors
/// What cannot be read is refused with its place and value; nothing is allocated for what a file only claims.
///
/// ```
/// use bessemer_waves::{ReadOptions, read};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("heights.csv");
/// std::fs::write(&path, "x,y,height,error\n0,0,1.5,0.1\n0,1,1.25,0.1\n").unwrap();
/// let columns = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect());
/// let options =
///     ReadOptions { axes: columns(&["x", "y"]), values: columns(&["height"]), ..ReadOptions::default() };
/// let signal = read(&path, &options)?;
/// assert_eq!((signal.point(1), signal.value(1)), (&[0.0, 1.0][..], &[1.25][..]));
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Signal> {
    let path = path.as_ref();
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let file = path.display().to_string();
    let limits = Limits { bytes_max: BYTES_MAX, rows_max: crate::MAX_NUMBERS as usize };
    let whole = || {
        let refused = |source| Error::Read { path: path.to_path_buf(), source };
        bessemer_train::read_whole(path, BYTES_MAX).map_err(refused)
    };
    let is_table = matches!(extension.to_str(), Some("csv" | "tsv" | "parquet"));
    if !is_table && *options != ReadOptions::default() {
        let (problem, remedy) =
            (format!("`{file}` has no columns"), "leave the columns out, or give a table");
        return Err(Error::Option { what: "columns", problem, remedy });
    }
    let read = match extension.to_str() {
        Some("csv" | "tsv" | "parquet") => match bessemer_tables::open(path, &limits)? {
            Contents::Text(text) => table::read_csv(&file, &text, options, &limits),
            Contents::Parquet(contents) => table::read_parquet(&file, contents, options, &limits),
        },
        Some("npy") => npy::read(&file, &whole()?),
        Some("wav") => wav::read(&file, &whole()?),
        Some("png") => png::read(&file, &whole()?),
        _ => return Err(Error::UnknownFormat { file, known: KNOWN }),
    };
    read.map_err(|error| match error {
        Error::Axes { .. } | Error::Channels { .. } | Error::NoPoints | Error::TooLarge { .. } => {
            Error::In { file, source: Box::new(error) }
        }
        other => other,
    })
}
