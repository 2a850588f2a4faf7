//! MNIST's idx files of images.
#![no_main]

#[path = "../../systems/phase/tests/corpus/images.rs"]
mod images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = images::read(bytes);
});
