//! A fitted model on disk: `model.toml` and `weights.safetensors` in a folder.

use std::path::Path;

use bessemer_train::{ModelFolder, TrainError};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shorten};
use crate::forecaster::Forecaster;
use crate::models::Model;
use crate::options::FitOptions;
use crate::scaler::Scaler;

/// The form of the folder that this version writes and reads.
const FORMAT: u32 = 1;

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

/// A file of the folder that cannot be used.
fn failed(error: TrainError) -> Error {
    match error {
        TrainError::File { path, problem } => Error::ModelFolder { path, problem },
        other => other.into(),
    }
}

impl Forecaster {
    /// Writes the model into a folder, which is created if need be.
    pub fn save(&self, folder: &Path) -> Result<()> {
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
        let int8 = self.int8_parameters()?;
        ModelFolder::new(folder, FORMAT).save(&description, &self.parameters, &int8).map_err(failed)
    }

    /// Reads a model that [`Forecaster::save`] wrote.
    pub fn load(folder: &Path) -> Result<Forecaster> {
        let files = ModelFolder::new(folder, FORMAT);
        let mut described = files.describe::<Description>().map_err(failed)?;
        let Description { model, fit, frequency, .. } = &described.description;
        let (model, fit, frequency) = (model.clone(), fit.clone(), frequency.clone());
        let series = std::mem::take(&mut described.description.series);
        let mut scalers = Vec::with_capacity(series.len());
        for s in series {
            let scaler = Scaler { shift: s.shift, scale: s.scale };
            // What is smaller than normal numbers cannot be divided by.
            if !(s.shift.is_finite() && s.scale.is_normal() && s.scale > 0.0) {
                let (id, shift, scale) = (shorten(&s.id), s.shift, s.scale);
                let problem = format!("series `{id}`: shift {shift:e} and scale {scale:e} make no sense");
                return Err(Error::ModelFolder { path: folder.join("model.toml"), problem });
            }
            scalers.push((s.id, scaler));
        }
        let mut forecaster = Forecaster::untrained(model, fit, scalers, frequency, &files.weights())?;
        described.load_weights(&files, &mut forecaster.parameters).map_err(failed)?;
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
