//! CSV and Parquet files of labelled samples.
#![no_main]

#[path = "../../systems/phase/tests/corpus/samples.rs"]
mod samples;

libfuzzer_sys::fuzz_target!(
    init: {
        // The reader makes errors of the decoder's panics; those that get here end the run all the same.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        _ = samples::read(bytes);
    }
);
