//! Checkpoints that a training goes on from.
#![no_main]

#[path = "../../learn/train/tests/corpus/checkpoint.rs"]
mod checkpoint;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = checkpoint::read(bytes);
});
