//! A fitted model on disk: a folder with `model.toml`, which describes it, and `weights.safetensors`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bessemer_plan::Parameters;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TrainError;
use crate::weights;
use crate::whole::{read_whole, write_whole};

/// The largest `model.toml` that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// The weights' metadata that names the description they belong to.
const STAMP: &str = "model.toml";

/// A folder with a fitted model, or for one.
///
/// ```
/// use bessemer_graph::Parameter;
/// use bessemer_plan::Parameters;
/// use bessemer_train::ModelFolder;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Description {
///     format: u32,
///     slope: String,
/// }
///
/// let place = tempfile::tempdir()?;
/// let folder = ModelFolder::new(place.path().join("model"), 1);
/// let mut parameters = Parameters::new(&[Parameter { name: "w".into(), shape: vec![1] }]);
/// parameters.get_mut(0)[0] = 2.0;
/// folder.save(&Description { format: 1, slope: "w".into() }, &parameters, &[])?;
///
/// let described = folder.describe::<Description>()?;
/// assert_eq!(described.description.slope, "w");
/// let mut loaded = Parameters::new(parameters.specs());
/// described.load_weights(&folder, &mut loaded)?;
/// assert_eq!(loaded.get(0), [2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ModelFolder {
    path: PathBuf,
    format: u32,
}

/// A description that was read, and what tells whether weights belong to it.
pub struct Described<D> {
    /// The description.
    pub description: D,
    stamp: String,
}

impl ModelFolder {
    /// The folder at a path, whose description has the form numbered `format`.
    pub fn new(path: impl Into<PathBuf>, format: u32) -> ModelFolder {
        ModelFolder { path: path.into(), format }
    }

    /// The file of the description.
    fn description(&self) -> PathBuf {
        self.path.join("model.toml")
    }

    /// The file of the weights.
    pub fn weights(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }

    /// Writes a model, of which the parameters numbered in `int8` as integers (see [`weights::save`]). The folder
    /// is created if need be. The description is a table with the entry `format`. The same model has the same
    /// bytes.
    ///
    /// # Errors
    /// If the disk refuses; each file is then the old one or whole.
    pub fn save(
        &self,
        description: &impl Serialize,
        parameters: &Parameters,
        int8: &[usize],
    ) -> Result<(), TrainError> {
        std::fs::create_dir_all(&self.path).map_err(|e| problem(&self.path, e))?;
        let path = self.description();
        let text = toml::to_string(description).map_err(|e| problem(&path, e))?;
        // Each file appears whole; that both are of one model is told by the stamp.
        let metadata = BTreeMap::from([(STAMP.to_string(), weights::fingerprint(text.as_bytes()))]);
        weights::save(&self.weights(), parameters, int8, metadata)?;
        write_whole(&path, |file| file.write_all(text.as_bytes())).map_err(|e| problem(&path, e))
    }

    /// Reads the description.
    ///
    /// # Errors
    /// If it is not there, too long, of another format, or lacks or has what `D` does not.
    pub fn describe<D: DeserializeOwned>(&self) -> Result<Described<D>, TrainError> {
        let path = self.description();
        let failed = |text: String| problem(&path, text);
        let bytes = read_whole(&path, MAX_BYTES)
            .map_err(|e| failed(format!("{e}; is this a folder that `fit` wrote?")))?;
        let stamp = weights::fingerprint(&bytes);
        let text = String::from_utf8(bytes).map_err(|e| failed(format!("no valid TOML: {e}")))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let before = text.as_bytes().iter().take(e.span().map_or(0, |span| span.start));
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            failed(format!("no valid TOML: line {line}: {}", e.message()))
        })?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(format) if format == i64::from(self.format) => {}
            format => {
                let other = format.map_or("no format".to_string(), |f| format!("format {f}"));
                let reads = self.format;
                return Err(failed(format!(
                    "{other}, but this version reads format {reads}; fit the model again, or use the version that wrote it"
                )));
            }
        }
        let description = table.try_into().map_err(|e| failed(format!("no description of a model: {e}")))?;
        Ok(Described { description, stamp })
    }
}

impl<D> Described<D> {
    /// Reads the weights into the parameters of the model that was described.
    ///
    /// # Errors
    /// If they are another model's, damaged, or were saved with another description.
    pub fn load_weights(&self, folder: &ModelFolder, parameters: &mut Parameters) -> Result<(), TrainError> {
        let metadata = weights::load(&folder.weights(), parameters)?;
        if metadata.get(STAMP) != Some(&self.stamp) {
            let text = "the weights beside it were saved with another description: one of the two was changed, or \
                        saving was cut off; fit the model again";
            return Err(problem(&folder.description(), text));
        }
        Ok(())
    }
}

fn problem(path: &Path, problem: impl ToString) -> TrainError {
    TrainError::File { path: path.to_path_buf(), problem: problem.to_string() }
}
