//! Files that no reader may trip over, `fuzz/seeds`: an answer or an error each, in bounded memory. `fuzz/`
//! mutates the same files and hands them to the same functions.

mod checkpoint;
mod outcomes;
mod seeds;
mod weights;

use outcomes::{outcomes, write};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn every_file_is_read_or_refused() {
    // One after the other, as memory is counted.
    insta::assert_snapshot!("weights", outcomes("weights", weights::read));
    insta::assert_snapshot!("checkpoint", outcomes("checkpoint", checkpoint::read));
}

#[test]
#[ignore = "writes the corpus anew"]
fn make() {
    write("weights", seeds::weights());
    write("checkpoint", seeds::checkpoints());
}
