//! Tensors as safetensors files: the same bytes for the same content, and every claim checked.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

/// A tensor to be written.
pub(crate) struct Tensor<'a> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Cow<'a, [u8]>,
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// What a file begins with.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Entry>,
}

/// Where a tensor lies.
#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Bytes of the length that a file begins with.
const LENGTH: usize = size_of::<u64>();

/// A whole file, with `metadata` in its header.
pub(crate) fn serialize(
    tensors: Vec<(String, Tensor)>,
    metadata: BTreeMap<String, String>,
) -> Result<Vec<u8>, String> {
    let unordered = metadata.clone().into_iter().collect();
    let mut bytes = safetensors::serialize(tensors, Some(unordered)).map_err(|e| e.to_string())?;
    // Metadata comes in any order, another each time: it is put in order here, in as many bytes.
    let length = bytes.first_chunk::<LENGTH>().map_or(0, |length| u64::from_le_bytes(*length) as usize);
    let header = &bytes[LENGTH..LENGTH + length];
    let header: Header = serde_json::from_slice(header).map_err(|e| e.to_string())?;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let metadata: Vec<String> =
        metadata.iter().map(|(k, v)| format!("{}:{}", quoted(k), quoted(v))).collect();
    let mut ordered = format!("{{\"__metadata__\":{{{}}}", metadata.join(","));
    for (name, entry) in header.tensors {
        let entry = serde_json::to_string(&entry).map_err(|e| e.to_string())?;
        ordered += &format!(",{}:{entry}", quoted(&name));
    }
    ordered += "}";
    if ordered.len() > length {
        return Err("a header that takes more space in order than out of it".into());
    }
    let (text, rest) = bytes[LENGTH..LENGTH + length].split_at_mut(ordered.len());
    text.copy_from_slice(ordered.as_bytes());
    rest.fill(b' ');
    Ok(bytes)
}

/// The tensors of a file, and the metadata in its header.
pub(crate) fn parse(bytes: &[u8]) -> Result<(SafeTensors<'_>, HashMap<String, String>), String> {
    let mut metadata = HashMap::new();
    if let Some((header, rest)) = split(bytes) {
        let header: Header = serde_json::from_slice(header).map_err(|e| format!("its header: {e}"))?;
        // The library adds up where tensors end before it compares that with the file, and the sum of what
        // a header claims may overflow.
        for (name, Entry { data_offsets: [from, to], .. }) in &header.tensors {
            if from > to || *to > rest.len() {
                let rest = rest.len();
                return Err(format!("`{name:.60}` would lie in bytes {from} to {to} of {rest}"));
            }
        }
        metadata = header.metadata.unwrap_or_default();
    }
    // Whatever else is wrong with it, the library says.
    Ok((SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?, metadata))
}

/// The header and what follows it, if the file is as long as it says.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// 32-bit floats.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_has_the_same_bytes() {
        let file = || {
            let tensor = |value: f32| Tensor {
                dtype: Dtype::F32,
                shape: vec![1],
                data: Cow::Owned(value.to_le_bytes().to_vec()),
            };
            let names = ["b", "a \"quoted\"", "ü"];
            let tensors =
                names.iter().zip([1.0, 2.0, 3.0]).map(|(n, x)| (n.to_string(), tensor(x))).collect();
            let entries = (0..20).map(|i| (format!("key {i}"), format!("value\n{i}"))).collect();
            serialize(tensors, entries).unwrap()
        };
        let bytes = file();
        assert!((0..20).all(|_| file() == bytes));
        let (read, metadata) = parse(&bytes).unwrap();
        assert_eq!(floats(read.tensor("a \"quoted\"").unwrap().data()).next(), Some(2.0));
        assert_eq!(metadata["key 7"], "value\n7");
    }
}
