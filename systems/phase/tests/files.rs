//! Samples in CSV and Parquet files.

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use bessemer_phase::data::{Columns, Names, ReadOptions, Table, read, read_like};
use parquet::arrow::ArrowWriter;

/// What is read of a file, or said of it.
fn of_file(path: &Path, options: &ReadOptions) -> Result<Table, String> {
    read(path, options).map_err(|error| error.to_string().replace(&path.display().to_string(), "data"))
}

fn of_text(text: &str, options: &ReadOptions) -> Result<Table, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    of_file(&path, options)
}

/// A Parquet file of these columns.
fn parquet(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let columns = columns.iter().map(|(name, array)| (*name, array.clone(), true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn of_bytes(bytes: &[u8], options: &ReadOptions) -> Result<Table, String> {
    let folder = tempfile::tempdir().unwrap();
    // Files are told apart by what is in them.
    let path = folder.path().join("data");
    std::fs::write(&path, bytes).unwrap();
    of_file(&path, options)
}

fn by(label: Option<&str>, features: &[&str]) -> ReadOptions {
    let features = features.iter().map(|name| name.to_string()).collect();
    ReadOptions { label: label.map(String::from), features, ..ReadOptions::default() }
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn columns_are_found_by_name_or_place() {
    let csv = "# made by hand\na;kind;b\n1;10;2\n# more\n3;9;4\n";
    let column = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let file = parquet(&[("a", column([1, 3])), ("kind", column([10, 9])), ("b", column([2, 4]))]);
    let same = |options: &ReadOptions| {
        let table = of_text(csv, options).unwrap();
        assert_eq!(of_bytes(&file, options).unwrap(), table, "{options:?}");
        table
    };
    let table = same(&by(Some("kind"), &[]));
    assert_eq!((&table.columns.features, &table.values[..]), (&texts(&["a", "b"]), &[1., 2., 3., 4.][..]));
    // Numbers are in their own order, not in that of letters.
    assert_eq!((&table.classes, &table.labels[..]), (&texts(&["9", "10"]), &[1, 0][..]));
    assert_eq!(same(&by(Some("2"), &["b", "a"])).values, [2., 1., 4., 3.]);
    assert_eq!(same(&by(None, &[])).values, [1., 10., 3., 9.]);
}

/// The values of a file that are found by what was learned from, and its classes; or what is said.
fn found(text: &str, options: &ReadOptions, known: &Columns) -> Result<(Vec<f32>, Vec<String>), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).unwrap();
    let table = read_like(&path, options, known);
    let said = |error: bessemer_phase::Error| error.to_string().replace(&path.display().to_string(), "data");
    table.map_err(said).map(|table| (table.values.clone(), table.classes))
}

#[test]
fn features_are_those_of_the_same_names() {
    let known = of_text("b,kind,a\n2,y,1\n", &by(Some("kind"), &[])).unwrap().columns;
    assert_eq!(
        (&known.features, known.label.as_deref(), known.named),
        (&texts(&["b", "a"]), Some("kind"), true)
    );
    let usual = ReadOptions::default();
    let unlabelled = ReadOptions { labelled: false, ..usual.clone() };
    let expected = (vec![2., 1.], texts(&["y"]));
    for text in ["b,kind,a\n2,y,1\n", "a,b,kind\n1,2,y\n", "id,kind,a,more,b\n7,y,1,none,2\n"] {
        assert_eq!(found(text, &usual, &known).as_ref(), Ok(&expected), "{text}");
        assert_eq!(found(text, &unlabelled, &known).unwrap().0, expected.0, "{text}");
    }
    let file = parquet(&[
        ("kind", Arc::new(StringArray::from(vec!["y"])) as ArrayRef),
        ("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("b", Arc::new(Int64Array::from(vec![2])) as ArrayRef),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, file).unwrap();
    assert_eq!(read_like(&path, &usual, &known).unwrap().values, expected.0);
    assert_eq!(found("a,b\n1,2\n", &unlabelled, &known).unwrap().0, expected.0);
    // Another label may be asked for, and columns that hold those that were learned from.
    assert_eq!(found("a,b,sort\n1,2,y\n", &by(Some("sort"), &[]), &known), Ok(expected.clone()));
    assert_eq!(found("a,b,c,kind\n1,2,3,y\n", &by(None, &["a", "b", "c"]), &known), Ok(expected.clone()));
    // Without names, places are all there is.
    assert_eq!(found("2,1,y\n", &usual, &known), Ok(expected.clone()));
    assert_eq!(found("2,1\n", &unlabelled, &known).unwrap().0, expected.0);
    let said = |text: &str, options: &ReadOptions| found(text, options, &known).unwrap_err();
    insta::assert_snapshot!(
        [
            said("a,c,kind\n1,2,y\n", &usual),
            said("a,b\n1,2\n", &usual),
            said("a,b,b,kind\n1,2,3,y\n", &usual),
            said("a,b,c,kind\n1,2,3,y\n", &by(None, &["a", "c"])),
            said("a,b,c\n1,2,y\n", &by(Some("b"), &[])),
        ]
        .join("\n")
    );
}

#[test]
fn columns_without_names_are_found_by_their_numbers() {
    let usual = ReadOptions::default();
    let unlabelled = ReadOptions { labelled: false, ..usual.clone() };
    // The label first, and a column that is left out.
    let known = of_text("7,2,9,1\n", &by(Some("1"), &["2", "4"])).unwrap().columns;
    assert_eq!(
        (&known.features, known.label.as_deref(), known.named),
        (&texts(&["2", "4"]), Some("1"), false)
    );
    assert_eq!(found("7,2,9,1\n", &usual, &known), Ok((vec![2., 1.], texts(&["7"]))));
    // Also where there are names, which may be numbers.
    let named = ReadOptions { header: Names::First, ..usual.clone() };
    assert_eq!(found("0,1,2,3\n7,2,9,1\n", &named, &known), Ok((vec![2., 1.], texts(&["7"]))));
    assert_eq!(found("2,1\n", &unlabelled, &known).unwrap().0, [2., 1.]);
    assert_eq!(found("0,2,9,1\n", &unlabelled, &known).unwrap().0, [2., 1.]);
    // One feature alone is no name, where no class follows it.
    let single = of_text("2,7\n", &usual).unwrap().columns;
    assert_eq!(found("2\n3\n", &unlabelled, &single).unwrap().0, [2., 3.]);
    assert_eq!(found("x\n3\n", &unlabelled, &single).unwrap().0, [3.]);
    // What was all of a file is not a part of a wider one.
    let known = of_text("2,1,7\n", &usual).unwrap().columns;
    assert_eq!(found("2,1,7\n", &usual, &known), Ok((vec![2., 1.], texts(&["7"]))));
    assert_eq!(found("2,1,5,7\n", &usual, &known).unwrap().0.len(), 3, "for the model to refuse");
    assert_eq!(found("7,2,1\n", &by(Some("1"), &[]), &known), Ok((vec![2., 1.], texts(&["7"]))));
}

#[test]
fn the_first_line_is_names_or_a_sample() {
    let header = |header| ReadOptions { header, ..ReadOptions::default() };
    let of = |text: &str, names| {
        let table = of_text(text, &header(names)).unwrap();
        (table.columns.features.join(" "), table.classes.join(" "), table.len())
    };
    let found = |names: &str, classes: &str, len| (names.to_string(), classes.to_string(), len);
    assert_eq!(of("1,2,x\n3,4,y\n", Names::Guessed), found("1 2", "x y", 2));
    assert_eq!(of("one,2,x\n3,4,y\n", Names::First), found("one 2", "y", 1));
    assert_eq!(of("0,1,kind\n3,4,y\n", Names::First), found("0 1", "y", 1));
    assert_eq!(of("0,1,kind\n3,4,y\n", Names::Numbered), found("1 2", "kind y", 2));
}

#[test]
fn classes_of_every_type_are_those_of_the_same_text() {
    let x = ("x", Arc::new(Float32Array::from(vec![0.5, 1.5, 2.5])) as ArrayRef);
    let looked_up: DictionaryArray<Int8Type> = ["ten", "two", "ten"].into_iter().collect();
    let labels: [(ArrayRef, [&str; 3]); 5] = [
        (Arc::new(Int64Array::from(vec![10, 2, 10])), ["10", "2", "10"]),
        (Arc::new(BooleanArray::from(vec![true, false, true])), ["true", "false", "true"]),
        (Arc::new(looked_up), ["ten", "two", "ten"]),
        (Arc::new(StringArray::from(vec![" a", "b", "a "])), ["a", "b", "a"]),
        (Arc::new(Float64Array::from(vec![1.5, -3.0, 1.5])), ["1.5", "-3.0", "1.5"]),
    ];
    for (label, names) in labels {
        let file = parquet(&[x.clone(), ("kind", label)]);
        let csv = format!("x,kind\n0.5,{}\n1.5,{}\n2.5,{}\n", names[0], names[1], names[2]);
        let table = of_text(&csv, &ReadOptions::default()).unwrap();
        assert_eq!(of_bytes(&file, &ReadOptions::default()).unwrap(), table, "{names:?}");
        assert_eq!((table.classes.len(), table.labels[0]), (2, table.labels[2]));
    }
}

#[test]
fn what_cannot_be_read_of_a_csv_file_is_named() {
    let said = |text: &str, options: &ReadOptions| of_text(text, options).unwrap_err();
    let usual = ReadOptions::default();
    let many: String = (0..1025).map(|i| format!("1,{i}\n")).collect();
    let long = format!("x,kind\n1,{}\n", "a".repeat(1001));
    insta::assert_snapshot!(
        [
            said("", &usual),
            said("# nothing\n", &usual),
            said("a,b\n", &usual),
            said("a,b\nmany,x\n1,y\n", &usual),
            said("a,b\n1,\n1,y\n", &usual),
            said("a,b\n1,2,3\n", &usual),
            said("1,2\n\n3,4,5\n", &usual),
            said("a,b\n1,x\n# a remark\ninf,y\n", &usual),
            said("a,b\n1,x\nnan,y\n", &usual),
            said("a,b\n1,x\n,y\n", &usual),
            said("a,b\n1,2\n", &by(Some("c"), &[])),
            said("a,b\n1,2\n", &by(None, &["b"])),
            said("a,b,c\n1,2,3\n", &by(None, &["a", "a"])),
            said("a,b,c\n1,2,3\n", &by(None, &["a", "1"])),
            said("a,a,c\n1,2,3\n", &usual),
            said("a,a,c\n1,2,3\n", &by(None, &["a"])),
            said("a\n1\n", &usual),
            said("a,b\n\0,x\n", &usual),
            said("{\"a\": 1}", &usual),
            said(&many, &usual),
            said(&long, &usual),
        ]
        .join("\n")
    );
}

#[test]
fn what_cannot_be_read_of_a_parquet_file_is_named() {
    let said = |columns: &[(&str, ArrayRef)], options: &ReadOptions| {
        of_bytes(&parquet(columns), options).unwrap_err()
    };
    let usual = ReadOptions::default();
    let kind = ("kind", Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef);
    let kinds = |names: [Option<&str>; 2]| ("kind", Arc::new(StringArray::from(names.to_vec())) as ArrayRef);
    let x = |values: [Option<f32>; 2]| ("x", Arc::new(Float32Array::from(values.to_vec())) as ArrayRef);
    let sound = x([Some(1.0), Some(2.0)]);
    let truths = ("x", Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef);
    let none = ("x", Arc::new(Float32Array::from(Vec::<f32>::new())) as ArrayRef);
    let no_kind = ("kind", Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef);
    let whole = parquet(&[sound.clone(), kind.clone()]);
    let mut longer = whole.clone();
    let end = longer.len() - 8;
    longer[end..end + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let cut = &whole[..whole.len() / 2];
    insta::assert_snapshot!(
        [
            said(&[x([Some(1.0), None]), kind.clone()], &usual),
            said(&[x([Some(f32::NAN), None]), kind.clone()], &usual),
            said(&[x([Some(1.0), Some(f32::INFINITY)]), kind.clone()], &usual),
            said(&[sound.clone(), kinds([Some("a"), None])], &usual),
            said(&[sound.clone(), kinds([Some(" "), Some("a")])], &usual),
            said(&[kind.clone(), sound.clone()], &usual),
            said(&[truths, kind.clone()], &usual),
            said(&[none, no_kind], &usual),
            said(std::slice::from_ref(&sound), &usual),
            said(&[sound.clone(), kind.clone()], &by(Some("label"), &[])),
            said(&[sound.clone(), kind.clone()], &by(None, &["x", "kind"])),
            said(&[sound.clone(), sound, kind], &usual),
            of_bytes(&longer, &usual).unwrap_err(),
            of_bytes(cut, &usual).unwrap_err(),
        ]
        .join("\n")
    );
}
