//! Exported phase graphs.
#![no_main]

#[path = "../../systems/phase/tests/corpus/phase_graph.rs"]
mod phase_graph;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = phase_graph::read(bytes);
});
