//! Files that no reader may trip over, `fuzz/seeds`: an answer or an error each, in bounded memory. `fuzz/`
//! mutates the same files and hands them to the same functions.

mod checkpoint;
mod outcomes;
mod run_folder;
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
    insta::assert_snapshot!("run_record", outcomes("run_record", run_folder::record));
    insta::assert_snapshot!("metrics", outcomes("metrics", run_folder::metrics));
}

#[test]
#[ignore = "writes the corpus anew"]
fn make() {
    write("weights", seeds::weights());
    write("checkpoint", seeds::checkpoints());
    write("run_record", seeds::run_records());
    write("metrics", seeds::metrics());
}
