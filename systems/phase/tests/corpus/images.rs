//! MNIST's idx files of images.

use bessemer_phase::data::ReadOptions;

/// What is said of a file of images with these bytes, beside two labels.
///
/// # Panics
/// If samples come out that contradict themselves.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a-images-idx3-ubyte");
    std::fs::write(&path, bytes).expect("a file");
    std::fs::write(folder.path().join("a-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 2, 1, 0])
        .expect("a file");
    let table = bessemer_phase::data::read(&path, &ReadOptions::default())
        .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), ""))?;
    assert_eq!((table.len(), table.values.len()), (2, 2 * table.features()));
    Ok(())
}
