//! A classifier on disk: `model.toml`, and `graph.phase`, which is all that a device needs.

use std::path::Path;

use bessemer_phase_reader::{Model, parse};
use bessemer_train::{read_whole, weights, write_whole};
use serde::{Deserialize, Serialize};

use crate::adapter::Adapter;
use crate::classifier::Classifier;
use crate::codes::Codes;
use crate::data::{Columns, Scaler};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::network::Network;
use crate::options::FitOptions;
use crate::settings::Settings;

/// The form of the folder that this version writes and reads.
const FORMAT: u32 = 1;
/// The largest `model.toml` that is read, in bytes.
const MAX_DESCRIPTION: u64 = 64 << 20;
/// The largest `graph.phase` that is read, in bytes.
const MAX_GRAPH: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    version: String,
    /// SHA-256 of `graph.phase`.
    graph: String,
    classes: Vec<String>,
    features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Missing in models of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named: Option<bool>,
    code_phases: Vec<i16>,
    code_magnitudes: Vec<i16>,
    settings: Settings,
    fit: FitOptions,
    scaler: Scaler,
}

impl Classifier {
    /// The graph as [`bessemer_phase_reader::parse`] reads it: all integers of a trained classifier.
    pub fn export(&self) -> Vec<u8> {
        let view = self.network.view();
        let mut bytes = Vec::with_capacity(view.shape.bytes() as usize);
        view.write(|piece| bytes.extend_from_slice(piece));
        bytes
    }

    /// Writes the classifier into a folder, which is created if need be.
    ///
    /// # Errors
    /// If the folder or a file cannot be written; then an earlier file of the name is as it was.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let failed = |path: &Path, problem: String| Error::File { path: path.to_path_buf(), problem };
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e.to_string()))?;
        let graph = self.export();
        let description = Description {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            graph: weights::fingerprint(&graph),
            classes: self.classes.clone(),
            features: self.columns.features.clone(),
            label: self.columns.label.clone(),
            named: Some(self.columns.named),
            code_phases: self.network.codes.phase.clone(),
            code_magnitudes: self.network.codes.magnitude.clone(),
            settings: self.network.settings.clone(),
            fit: self.options.clone(),
            scaler: self.scaler.clone(),
        };
        let path = folder.join("graph.phase");
        write_whole(&path, |file| file.write_all(&graph)).map_err(|e| failed(&path, e.to_string()))?;
        let path = folder.join("model.toml");
        let text = toml::to_string(&description).map_err(|e| failed(&path, e.to_string()))?;
        write_whole(&path, |file| file.write_all(text.as_bytes())).map_err(|e| failed(&path, e.to_string()))
    }

    /// Reads a classifier that [`Classifier::save`] wrote.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of another classifier than the one beside it.
    pub fn load(folder: &Path) -> Result<Classifier> {
        let path = folder.join("model.toml");
        let failed = |problem: String| Error::File { path: path.clone(), problem };
        let bytes = read_whole(&path, MAX_DESCRIPTION)
            .map_err(|e| failed(format!("{e}; is this a folder that `train` wrote?")))?;
        let text = String::from_utf8(bytes).map_err(|e| failed(format!("no valid TOML: {e}")))?;
        let description: Description = toml::from_str(&text)
            .map_err(|e| failed(format!("no description of a phase graph: {}", e.message())))?;
        if description.format != FORMAT {
            let format = description.format;
            return Err(failed(format!(
                "format {format}, but this version reads format {FORMAT}; train it again"
            )));
        }
        description.settings.check()?;
        description.fit.check(&description.settings)?;
        let place = folder.join("graph.phase");
        let broken = |problem: String| Error::File { path: place.clone(), problem };
        let bytes = read_whole(&place, MAX_GRAPH).map_err(|e| broken(e.to_string()))?;
        if weights::fingerprint(&bytes) != description.graph {
            return Err(broken("it is not the graph that model.toml was written for; train it again".into()));
        }
        let model = parse(&bytes).map_err(|problem| broken(problem.to_string()))?;
        let Description { settings, classes, features, label, named, scaler, fit, .. } = description;
        let (code_phases, code_magnitudes) = (description.code_phases, description.code_magnitudes);
        let named = named.unwrap_or_else(|| !features.iter().all(|name| stands_for_a_place(name)));
        let codes = Codes { phase: code_phases, magnitude: code_magnitudes, dimensions: settings.dimensions };
        let network = network(&model, settings, codes).ok_or_else(|| {
            failed("its settings are not those of the graph beside it; train it again".into())
        })?;
        let shape = network.shape;
        let is_sound = |number: &f32| number.is_finite();
        if classes.len() != shape.classes
            || features.len() != shape.features
            || scaler.low.len() != shape.features
            || scaler.step.len() != shape.features
            || !scaler.low.iter().all(is_sound)
            || !scaler.step.iter().all(|step| is_sound(step) && *step > 0.0)
        {
            return Err(failed(
                "its classes, features or scales do not fit the graph; train it again".into(),
            ));
        }
        let columns = Columns { features, label, named };
        Ok(Classifier { network, scaler, columns, classes, options: fit })
    }
}

/// Whether a feature is called by its place: by a column's number, or a point's row and column.
fn stands_for_a_place(name: &str) -> bool {
    name.split(',').count() <= 2 && name.split(',').all(|part| part.parse::<usize>().is_ok())
}

/// The network of a graph that was read, if all of it is as the settings say.
fn network(model: &Model, settings: Settings, codes: Codes) -> Option<Network> {
    let words = |array: &[[u8; 2]]| array.iter().map(|word| i16::from_le_bytes(*word)).collect::<Vec<i16>>();
    let shape = model.shape;
    let all = shape.classes * shape.dimensions;
    let within = |indices: &[i16], circle: usize| {
        indices.len() == all && indices.iter().all(|index| (0..circle as i32).contains(&i32::from(*index)))
    };
    let is_alike = settings.dimensions == shape.dimensions
        && settings.phases == shape.phases
        && settings.magnitudes == shape.magnitudes
        && settings.inputs == shape.inputs
        && within(&codes.phase, shape.phases)
        && within(&codes.magnitude, shape.magnitudes);
    if !is_alike || settings.nodes() != shape.nodes {
        return None;
    }
    let graph = Graph {
        first: model.first.iter().map(|first| u32::from_le_bytes(*first)).collect(),
        targets: model.targets.iter().map(|target| u16::from_le_bytes(*target)).collect(),
    };
    let adapter = Adapter {
        weights: model.weights.iter().map(|weight| *weight as i8).collect(),
        bias: model.bias.iter().map(|bias| i32::from_le_bytes(*bias)).collect(),
        shift: shape.shift,
    };
    let indices = (words(model.phase), words(model.magnitude));
    let network = Network::assemble(settings, graph, indices, adapter, codes, shape.fallback);
    // Tables and codes are made anew; where they differ, so would answers.
    let mut again = Vec::new();
    network.view().write(|piece| again.extend_from_slice(piece));
    let mut read = Vec::new();
    model.write(|piece| read.extend_from_slice(piece));
    (again == read).then_some(network)
}
