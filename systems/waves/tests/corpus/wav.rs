//! Sounds.

/// What is said of a file with these bytes.
///
/// # Panics
/// If a signal comes out that contradicts itself.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signal.wav");
    std::fs::write(&path, bytes).expect("a file");
    match bessemer_waves::read(&path, &Default::default()) {
        Ok(signal) => {
            assert!(!signal.values().is_empty());
            assert!(signal.points().iter().chain(signal.values()).all(|number| number.is_finite()));
            assert_eq!(signal.origin.grid.iter().product::<usize>(), signal.len());
            assert!(signal.origin.sample_rate != Some(0) && signal.raw_bytes() > 0);
            Ok(())
        }
        Err(error) => Err(error.to_string().replace(&folder.path().display().to_string(), "")),
    }
}
