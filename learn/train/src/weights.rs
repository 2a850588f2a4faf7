//! Weights on disk: safetensors, written whole or not at all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_plan::Parameters;
use safetensors::tensor::{Dtype, SafeTensors, View};

use crate::error::TrainError;

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

/// Writes parameters under their names, with `metadata` in the header.
pub fn save(
    path: &Path,
    parameters: &Parameters,
    metadata: HashMap<String, String>,
) -> Result<(), TrainError> {
    let tensors = parameters
        .specs()
        .iter()
        .enumerate()
        .map(|(i, spec)| (spec.name.as_str(), Tensor { shape: &spec.shape, data: parameters.get(i) }));
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|e| problem(path, e))?;
    write_whole(path, &bytes)
}

/// Reads parameters written by [`save`] into those of the same model.
///
/// Every tensor must be there with its shape, and no other.
pub fn load(path: &Path, parameters: &mut Parameters) -> Result<(), TrainError> {
    let length = std::fs::metadata(path).map_err(|e| problem(path, e))?.len();
    if length > MAX_BYTES {
        return Err(problem(path, format!("{length} bytes is more than any weights file may have")));
    }
    let bytes = std::fs::read(path).map_err(|e| problem(path, e))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| problem(path, format!("not a whole safetensors file ({e}); copy or save it again")))?;
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
    Ok(())
}

/// Writes a file so that, whatever happens, either the old or the whole new content is there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| problem(path, "names no file"))?.to_string_lossy();
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = folder.join(format!(".{name}.{}.{number}.partial", std::process::id()));
    let result = (|| {
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        // Only Unix can flush a folder.
        if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
    })();
    result.map_err(|e| {
        _ = std::fs::remove_file(&draft);
        problem(path, e)
    })
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
    }
}
