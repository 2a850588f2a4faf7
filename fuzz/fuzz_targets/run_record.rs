//! The record of a run.
#![no_main]

#[path = "../../learn/train/tests/corpus/run_folder.rs"]
mod run_folder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = run_folder::record(bytes);
});
