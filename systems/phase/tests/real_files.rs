//! Handwritten digits, where they are.

use std::ops::ControlFlow;
use std::path::PathBuf;

use bessemer_kernels::pool::Pool;
use bessemer_phase::data::{ReadOptions, Table, read};
use bessemer_phase::{Classifier, FitOptions, Settings};
use bessemer_train::data::Split;

/// A file in the folder that `BESSEMER_DATA` names, or `shared/data` beside the repository.
fn file(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("BESSEMER_DATA").map_or(beside.into(), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("SKIPPED: {} is not there", path.display());
    }
    path.exists().then_some(path)
}

fn test_accuracy(table: &Table, split: &Split, epochs: usize) -> f64 {
    let options = FitOptions { epochs, seed: 1, ..FitOptions::default() };
    let pool = Pool::new(2);
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let (classifier, _) =
        Classifier::fit(table, split, &Settings::default(), &options, &pool, go_on).unwrap();
    let (_, tally) = classifier.classify(table, &split.test, &pool).unwrap();
    assert_eq!(tally.silent, 0);
    tally.accuracy()
}

/// After 4 of the 30 epochs that `bessemer bench phase` takes; chance is 10 %.
#[test]
fn digits_of_other_writers_are_recognised() {
    let (Some(learn), Some(test)) = (file("small/optdigits.tra"), file("small/optdigits.tes")) else {
        return;
    };
    let mut table = read(&learn, &ReadOptions::default()).unwrap();
    let count = table.len();
    assert_eq!((table.features(), table.classes.len()), (64, 10));
    table.append(read(&test, &ReadOptions::default()).unwrap(), "test").unwrap();
    assert_eq!(table.len() - count, 1797);
    let split = Split::by_fraction(count, 0.1, 0.0, 1).unwrap();
    let found = test_accuracy(&table, &Split { test: (count..table.len()).collect(), ..split }, 4);
    assert!(found > 0.75, "{found}");
}

/// After one epoch of 2,000 images.
#[test]
fn images_are_read_and_recognised() {
    let Some(path) = file("mnist/t10k-images-idx3-ubyte.gz") else { return };
    let table = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!((table.len(), table.features(), table.classes.len()), (10_000, 784, 10));
    assert!(table.is_image);
    let split = Split {
        train: (0..2000).collect(),
        validation: (2000..2200).collect(),
        test: (2200..3000).collect(),
    };
    let found = test_accuracy(&table, &split, 2);
    assert!(found > 0.5, "{found}");
}
