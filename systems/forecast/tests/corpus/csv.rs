//! CSV files, in every layout.

use bessemer_forecast::{Frame, Frequency, Layout, ReadOptions};

/// What is said of a file with these bytes, read with the usual options.
///
/// # Panics
/// If a frame comes out that contradicts itself, whatever the options.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("series.csv");
    std::fs::write(&path, bytes).expect("a file");
    let usual = ReadOptions::default();
    let read = |options: &ReadOptions| bessemer_forecast::read(&path, options).map(|frame| check(&frame));
    for options in [
        ReadOptions { layout: Layout::Long, frequency: Some(Frequency::BusinessDay), ..usual.clone() },
        ReadOptions { layout: Layout::Wide, separator: Some(b';'), ..usual.clone() },
        ReadOptions { layout: Layout::SeriesPerRow, ..usual.clone() },
    ] {
        // Only the usual options' outcome is told.
        _ = read(&options).map_err(|error| error.to_string());
    }
    read(&usual).map_err(|error| error.to_string().replace(&place(&folder), ""))
}

fn check(frame: &Frame) {
    assert!(!frame.series.is_empty());
    for series in &frame.series {
        assert!(!series.is_empty() && series.values().iter().all(|value| value.is_finite()));
        assert!(series.observed().is_none_or(|observed| observed.len() == series.len()));
        // What comes next may lie beyond the calendar, and is written all the same.
        let next = frame.time_of(series, series.len()).unwrap_or(series.start);
        assert!(!frame.time.format(next).is_empty());
    }
    assert!(!frame.frequency.cadence().is_empty());
    assert!(frame.notes.iter().all(|note| !note.to_string().is_empty()));
}

/// Where the file is, which no message is compared by.
fn place(folder: &tempfile::TempDir) -> String {
    folder.path().display().to_string()
}
