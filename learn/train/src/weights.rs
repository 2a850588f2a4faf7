//! Weights on disk: safetensors, written whole or not at all.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use bessemer_kernels::gemm::int8_parts;
use bessemer_plan::Parameters;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::tensors::{Tensor, floats, parse, serialize};
use crate::whole::{read_whole, write_whole};

/// The largest weights file that is read, in bytes.
pub const MAX_BYTES: u64 = 16 << 30;

/// What follows the name of a tensor of 8-bit integers in that of its scales.
const SCALE: &str = ".scale";

/// The tensor of the scales of one of 8-bit integers.
fn scale_name(name: &str) -> String {
    format!("{name}{SCALE}")
}

/// Writes parameters under their names, with `metadata` and a checksum of the values in the header.
///
/// Those numbered in `int8` have been through [`round_int8`](bessemer_kernels::gemm::round_int8) and take a byte a number: `[n, k]` integers,
/// and `[n]` scales under the name with `.scale` behind it.
pub fn save(
    path: &Path,
    parameters: &Parameters,
    int8: &[usize],
    mut metadata: BTreeMap<String, String>,
) -> Result<(), TrainError> {
    let mut tensors = Vec::new();
    for (i, spec) in parameters.specs().iter().enumerate() {
        let values = parameters.get(i);
        if !int8.contains(&i) {
            let data = Cow::Borrowed(bytemuck::cast_slice(values));
            tensors.push((spec.name.clone(), Tensor { dtype: Dtype::F32, shape: spec.shape.clone(), data }));
            continue;
        }
        let mut whole = vec![0i8; values.len()];
        let k = spec.shape[1..].iter().product::<usize>().max(1);
        let scales: Vec<f32> =
            values.chunks(k).zip(whole.chunks_mut(k)).map(|(row, out)| int8_parts(row, out)).collect();
        let bytes = |data: &[u8]| Cow::Owned(data.to_vec());
        let data = bytes(bytemuck::cast_slice(&whole));
        tensors.push((spec.name.clone(), Tensor { dtype: Dtype::I8, shape: spec.shape.clone(), data }));
        let data = bytes(bytemuck::cast_slice(&scales));
        tensors.push((
            scale_name(&spec.name),
            Tensor { dtype: Dtype::F32, shape: spec.shape[..1].to_vec(), data },
        ));
    }
    metadata.insert(CHECKSUM.into(), checksum(parameters));
    let bytes = serialize(tensors, metadata).map_err(|e| problem(path, e))?;
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

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads parameters written by [`save`] into those of the same model.
///
/// Every tensor must be there with its shape, and no other. Gives the metadata of the header, which
/// tells whether the values are those that were written: a file of another program may lack a checksum.
pub fn load(path: &Path, parameters: &mut Parameters) -> Result<HashMap<String, String>, TrainError> {
    let bytes = read_whole(path, MAX_BYTES).map_err(|e| problem(path, e))?;
    let (file, metadata) = parse(&bytes)
        .map_err(|e| problem(path, format!("not a whole safetensors file ({e}); copy or save it again")))?;
    let names: Vec<String> = parameters.specs().iter().map(|s| s.name.clone()).collect();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let is_scale = |name: &str| {
        let of = name.strip_suffix(SCALE).filter(|of| known.contains(of));
        of.is_some_and(|of| file.tensor(of).is_ok_and(|tensor| tensor.dtype() == Dtype::I8))
    };
    if let Some(extra) = file.names().iter().find(|name| !known.contains(**name) && !is_scale(name)) {
        return Err(problem(
            path,
            format!("holds `{extra:.60}`, which this model has not; is it another model's?"),
        ));
    }
    for (index, name) in names.iter().enumerate() {
        let tensor = file.tensor(name).map_err(|_| {
            problem(path, format!("lacks `{name}`, which this model has; is it another model's?"))
        })?;
        let expected = parameters.specs()[index].shape.clone();
        let is_int8 = tensor.dtype() == Dtype::I8 && expected.len() > 1;
        if !(tensor.dtype() == Dtype::F32 || is_int8) || tensor.shape() != expected {
            return Err(problem(
                path,
                format!("`{name}` is {}, but the model has F32 {expected:?}", kind(&tensor)),
            ));
        }
        if is_int8 {
            let scale_name = scale_name(name);
            let scales = file.tensor(&scale_name).ok().filter(|t| is_floats(t, &expected[..1])).ok_or_else(|| {
                problem(path, format!("`{name}` holds 8-bit integers, but their F32 scales `{scale_name}` {:?} are not there", &expected[..1]))
            })?;
            let k = expected[1..].iter().product::<usize>().max(1);
            let rows = parameters.get_mut(index).chunks_mut(k).zip(tensor.data().chunks(k));
            for ((row, whole), scale) in rows.zip(floats(scales.data())) {
                row.iter_mut().zip(whole).for_each(|(x, q)| *x = f32::from(q.cast_signed()) * scale);
            }
        } else {
            parameters.get_mut(index).iter_mut().zip(floats(tensor.data())).for_each(|(x, value)| *x = value);
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

fn is_floats(tensor: &TensorView, shape: &[usize]) -> bool {
    tensor.dtype() == Dtype::F32 && tensor.shape() == shape
}

fn kind(tensor: &TensorView) -> String {
    format!("{:?} {:?}", tensor.dtype(), tensor.shape())
}

fn problem(path: &Path, problem: impl ToString) -> TrainError {
    TrainError::File { path: path.to_path_buf(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_graph::Parameter;
    use bessemer_kernels::gemm::round_int8;

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
        save(&path, &saved, &[], BTreeMap::new()).unwrap();
        let mut loaded = parameters(&[("a", 3), ("b", 20)]);
        load(&path, &mut loaded).unwrap();
        assert_eq!(loaded.as_slice(), saved.as_slice());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn integers_come_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let specs =
            [("w", vec![4, 50]), ("b", vec![4])].map(|(name, shape)| Parameter { name: name.into(), shape });
        let mut saved = Parameters::new(&specs);
        saved.get_mut(0).iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32).sin() * (i / 50) as f32);
        saved.get_mut(1).fill(0.1);
        round_int8(50, saved.get_mut(0));
        save(&path, &saved, &[0], BTreeMap::new()).unwrap();
        let mut loaded = Parameters::new(&specs);
        load(&path, &mut loaded).unwrap(); // the checksum is of the bits
        assert_eq!(loaded.as_slice(), saved.as_slice());

        let file = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.contains("\"w\":{\"dtype\":\"I8\",\"shape\":[4,50]"), "{text}");
        let other = file.iter().position(|b| *b == b'.').unwrap();
        let mut renamed = file.clone();
        renamed[other + 1] = b'z';
        std::fs::write(&path, &renamed).unwrap();
        let error = load(&path, &mut Parameters::new(&specs)).unwrap_err().to_string();
        assert!(error.contains("`w.zcale`, which this model has not"), "{error}");
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        save(&path, &parameters(&[("a", 3)]), &[], BTreeMap::new()).unwrap();
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
