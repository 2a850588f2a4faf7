//! Configuration files of trainings.

use bessemer_forecast::{Configuration, Error, FitOptions, configuration};

/// What is said of a file with these bytes, for the model that it names, or NHiTS.
///
/// # Panics
/// If what was read is written out as something else.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fit.toml");
    std::fs::write(&path, bytes).expect("a file");
    let said = |error: Error| error.to_string().replace(&place(&folder), "");
    let given = Configuration::read(&path).map_err(said)?;
    let model = given.models(&[given.kind.unwrap_or("nhits")]).map_err(said)?.remove(0);
    let options = given.options(FitOptions::new(3, 8)).map_err(said)?;

    let text = configuration::render(&model, &options, given.validation);
    let again = Configuration::parse(&text, "again").expect("what is written is read");
    assert_eq!(again.model().expect("a model"), model, "{text}");
    assert_eq!(again.options(FitOptions::new(1, 1)).expect("options"), options, "{text}");
    assert_eq!(again.validation, given.validation, "{text}");
    Ok(())
}

/// Where the file is, which no message is compared by.
fn place(folder: &tempfile::TempDir) -> String {
    folder.path().display().to_string()
}
