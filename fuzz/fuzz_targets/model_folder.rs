//! The description in a saved model's folder.
#![no_main]

#[path = "../../systems/forecast/tests/corpus/model_folder.rs"]
mod model_folder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = model_folder::read(bytes);
});
