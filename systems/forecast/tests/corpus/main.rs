//! Files that no reader may trip over, `fuzz/seeds`: an answer or an error each, in bounded memory. `fuzz/`
//! mutates the same files and hands them to the same functions.

mod configuration;
mod csv;
mod frequency;
mod model_folder;
#[path = "../../../../learn/train/tests/corpus/outcomes.rs"]
mod outcomes;
mod parquet;
mod seeds;

use outcomes::{outcomes, write};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[test]
fn every_file_is_read_or_refused() {
    // One after the other, as memory is counted.
    insta::assert_snapshot!("configuration", outcomes("configuration", configuration::read));
    insta::assert_snapshot!("csv", outcomes("csv", csv::read));
    insta::assert_snapshot!("frequency", outcomes("frequency", frequency::read));
    insta::assert_snapshot!("model_folder", outcomes("model_folder", model_folder::read));
    // The decoder's own panics become errors. A trace of where they were would count as memory.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    insta::assert_snapshot!("parquet", outcomes("parquet", parquet::read));
}

#[test]
#[ignore = "writes the corpus anew"]
fn make() {
    write("configuration", seeds::configurations());
    write("csv", seeds::csv());
    write("frequency", seeds::frequencies());
    write("model_folder", seeds::descriptions());
    write("parquet", seeds::parquet::files());
}
