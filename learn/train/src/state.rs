//! The state of a training of any kind, as named arrays in a safetensors file whose every bit is accounted for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytemuck::Pod;
use safetensors::tensor::Dtype;
use sha2::{Digest, Sha256};

use crate::tensors::{Tensor, parse, serialize};
use crate::weights::hexadecimal;

/// The form of the files.
const FORMAT: &str = "bessemer state 1";
/// The array that holds the text.
const TEXT: &str = "text";

/// Numbers that a state may hold.
pub trait Number: Pod + sealed::Typed {}

impl<T: Pod + sealed::Typed> Number for T {}

mod sealed {
    use safetensors::tensor::Dtype;

    /// What a type is called in the file.
    pub trait Typed {
        const DTYPE: Dtype;
    }

    macro_rules! typed {
        ($($number:ty: $dtype:ident),*) => {
            $(impl Typed for $number {
                const DTYPE: Dtype = Dtype::$dtype;
            })*
        };
    }
    typed!(u8: U8, i8: I8, i16: I16, i32: I32, u64: U64, f32: F32);
}

/// What a training carries: arrays by name, and a text for all that is no array. [`Checkpoints`](crate::Checkpoints)
/// writes and reads it.
///
/// ```
/// use bessemer_train::{Checkpoints, State};
///
/// let folder = tempfile::tempdir()?;
/// let folder = folder.path().to_path_buf();
/// let checkpoints = Checkpoints { folder, every: 1, keep: 1, resume: true, about: String::new() };
/// let mut state = State::new("epochs = 3");
/// state.put("indices", &[1i16, -2, 3]);
/// checkpoints.write_state(3, &state)?;
/// let read = checkpoints.latest_state(1 << 20, &mut |mut state| state.take::<i16>("indices", 3))?;
/// assert_eq!(read.unwrap().0, [1, -2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    arrays: BTreeMap<String, (Dtype, Vec<u8>)>,
}

impl State {
    /// Of nothing but a text.
    pub fn new(text: &str) -> State {
        let mut state = State::default();
        state.put(TEXT, text.as_bytes());
        state
    }

    /// Adds an array, in place of any of that name.
    pub fn put<T: Number>(&mut self, name: &str, values: &[T]) {
        let bytes = bytemuck::cast_slice(values).to_vec();
        self.arrays.insert(name.to_string(), (T::DTYPE, bytes));
    }

    /// Hands an array over.
    ///
    /// # Errors
    /// If there is none of that name, or it is of another type or length.
    pub fn take<T: Number>(&mut self, name: &str, len: usize) -> Result<Vec<T>, String> {
        let (dtype, bytes) =
            self.arrays.remove(name).ok_or_else(|| format!("lacks `{name}`, which this training has"))?;
        let found = bytes.len() / size_of::<T>();
        if dtype != T::DTYPE || found != len {
            let wanted = T::DTYPE;
            return Err(format!("`{name}` is {found} of {dtype}, but this training has {len} of {wanted}"));
        }
        Ok(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
    }

    /// Hands the text over.
    ///
    /// # Errors
    /// If there is none.
    pub fn take_text(&mut self) -> Result<String, String> {
        let (_, bytes) = self.arrays.remove(TEXT).ok_or("lacks its text")?;
        String::from_utf8(bytes).map_err(|error| format!("its text is none: {error}"))
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        let tensor = |(dtype, bytes): &(Dtype, Vec<u8>)| {
            let shape = vec![bytes.len() * 8 / dtype.bitsize()];
            Tensor { dtype: *dtype, shape, data: Cow::Owned(bytes.clone()) }
        };
        let tensors = self.arrays.iter().map(|(name, array)| (name.clone(), tensor(array))).collect();
        let entries = [("format", FORMAT.to_string()), ("sha256", self.checksum())];
        serialize(tensors, entries.map(|(name, value)| (name.to_string(), value)).into())
    }

    /// The state in the bytes of a file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<State, String> {
        let damaged = |e: &dyn std::fmt::Display| format!("not a whole checkpoint ({e}); use an earlier one");
        let (file, mut header) = parse(bytes).map_err(|e| damaged(&e))?;
        let format = header.remove("format").unwrap_or_default();
        if format != FORMAT {
            return Err(format!("its format is `{format:.60}`, but this training reads `{FORMAT}`"));
        }
        let mut state = State::default();
        for (name, tensor) in file.tensors() {
            if tensor.shape().len() != 1 {
                return Err(damaged(&format!("`{name:.60}` is no list")));
            }
            state.arrays.insert(name, (tensor.dtype(), tensor.data().to_vec()));
        }
        let checksum = header.remove("sha256");
        if checksum != Some(state.checksum()) || !header.is_empty() {
            return Err(damaged(&"its checksum is another"));
        }
        Ok(state)
    }

    /// Of names, types, lengths and numbers.
    fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for (name, (dtype, bytes)) in &self.arrays {
            hash.update(format!("{name} {dtype} {}\n", bytes.len()));
            hash.update(bytes);
        }
        hexadecimal(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut state = State::new("epochs = 3\n");
        state.put("a", &[1i8, -1]);
        state.put("b", &[i16::MIN, i16::MAX]);
        state.put("c", &[-7i32]);
        state.put("d", &[u64::MAX, 0]);
        state.put("e", &[f32::NAN, -0.0]);
        state.put::<f32>("none", &[]);
        state
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut read = State::parse(&state().bytes().unwrap()).unwrap();
        assert_eq!(read, state());
        assert_eq!(read.take_text().unwrap(), "epochs = 3\n");
        assert_eq!(read.take::<i16>("b", 2).unwrap(), [i16::MIN, i16::MAX]);
        assert_eq!(read.take::<u64>("d", 2).unwrap(), [u64::MAX, 0]);
        let floats: Vec<u32> = read.take::<f32>("e", 2).unwrap().into_iter().map(f32::to_bits).collect();
        assert_eq!(floats, [f32::NAN.to_bits(), (-0.0f32).to_bits()]);
        assert!(read.take::<f32>("none", 0).unwrap().is_empty());
        assert_eq!(read.take::<i8>("b", 2).unwrap_err(), "lacks `b`, which this training has");
        let said = read.take::<i8>("a", 3).unwrap_err();
        assert_eq!(said, "`a` is 2 of I8, but this training has 3 of I8");
        assert!(read.take::<f32>("c", 1).unwrap_err().contains("`c` is 1 of I32"));
    }

    #[test]
    fn every_bit_is_accounted_for() {
        let whole = state().bytes().unwrap();
        for cut in 0..whole.len() {
            assert!(State::parse(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(State::parse(&flipped).is_err(), "bit {bit}");
        }
        let mut longer = whole;
        longer.push(0);
        assert!(State::parse(&longer).is_err());
    }
}
