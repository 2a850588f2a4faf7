//! The record of a run, and its metrics.

use std::path::Path;

use bessemer_train::{RunRecord, TrainError, read_metrics};

/// What is said of a `run.toml` with these bytes.
pub fn record(bytes: &[u8]) -> Result<(), String> {
    said_of("run.toml", bytes, |folder| RunRecord::read(folder).map(|_| ()))
}

/// What is said of a `metrics.jsonl` with these bytes.
///
/// # Panics
/// If there are more metrics than lines.
pub fn metrics(bytes: &[u8]) -> Result<(), String> {
    said_of("metrics.jsonl", bytes, |folder| {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read_metrics(folder)?.len(), lines);
        Ok(())
    })
}

fn said_of(
    name: &str,
    bytes: &[u8],
    read: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(name), bytes).expect("a file");
    let place = folder.path().display().to_string();
    read(folder.path()).map_err(|error| error.to_string().replace(&place, ""))
}
