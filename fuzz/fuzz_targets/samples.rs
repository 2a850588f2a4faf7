//! CSV files of labelled samples.
#![no_main]

#[path = "../../systems/phase/tests/corpus/samples.rs"]
mod samples;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = samples::read(bytes);
});
