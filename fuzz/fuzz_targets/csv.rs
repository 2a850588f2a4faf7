//! CSV files.
#![no_main]

#[path = "../../systems/forecast/tests/corpus/csv.rs"]
mod csv;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = csv::read(bytes);
});
