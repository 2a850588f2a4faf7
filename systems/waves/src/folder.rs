//! A fitted model on disk: `model.toml` and `weights.safetensors` in a folder.

use std::path::Path;

use bessemer_train::{ModelFolder, TrainError};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shorten};
use crate::fitter::{Scaled, WaveFitter};
use crate::models::Model;
use crate::options::FitOptions;
use crate::source::Source;

/// The form of the folder that this version writes and reads.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    version: String,
    model: Model,
    fit: FitOptions,
    axes: Vec<Scaled>,
    channels: Vec<Scaled>,
    source: Source,
}

/// A file of the folder that cannot be used.
fn failed(error: TrainError) -> Error {
    match error {
        TrainError::File { path, problem } => Error::ModelFolder { path, problem },
        other => other.into(),
    }
}

impl WaveFitter {
    /// Writes the model into a folder, which is created if need be: weights in f32, all else, fixed random
    /// numbers too, as settings. The same model has the same bytes.
    ///
    /// # Errors
    /// If the disk refuses; each file is then the old one or whole.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let description = Description {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            model: self.model.clone(),
            fit: self.options.clone(),
            axes: self.axes.clone(),
            channels: self.channels.clone(),
            source: self.source.clone(),
        };
        ModelFolder::new(folder, FORMAT).save(&description, &self.parameters, &[]).map_err(failed)
    }

    /// Reads a model that [`WaveFitter::save`] wrote.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not belong to the other.
    pub fn load(folder: &Path) -> Result<WaveFitter> {
        let files = ModelFolder::new(folder, FORMAT);
        let described = files.describe::<Description>().map_err(failed)?;
        let Description { model, fit, axes, channels, source, .. } = &described.description;
        if let Some(Scaled { name, offset, scale }) =
            axes.iter().chain(channels).find(|scaled| !(scaled.scale.is_sound() && scaled.offset.is_finite()))
        {
            let (name, shift, scale) = (shorten(name), scale.shift, scale.scale);
            let problem = format!(
                "`{name}`: its shift is {shift}, its scale {scale} and its offset {offset}: all must be finite, and the \
                 scale above 0; save the model again"
            );
            return Err(Error::ModelFolder { path: folder.join("model.toml"), problem });
        }
        if let Some(problem) = source.problem(axes.len(), channels.len()) {
            return Err(Error::ModelFolder { path: folder.join("model.toml"), problem });
        }
        let (model, fit, axes, channels) = (model.clone(), fit.clone(), axes.clone(), channels.clone());
        let mut fitted = WaveFitter::untrained(model, fit, axes, channels, source.clone(), &files.weights())?;
        described.load_weights(&files, &mut fitted.parameters).map_err(failed)?;
        Ok(fitted)
    }
}
