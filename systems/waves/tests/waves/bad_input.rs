//! Files and signals that are refused, or have a stated result.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use bessemer_plan::Pool;
use bessemer_waves::{Model, Note, Part, ReadOptions, Signal, Split, WaveFitter, models, read};
use parquet::arrow::ArrowWriter;

use crate::{small_models, steps};

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| name.to_string()).collect())
}

/// What is said of a file, without the folder that it is in.
fn said(folder: &Path, name: &str, contents: &[u8], options: &ReadOptions) -> String {
    let path = folder.join(name);
    std::fs::write(&path, contents).unwrap();
    match read(&path, options) {
        Ok(signal) => format!(
            "{name}: {} points of {:?}, {:?}",
            signal.len(),
            signal.axes().join(" "),
            signal.channels().join(" ")
        ),
        Err(error) => error.to_string().replace(&format!("{}/", folder.display()), ""),
    }
}

#[test]
fn tables_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let usual = ReadOptions::default();
    let axes = |axes: &[&str]| ReadOptions { axes: names(axes), ..ReadOptions::default() };
    let both = |axes: &[&str], values: &[&str]| ReadOptions {
        axes: names(axes),
        values: names(values),
        ..ReadOptions::default()
    };
    let values = |values: &[&str]| ReadOptions { values: names(values), ..ReadOptions::default() };
    let header = |header| ReadOptions { header: Some(header), ..ReadOptions::default() };
    let many = format!("a,b,c,d,e,f,g,h,i,j\n{}\n", ["1"; 10].join(","));
    let mut messages = Vec::new();
    for (text, options) in [
        ("x,y\n1,2\n3,4\n", &usual),
        ("y\n2\n4\n", &usual),
        ("x;t;y\n1;2;3\n", &usual),
        ("x,y,z\n1,2,3\n", &axes(&["x"])),
        ("x,y,z\n1,2,3\n", &values(&["x"])),
        ("x,y,z\n1,2,3\n", &both(&["z"], &["x"])),
        ("x,y,z\n1,2,3\n", &both(&[], &["x"])),
        ("x,y,z\n1,2,3\n", &axes(&["Z"])),
        ("x,y,z\n1,2,3\n", &both(&["x"], &["x"])),
        ("x,y,z\n1,2,3\n", &axes(&["x", "y", "z"])),
        ("x,y\n1,2\n\n3,\n", &usual),
        ("x,y\nnan,2\n", &usual),
        ("x,y\n1,high\n", &usual),
        ("x,y\n1,1e60\n", &usual),
        ("x,y\n1,2,3\n", &usual),
        ("x,y\n", &usual),
        ("0,1\n1,2\n", &usual),
        ("0,1\n1,2\n", &header(true)),
        ("0,1\n1,2\n", &header(false)),
        ("x,y,y\n1,2,3\n", &usual),
        ("x,y,y\n1,2,3\n", &both(&["x"], &["y"])),
        ("x,x,t,y\n1,1,2,3\n", &both(&["t"], &["y"])),
        ("", &usual),
        (&many, &usual),
        ("PK\x03\x04", &usual),
    ] {
        messages.push(said(folder.path(), "a.csv", text.as_bytes(), options));
    }
    messages.push(said(folder.path(), "a.png", b"", &axes(&["x"])));
    messages.push(said(folder.path(), "a.png", b"hello", &usual));
    messages.push(said(folder.path(), "a.wav", b"RIFF", &usual));
    messages.push(said(folder.path(), "a.npy", b"\x93NUMPY\x01\x00\xff\xff{", &usual));
    messages.push(said(folder.path(), "a.jpeg", b"", &usual));
    let missing = read(folder.path().join("none.wav"), &usual).unwrap_err().to_string();
    messages.push(missing.replace(&format!("{}/", folder.path().display()), ""));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn parquet_files_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(Float64Array::from(vec![0.5, 1.5]))),
        ("name", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("n", Arc::new(Int32Array::from(vec![Some(3), None]))),
        ("y", Arc::new(Int32Array::from(vec![7, -8]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    // In the order asked for, not in the file's.
    let signal =
        read(&path, &ReadOptions { axes: names(&["y"]), values: names(&["x"]), ..ReadOptions::default() })
            .unwrap();
    assert_eq!((signal.points(), signal.values()), (&[7.0, -8.0][..], &[0.5, 1.5][..]));
    let refused = |values: &str| {
        let options = ReadOptions { axes: names(&["x"]), values: names(&[values]), ..ReadOptions::default() };
        read(&path, &options).unwrap_err().to_string()
    };
    assert!(refused("name").contains("column `name` has the type Utf8, which is not a number"));
    assert!(
        refused("n").contains("row 2, column `n`: \"null\" is missing; fill it in, or leave the row"),
        "{}",
        refused("n")
    );
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert!(refused("y").contains("cannot be read as Parquet"));
}

#[test]
fn a_single_point_and_constant_signals_have_a_stated_result() {
    let pool = Pool::new(1);
    let one = Signal::new(&["x", "t"], vec![3.0, 4.0], &["y"], vec![5.0]).unwrap();
    let constant =
        Signal::new(&["x", "t"], (0..20).map(|n| n as f32).collect(), &["y"], vec![-7.5; 10]).unwrap();
    for model in small_models() {
        for signal in [&one, &constant] {
            let split = Split::all(signal);
            let mut fitted = WaveFitter::fit(signal, &split, &model, &steps(30), &pool).unwrap();
            let outcome = fitted.evaluate(signal, &split, &pool).unwrap();
            let score = outcome.score(Part::Training).unwrap();
            assert_eq!((score.mean_mse, score.psnr), (0.0, None));
            // Values are scaled by 1 around their mean; what is left is what the model has not yet unlearned.
            assert!(score.mse < 0.5, "{}: {}", model.name(), score.mse);
            let has = |note: &Note| outcome.notes.contains(note);
            assert!(has(&Note::ConstantChannel { channel: "y".into() }), "{:?}", outcome.notes);
            assert_eq!(has(&Note::ConstantAxis { axis: "t".into() }), signal.len() == 1);
            assert!(outcome.notes.iter().any(|note| note.to_string().contains("can learn them by heart")));
        }
    }
}

#[test]
fn fits_that_make_no_sense_are_refused() {
    let signal = Signal::new(&["x"], vec![0.0, 1.0, 2.0], &["y"], vec![1.0, 2.0, 4.0]).unwrap();
    let (split, pool) = (Split::all(&signal), Pool::new(1));
    let siren = Model::by_name("siren").unwrap();
    let refused = |signal: &Signal, split: &Split, model: &Model, options| {
        WaveFitter::fit(signal, split, model, &options, &pool).err().unwrap().to_string()
    };
    let five = Signal::new(&["a", "b", "c", "d", "e"], vec![0.0; 5], &["y"], vec![0.0]).unwrap();
    let mut wild = steps(5);
    wild.train.learning_rate = 1e38;
    let mut int8 = steps(5);
    int8.precision = bessemer_plan::Precision::Int8;
    let mut none = steps(5);
    none.batch = Some(0);
    let beyond = Split { train: vec![5], ..split.clone() };
    let empty = Split { train: vec![], interleaved: vec![1], ..split.clone() };
    let wide = Model::Siren(models::Siren { width: 0, ..Default::default() });
    for (error, expected) in [
        (
            refused(&five, &Split::all(&five), &Model::by_name("grid").unwrap(), steps(1)),
            "5 axes is beyond the 4",
        ),
        (
            refused(&signal, &split, &siren, int8),
            "integers of 8 bits cannot be trained; use f32, bf16 or f16",
        ),
        (refused(&signal, &split, &siren, none), "batch: it is 0; give 1 or more"),
        (refused(&signal, &split, &siren, steps(0)), "steps is 0: take at least one"),
        (refused(&signal, &split, &siren, wild), "lower the learning rate"),
        (refused(&signal, &beyond, &siren, steps(1)), "there is no point 5 in a signal of 3"),
        (refused(&signal, &empty, &siren, steps(1)), "1 of 3 points are held out, which leaves none"),
        (refused(&signal, &split, &wide, steps(1)), "model `siren`: width is 0"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let mut fitted = WaveFitter::fit(&signal, &split, &siren, &steps(1), &pool).unwrap();
    let error = fitted.predict(&[0.0, f32::NAN], &pool).unwrap_err().to_string();
    assert!(error.contains("point 1: `x` is NaN"), "{error}");
}
