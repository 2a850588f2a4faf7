//! Files that no reader may trip over, `fuzz/seeds`: an answer or an error each, in bounded memory. `fuzz/`
//! mutates the same files and hands them to the same functions.

mod npy;
#[path = "../../../../learn/train/tests/corpus/outcomes.rs"]
mod outcomes;
mod png;
mod seeds;
mod wav;

use outcomes::{outcomes, write};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn every_file_is_read_or_refused() {
    // One after the other, as memory is counted.
    insta::assert_snapshot!("npy", outcomes("npy", npy::read));
    insta::assert_snapshot!("png", outcomes("png", png::read));
    insta::assert_snapshot!("wav", outcomes("wav", wav::read));
}

#[test]
#[ignore = "writes the corpus anew"]
fn make() {
    write("npy", seeds::npy());
    write("png", seeds::png());
    write("wav", seeds::wav());
}
