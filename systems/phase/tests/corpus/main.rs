//! Files that no reader may trip over, `fuzz/seeds`: an answer or an error each, in bounded memory. `fuzz/`
//! mutates the same files and hands them to the same functions.

mod images;
#[path = "../../../../learn/train/tests/corpus/outcomes.rs"]
mod outcomes;
mod phase_graph;
mod samples;
mod seeds;

use outcomes::{outcomes, write};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn every_file_is_read_or_refused() {
    // One after the other, as memory is counted.
    insta::assert_snapshot!("images", outcomes("images", images::read));
    insta::assert_snapshot!("phase_graph", outcomes("phase_graph", phase_graph::read));
    insta::assert_snapshot!("samples", outcomes("samples", samples::read));
}

#[test]
#[ignore = "writes the corpus anew"]
fn make() {
    write("images", seeds::images());
    write("phase_graph", seeds::graphs());
    write("samples", seeds::samples());
}
