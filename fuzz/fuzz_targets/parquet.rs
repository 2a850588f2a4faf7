//! Parquet files.
#![no_main]

#[path = "../../systems/forecast/tests/corpus/parquet.rs"]
mod parquet;

libfuzzer_sys::fuzz_target!(
    init: {
        // The reader makes errors of the decoder's panics; those that get here end the run all the same.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        _ = parquet::read(bytes);
    }
);
