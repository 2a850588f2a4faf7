//! Weights as safetensors.
#![no_main]

#[path = "../../learn/train/tests/corpus/weights.rs"]
mod weights;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = weights::read(bytes);
});
