//! Parquet files.

use bessemer_forecast::ReadOptions;

/// What is said of a file with these bytes, with a low limit, as a few bytes may stand for many rows.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("series.parquet");
    std::fs::write(&path, bytes).expect("a file");
    let options = ReadOptions { bytes_max: 16 << 20, rows_max: 1 << 20, ..ReadOptions::default() };
    let frame = bessemer_forecast::read(&path, &options)
        .map_err(|error| error.to_string().replace(&place(&folder), ""))?;
    assert!(frame.series.iter().all(|series| series.values().iter().all(|value| value.is_finite())));
    Ok(())
}

/// Where the file is, which no message is compared by.
fn place(folder: &tempfile::TempDir) -> String {
    folder.path().display().to_string()
}
