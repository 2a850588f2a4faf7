//! Weights as safetensors.

use bessemer_graph::Parameter;
use bessemer_plan::Parameters;
use bessemer_train::weights;

/// A matrix, which may be kept as integers with scales, and a vector.
pub fn parameters() -> Parameters {
    let shapes = [("w", vec![2, 3]), ("b", vec![2])];
    Parameters::new(&shapes.map(|(name, shape)| Parameter { name: name.into(), shape }))
}

/// What is said of a file with these bytes, read into [`parameters`].
///
/// # Panics
/// If weights come out that are not finite.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, bytes).expect("a file");
    let mut parameters = parameters();
    weights::load(&path, &mut parameters).map_err(|error| error.to_string().replace(&place(&folder), ""))?;
    assert!(parameters.as_slice().iter().all(|weight| weight.is_finite()));
    Ok(())
}

/// Where the file is, which no message is compared by.
fn place(folder: &tempfile::TempDir) -> String {
    folder.path().display().to_string()
}
