//! Sounds.
#![no_main]

#[path = "../../systems/waves/tests/corpus/wav.rs"]
mod wav;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = wav::read(bytes);
});
