//! Reading fixtures.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

/// A tensor of a fixture as f64, whatever it was stored as.
#[derive(Clone, Debug)]
pub struct Stored {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Stored {
    pub fn f32(&self) -> Vec<f32> {
        self.data.iter().map(|&x| x as f32).collect()
    }

    pub fn i32(&self) -> Vec<i32> {
        self.data.iter().map(|&x| x as i32).collect()
    }
}

/// A file of named tensors.
pub struct Fixture(Vec<(String, Stored)>);

impl Fixture {
    pub fn open(name: &str) -> Fixture {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        Fixture(
            file.tensors()
                .into_iter()
                .map(|(name, view)| {
                    let bytes = view.data();
                    let data = match view.dtype() {
                        Dtype::F32 => read(bytes, |b| f32::from_le_bytes(b).into()),
                        Dtype::F64 => read(bytes, f64::from_le_bytes),
                        Dtype::I64 => read(bytes, |b| i64::from_le_bytes(b) as f64),
                        Dtype::BOOL => read(bytes, |[b]| b.into()),
                        other => panic!("{name} is {other:?}"),
                    };
                    (name, Stored { shape: view.shape().to_vec(), data })
                })
                .collect(),
        )
    }

    pub fn get(&self, name: &str) -> &Stored {
        self.find(name).unwrap_or_else(|| panic!("no tensor {name}"))
    }

    pub fn find(&self, name: &str) -> Option<&Stored> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, stored)| stored)
    }

    /// Names before the first dot, each once, in order.
    pub fn cases(&self) -> Vec<&str> {
        let mut cases: Vec<&str> = self.0.iter().filter_map(|(n, _)| Some(n.split_once('.')?.0)).collect();
        cases.sort_unstable();
        cases.dedup();
        cases
    }
}

fn read<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.chunks_exact(N).map(|b| number(b.try_into().expect("N bytes"))).collect()
}

/// The largest difference, relative to the largest number expected.
pub fn difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let size = expected.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    let apart = |(a, b): (&f64, &f64)| if a.is_nan() { f64::INFINITY } else { (a - b).abs() };
    got.iter().zip(expected).map(apart).fold(0.0, f64::max) / size
}
