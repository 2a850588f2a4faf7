//! Names of frequencies.
#![no_main]

#[path = "../../systems/forecast/tests/corpus/frequency.rs"]
mod frequency;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = frequency::read(bytes);
});
