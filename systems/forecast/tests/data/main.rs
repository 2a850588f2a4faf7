//! The data layer on real files, on bad files, and against published numbers.

mod bad_input;
mod layouts;
mod m4;
mod real_files;
mod repeat_baseline;
mod writing;

use std::path::{Path, PathBuf};

use bessemer_forecast::{Frame, ReadOptions, Result, read};

/// A file of the local data folder; says so and gives `None` where the folder is absent.
fn data_file(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("BESSEMER_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent; set BESSEMER_DATA to the folder of test data", path.display());
        return None;
    }
    Some(path)
}

/// Reads a file of the local data folder with the usual options.
fn read_data(name: &str) -> Option<Frame> {
    Some(read(data_file(name)?, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}")))
}

/// Reads `text` as the file `sales.csv`.
fn read_text(text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Frame> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sales.csv");
    std::fs::write(&path, text).unwrap();
    read(&path, options)
}

/// The notes of a frame, one to a line.
fn notes(frame: &Frame) -> String {
    frame.notes.iter().map(|note| format!("{note}\n")).collect()
}
