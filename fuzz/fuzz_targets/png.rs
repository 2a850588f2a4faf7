//! Images.
#![no_main]

#[path = "../../systems/waves/tests/corpus/png.rs"]
mod png;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = png::read(bytes);
});
