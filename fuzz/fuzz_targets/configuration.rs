//! Configuration files.
#![no_main]

#[path = "../../systems/forecast/tests/corpus/configuration.rs"]
mod configuration;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = configuration::read(bytes);
});
