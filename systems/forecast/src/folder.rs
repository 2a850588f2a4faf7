//! A fitted model on disk: `model.toml` and `weights.safetensors` in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bessemer_train::{read_whole, weights, write_whole};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shorten};
use crate::forecaster::Forecaster;
use crate::models::Model;
use crate::options::FitOptions;
use crate::scaler::Scaler;

/// The form of the folder that this version writes and reads.
const FORMAT: u32 = 1;
/// The largest `model.toml` that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// The weights' metadata that names the description they belong to.
const STAMP: &str = "model.toml";

/// What tells one description from another.
fn stamp(description: &str) -> String {
    weights::fingerprint(description.as_bytes())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    version: String,
    frequency: String,
    model: Model,
    fit: FitOptions,
    series: Vec<SeriesScaler>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesScaler {
    id: String,
    shift: f64,
    scale: f64,
}

impl Forecaster {
    /// Writes the model into a folder, which is created if need be.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let failed = |path: &Path, problem: String| Error::ModelFolder { path: path.to_path_buf(), problem };
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e.to_string()))?;
        let description = Description {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            frequency: self.cadence.clone(),
            model: self.model.clone(),
            fit: self.options.clone(),
            series: self
                .scalers
                .iter()
                .map(|(id, s)| SeriesScaler { id: id.clone(), shift: s.shift, scale: s.scale })
                .collect(),
        };
        let path = folder.join("model.toml");
        let text = toml::to_string(&description).map_err(|e| failed(&path, e.to_string()))?;
        // Each file appears whole; that both are of one model is told by the stamp.
        let metadata = BTreeMap::from([(STAMP.to_string(), stamp(&text))]);
        weights::save(
            &folder.join("weights.safetensors"),
            &self.parameters,
            &self.int8_parameters()?,
            metadata,
        )?;
        write_whole(&path, |file| file.write_all(text.as_bytes())).map_err(|e| failed(&path, e.to_string()))
    }

    /// Reads a model that [`Forecaster::save`] wrote.
    pub fn load(folder: &Path) -> Result<Forecaster> {
        let path: PathBuf = folder.join("model.toml");
        let failed = |problem: String| Error::ModelFolder { path: path.clone(), problem };
        let bytes = read_whole(&path, MAX_BYTES)
            .map_err(|e| failed(format!("{e}; is this a folder that `fit` wrote?")))?;
        let text = String::from_utf8(bytes).map_err(|e| failed(format!("no valid TOML: {e}")))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let before = text.as_bytes().iter().take(e.span().map_or(0, |span| span.start));
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            failed(format!("no valid TOML: line {line}: {}", e.message()))
        })?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(format) if format == i64::from(FORMAT) => {}
            format => {
                let other = format.map_or("no format".to_string(), |f| format!("format {f}"));
                return Err(failed(format!(
                    "{other}, but this version reads format {FORMAT}; fit the model again, or use the version that wrote it"
                )));
            }
        }
        let mut description: Description =
            table.try_into().map_err(|e| failed(format!("no description of a model: {e}")))?;
        let mut scalers = Vec::with_capacity(description.series.len());
        for s in std::mem::take(&mut description.series) {
            let scaler = Scaler { shift: s.shift, scale: s.scale };
            // What is smaller than normal numbers cannot be divided by.
            if !(s.shift.is_finite() && s.scale.is_normal() && s.scale > 0.0) {
                return Err(failed(format!(
                    "series `{}`: shift {:e} and scale {:e} make no sense",
                    shorten(&s.id),
                    s.shift,
                    s.scale
                )));
            }
            scalers.push((s.id, scaler));
        }
        let weights_path = folder.join("weights.safetensors");
        let Description { model, fit, frequency, .. } = description;
        let mut forecaster = Forecaster::untrained(model, fit, scalers, frequency, &weights_path)?;
        let metadata = weights::load(&weights_path, &mut forecaster.parameters)?;
        if metadata.get(STAMP) != Some(&stamp(&text)) {
            return Err(failed(
                "the weights beside it were saved with another description: one of the two was changed, or saving was cut off; fit the model again".into(),
            ));
        }
        Ok(forecaster)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use bessemer_plan::Pool;

    use super::*;
    use crate::air_passengers;

    #[test]
    fn links_lead_to_plain_files_only() {
        let place = tempfile::tempdir().unwrap();
        let [folder, linked] = ["model", "linked"].map(|name| place.path().join(name));
        let mut options = FitOptions::new(2, 4);
        options.train.steps = 1;
        let model = Model::by_name("nlinear").unwrap();
        let fitted = Forecaster::fit(&air_passengers::frame(), &model, &options, &Pool::new(1)).unwrap();
        fitted.save(&folder).unwrap();
        for (description, weights, problem) in [
            ("../model/model.toml", "../model/weights.safetensors", None),
            ("/dev/zero", "../model/weights.safetensors", Some("this is no plain file")),
            ("../model/model.toml", "/dev/zero", Some("its 0 bytes cannot hold the 10 parameters")),
        ] {
            std::fs::create_dir(&linked).unwrap();
            symlink(description, linked.join("model.toml")).unwrap();
            symlink(weights, linked.join("weights.safetensors")).unwrap();
            match (Forecaster::load(&linked), problem) {
                (Ok(loaded), None) => assert_eq!(loaded.parameter_count(), 10),
                (Err(error), Some(problem)) => assert!(error.to_string().contains(problem), "{error}"),
                (result, _) => panic!("{description}, {weights}: {:?}", result.err()),
            }
            std::fs::remove_dir_all(&linked).unwrap();
        }
    }
}
