//! Numbers far from 0: seconds since 1970, large counts.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use bessemer_plan::Pool;
use bessemer_waves::{FitOptions, Greedy, Model, Note, ReadOptions, Signal, Split, WaveFitter, read, write};
use parquet::arrow::ArrowWriter;

use crate::steps;

/// A table of 200 minutes from a second on, with two periods of a wave around a value.
fn table(folder: &Path, name: &str, from: u64, around: u64) -> Signal {
    let row = |n: u64| {
        let y = (n as f64 * std::f64::consts::TAU / 100.0).sin();
        format!("{},{}.{:04}\n", from + 60 * n, around, (5000.0 + 4000.0 * y) as u64)
    };
    let path = folder.join(name);
    std::fs::write(&path, format!("seconds,y\n{}", (0..200).map(row).collect::<String>())).unwrap();
    read(&path, &ReadOptions::default()).unwrap()
}

#[test]
fn where_an_axis_begins_changes_no_bit_of_a_fit() {
    let folder = tempfile::tempdir().unwrap();
    let pool = Pool::new(2);
    let near = table(folder.path(), "near.csv", 0, 0);
    let far = table(folder.path(), "far.csv", 1_700_000_000, 0);
    assert_eq!((near.points(), near.values()), (far.points(), far.values()));
    for (model, greedy) in [("siren", None), ("packets", Some(Greedy { steps: 20, ..Greedy::default() }))] {
        let options = FitOptions { greedy, ..steps(40) };
        let fit = |signal: &Signal| {
            WaveFitter::fit(signal, &Split::all(signal), &Model::by_name(model).unwrap(), &options, &pool)
        };
        let (mut first, mut second) = (fit(&near).unwrap(), fit(&far).unwrap());
        let score = |fitted: &mut WaveFitter, signal: &Signal| {
            fitted.evaluate(signal, &Split::all(signal), &pool).unwrap().scores[0].mse
        };
        assert_eq!(score(&mut first, &near).to_bits(), score(&mut second, &far).to_bits(), "{model}");
        // Elsewhere on the axis there is nothing that was learned.
        assert!(score(&mut second, &near) > 2.0 * score(&mut second, &far), "{model}");
        for (a, b) in first.packets(&near).iter().zip(second.packets(&far)) {
            assert!((a.centre[0] + 1.7e9 - b.centre[0]).abs() < 1e-3, "{a:?} {b:?}");
        }

        // Saved and had again it is where it was, down to the text of every number.
        let place = folder.path().join(model);
        second.save(&place).unwrap();
        let mut loaded = WaveFitter::load(&place).unwrap();
        let [again, rendered] = ["again.csv", "rendered.csv"].map(|name| folder.path().join(name));
        write(&again, &second.reconstruct(&far, &pool).unwrap()).unwrap();
        write(&rendered, &loaded.render(None, &pool).unwrap()).unwrap();
        let text = std::fs::read_to_string(&rendered).unwrap();
        let times: Vec<u64> =
            text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        assert!(times.iter().copied().eq((0..200).map(|n| 1_700_000_000 + 60 * n)), "{text}");
        assert_eq!(text, std::fs::read_to_string(&again).unwrap());
    }
}

#[test]
fn values_far_from_0_are_fitted_by_what_they_differ_by() {
    let (folder, pool) = (tempfile::tempdir().unwrap(), Pool::new(1));
    let near = table(folder.path(), "near.csv", 0, 0);
    let far = table(folder.path(), "far.csv", 0, 900_000_000);
    assert!((far.channel_offset(0) - 900_000_000.1).abs() < 1e-6 && far.channel_offset(0) > 9e8);
    assert!((far.peak() - near.peak()).abs() < 1e-6);
    let fit = |signal: &Signal| {
        let siren = Model::by_name("siren").unwrap();
        let mut fitted = WaveFitter::fit(signal, &Split::all(signal), &siren, &steps(60), &pool).unwrap();
        fitted.evaluate(signal, &Split::all(signal), &pool).unwrap().scores[0].psnr.unwrap()
    };
    // Texts of 4 digits become f64 that differ in the tenth digit of what they differ by.
    assert!((fit(&near) - fit(&far)).abs() < 0.5, "{} and {} dB", fit(&near), fit(&far));
    let path = folder.path().join("again.csv");
    write(&path, &far).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap().lines().nth(26),
        Some("1500,900000000.9"),
        "as it was written"
    );
    assert_eq!(read(&path, &ReadOptions::default()).unwrap(), far);
}

/// `2**60 + numpy.arange(50)`, which not even double precision tells apart.
#[test]
fn whole_numbers_of_64_bits_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (50,), }\n";
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    (0..50).for_each(|n| file.extend(((1i64 << 60) + n).to_le_bytes()));
    std::fs::write(&path, file).unwrap();
    let signal = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(signal.channel_offset(0), (1i64 << 60) as f64);
    assert!(signal.values().iter().copied().eq((0..50).map(|n| n as f32)));
    let table = folder.path().join("a.csv");
    write(&table, &signal).unwrap();
    let text = std::fs::read_to_string(&table).unwrap();
    assert!(text.ends_with("\n49,1152921504606847025\n"), "{text}");
    assert_eq!(read(&table, &ReadOptions::default()).unwrap().values(), signal.values());
}

#[test]
fn parquet_columns_far_from_0_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values((0..5).map(|n| (1i64 << 60) + n)))),
        ("seconds", Arc::new(Float64Array::from_iter_values((0..5).map(|n| 1.7e9 + 0.5 * f64::from(n))))),
        ("y", Arc::new(Int64Array::from_iter_values(0..5))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let signal = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!((signal.axis_offset(0), signal.axis_offset(1)), ((1i64 << 60) as f64, 1.7e9));
    assert_eq!((signal.point(3), signal.value(3)), (&[3.0, 1.5][..], &[3.0][..]));
}

#[test]
fn numbers_that_become_equal_are_told_of() {
    let (folder, pool) = (tempfile::tempdir().unwrap(), Pool::new(1));
    let path = folder.path().join("a.csv");
    let late = (0..40).map(|n| format!("{},{}\n", 1_700_000_000 + n, n % 7)).collect::<String>();
    std::fs::write(&path, format!("seconds,y\n0,1\n{late}")).unwrap();
    let signal = read(&path, &ReadOptions::default()).unwrap();
    let (split, siren) = (Split::all(&signal), Model::by_name("siren").unwrap());
    let mut fitted = WaveFitter::fit(&signal, &split, &siren, &steps(1), &pool).unwrap();
    let notes = fitted.evaluate(&signal, &split, &pool).unwrap().notes;
    let note = notes.iter().find(|note| matches!(note, Note::Merged(_))).unwrap().to_string();
    assert!(note.contains("`seconds`: of 41 different numbers in the file 2 are left"), "{note}");
}
