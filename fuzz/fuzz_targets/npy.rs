//! NumPy's arrays.
#![no_main]

#[path = "../../systems/waves/tests/corpus/npy.rs"]
mod npy;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = npy::read(bytes);
});
