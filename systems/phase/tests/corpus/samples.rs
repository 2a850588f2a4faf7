//! CSV and Parquet files of labelled samples.

use bessemer_phase::data::ReadOptions;

/// What is said of a file with these bytes, with a low limit, as a few bytes may stand for many rows.
///
/// # Panics
/// If samples come out that contradict themselves.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("samples");
    std::fs::write(&path, bytes).expect("a file");
    let options = ReadOptions { bytes_max: 4 << 20, ..ReadOptions::default() };
    let table = bessemer_phase::data::read(&path, &options)
        .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), ""))?;
    assert_eq!(table.values.len(), table.len() * table.features());
    assert!(table.values.iter().all(|value| value.is_finite()));
    assert!(table.labels.iter().all(|label| usize::from(*label) < table.classes.len()));
    Ok(())
}
