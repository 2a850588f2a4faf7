//! A run's metrics.
#![no_main]

#[path = "../../learn/train/tests/corpus/run_folder.rs"]
#[allow(dead_code)] // the other target has the other reader
mod run_folder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = run_folder::metrics(bytes);
});
