//! Weights on disk: safetensors, written whole or not at all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use bessemer_plan::Parameters;
use safetensors::tensor::{Dtype, SafeTensors, View};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::whole::write_whole;

/// The largest weights file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 30;

struct Tensor<'a> {
    shape: &'a [usize],
    data: &'a [f32],
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(bytemuck::cast_slice(self.data))
    }

    fn data_len(&self) -> usize {
        self.data.len() * 4
    }
}

/// Writes parameters under their names, with `metadata` and a checksum of the values in the header.
pub fn save(
    path: &Path,
    parameters: &Parameters,
    mut metadata: HashMap<String, String>,
) -> Result<(), TrainError> {
    let tensors = parameters
        .specs()
        .iter()
        .enumerate()
        .map(|(i, spec)| (spec.name.as_str(), Tensor { shape: &spec.shape, data: parameters.get(i) }));
    metadata.insert(CHECKSUM.into(), checksum(parameters));
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|e| problem(path, e))?;
    write_whole(path, |file| file.write_all(&bytes)).map_err(|e| problem(path, e))
}

/// The header's entry for the checksum.
const CHECKSUM: &str = "sha256";

/// SHA-256 of the values, tensor after tensor, as they lie in the file.
fn checksum(parameters: &Parameters) -> String {
    let mut hash = Sha256::new();
    for index in 0..parameters.specs().len() {
        hash.update(bytemuck::cast_slice::<f32, u8>(parameters.get(index)));
    }
    hexadecimal(&hash.finalize())
}

/// SHA-256 of some bytes, in hexadecimal.
pub fn fingerprint(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads parameters written by [`save`] into those of the same model.
///
/// Every tensor must be there with its shape, and no other. Gives the metadata of the header, which
/// tells whether the values are those that were written: a file of another program may lack a checksum.
pub fn load(path: &Path, parameters: &mut Parameters) -> Result<HashMap<String, String>, TrainError> {
    let length = std::fs::metadata(path).map_err(|e| problem(path, e))?.len();
    if length > MAX_BYTES {
        return Err(problem(path, format!("{length} bytes is more than any weights file may have")));
    }
    let bytes = std::fs::read(path).map_err(|e| problem(path, e))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| problem(path, format!("not a whole safetensors file ({e}); copy or save it again")))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| problem(path, e))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let names: Vec<String> = parameters.specs().iter().map(|s| s.name.clone()).collect();
    if let Some(extra) = file.names().iter().find(|n| !names.iter().any(|m| m == *n)) {
        return Err(problem(
            path,
            format!("holds `{extra}`, which this model has not; is it another model's?"),
        ));
    }
    for (index, name) in names.iter().enumerate() {
        let tensor = file.tensor(name).map_err(|_| {
            problem(path, format!("lacks `{name}`, which this model has; is it another model's?"))
        })?;
        let expected = parameters.specs()[index].shape.clone();
        if tensor.dtype() != Dtype::F32 || tensor.shape() != expected {
            return Err(problem(
                path,
                format!(
                    "`{name}` is {:?} {:?}, but the model has F32 {expected:?}",
                    tensor.dtype(),
                    tensor.shape()
                ),
            ));
        }
        for (x, bytes) in parameters.get_mut(index).iter_mut().zip(tensor.data().chunks_exact(4)) {
            *x = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        if let Some(bad) = parameters.get(index).iter().find(|x| !x.is_finite()) {
            return Err(problem(
                path,
                format!("`{name}` holds {bad}; the file was damaged or the training diverged"),
            ));
        }
    }
    if metadata.get(CHECKSUM).is_some_and(|written| *written != checksum(parameters)) {
        let text = "the values are not those that were saved: the file was damaged or changed; copy or save it again";
        return Err(problem(path, text));
    }
    Ok(metadata)
}

fn problem(path: &Path, problem: impl ToString) -> TrainError {
    TrainError::File { path: path.to_path_buf(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_graph::Parameter;

    fn parameters(names: &[(&str, usize)]) -> Parameters {
        let specs: Vec<Parameter> =
            names.iter().map(|(n, len)| Parameter { name: n.to_string(), shape: vec![*len] }).collect();
        Parameters::new(&specs)
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let mut saved = parameters(&[("a", 3), ("b", 20)]);
        saved.get_mut(0).copy_from_slice(&[1.0, -2.0, 1e-30]);
        saved.get_mut(1).fill(0.5);
        save(&path, &saved, HashMap::new()).unwrap();
        let mut loaded = parameters(&[("a", 3), ("b", 20)]);
        load(&path, &mut loaded).unwrap();
        assert_eq!(loaded.as_slice(), saved.as_slice());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        save(&path, &parameters(&[("a", 3)]), HashMap::new()).unwrap();
        let refused = |names: &[(&str, usize)]| load(&path, &mut parameters(names)).unwrap_err().to_string();
        assert!(refused(&[("b", 3)]).contains("holds `a`, which this model has not"));
        assert!(refused(&[("a", 3), ("b", 3)]).contains("lacks `b`"));
        assert!(refused(&[("a", 4)]).contains("`a` is F32 [3], but the model has F32 [4]"));

        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 4, 20, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(refused(&[("a", 3)]).contains("not a whole safetensors file"), "cut at {cut}");
        }
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() = 0x7f;
        let last = damaged.len() - 2;
        damaged[last] = 0xc0;
        std::fs::write(&path, &damaged).unwrap();
        assert!(refused(&[("a", 3)]).contains("holds NaN"));
        let mut changed = whole.clone();
        changed[last] = 0x3f;
        std::fs::write(&path, &changed).unwrap();
        assert!(refused(&[("a", 3)]).contains("the values are not those that were saved"));
    }
}
