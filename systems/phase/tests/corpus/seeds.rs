//! The files: real ones, and what could be done to them.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use bessemer_kernels::pool::Pool;
use bessemer_phase::data::{Columns, Table};
use bessemer_phase::{Classifier, FitOptions, Settings};
use bessemer_train::data::Split;
use parquet::arrow::ArrowWriter;

type Files = Vec<(&'static str, Vec<u8>)>;

/// MNIST's files.
pub fn images() -> Files {
    let whole = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6];
    let with = |place: usize, byte: u8| {
        let mut bytes = whole.to_vec();
        bytes[place] = byte;
        bytes
    };
    vec![
        ("whole", whole.to_vec()),
        ("cut", whole[..18].to_vec()),
        ("header_only", whole[..16].to_vec()),
        ("empty", Vec::new()),
        ("many_images", with(4, 255)),
        ("no_points", with(15, 0)),
        ("floats", with(2, 13)),
        ("no_gzip", b"\x1f\x8b\x08\0\0\0\0\0".to_vec()),
    ]
}

/// CSV and Parquet files.
pub fn samples() -> Files {
    let texts = [
        ("named", "x,y,kind\n1,2,a\n3,4,b\n"),
        ("unnamed", "1,2,a\n3,4,b\n"),
        ("comments", "# made by hand\n1,2,3\n\n4,5,6\n"),
        ("byte_order_mark", "\u{feff}x,kind\n1,a\n"),
        ("empty", ""),
        ("names_only", "x,kind"),
        ("ragged", "x,kind\n1,a,b\n"),
        ("quote_left_open", "x,kind\n\"1,a\n"),
        ("nan_and_infinity", "x,kind\nnan,a\ninf,b\n"),
        ("beyond_floats", "x,kind\n1e999,a\n"),
        ("no_label", "x,kind\n1,\n"),
        ("one_column", "1\n2\n"),
        ("binary", "x,\0\n"),
    ];
    let mut files: Files = texts.into_iter().map(|(name, text)| (name, text.as_bytes().to_vec())).collect();
    files.push(("not_utf8", b"x,kind\n\xff,a\n".to_vec()));
    files.push(("many_columns", "1,".repeat(40_000).into_bytes()));
    files.extend(parquet());
    files
}

/// Parquet files, which are told by what is in them.
fn parquet() -> Files {
    let whole = |rows: usize, class: &dyn Fn(usize) -> Option<String>| {
        let x: ArrayRef = Arc::new((0..rows).map(|row| Some(row as f32)).collect::<Float32Array>());
        let kind: ArrayRef = Arc::new((0..rows).map(class).collect::<StringArray>());
        let columns = [("x", x, true), ("kind", kind, true)];
        let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of equal length");
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("rows");
        writer.close().expect("a footer");
        bytes
    };
    let usual = whole(4, &|row| Some(["a", "b"][row % 2].into()));
    let with = |place: usize, byte: u8| {
        let mut bytes = usual.clone();
        bytes[place] ^= byte;
        bytes
    };
    let end = usual.len() - 8;
    // A class that takes more than it may, in one value that stands for all rows.
    let long = "a".repeat(2 << 10);
    vec![
        ("parquet", usual.clone()),
        ("parquet_cut", usual[..usual.len() / 2].to_vec()),
        ("parquet_footer_is_long", with(end + 2, 1)),
        ("parquet_flipped_in_a_page", with(40, 1)),
        ("parquet_flipped_in_the_footer", with(end - 60, 255)),
        ("parquet_no_label", whole(4, &|row| (row < 3).then(|| "a".into()))),
        ("parquet_no_rows", whole(0, &|_| None)),
        ("parquet_long_class", whole(2000, &|_| Some(long.clone()))),
        ("parquet_many_classes", whole(1025, &|row| Some(row.to_string()))),
    ]
}

/// Exported graphs.
pub fn graphs() -> Files {
    let table = Table {
        columns: Columns { features: vec!["x".into(), "y".into()], ..Columns::default() },
        values: (0..40).map(|i| i as f32).collect(),
        classes: vec!["a".into(), "b".into()],
        labels: (0..20).map(|i| i % 2).collect(),
        is_image: false,
    };
    let split = Split { train: (0..20).collect(), validation: Vec::new(), test: Vec::new() };
    let settings = Settings {
        inputs: 3,
        intermediate: 4,
        outputs: 2,
        cardinality: 2,
        dimensions: 1,
        phases: 8,
        magnitudes: 8,
        ..Settings::default()
    };
    let options = FitOptions { epochs: 1, ..FitOptions::default() };
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let fitted = Classifier::fit(&table, &split, &settings, &options, &Pool::new(1), go_on);
    let whole = fitted.expect("settings that are sound").0.export();
    let with = |place: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[place] = byte;
        bytes
    };
    vec![
        ("whole", whole.clone()),
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("header_only", whole[..72].to_vec()),
        ("empty", Vec::new()),
        ("many_features", with(10, 255)),
        ("many_nodes", with(18, 255)),
        ("more_inputs_than_nodes", with(20, 9)),
        ("edges_that_fall", with(72, 9)),
        ("for_ever", with(8 + 4 * 11 + 3, 255)),
    ]
}
