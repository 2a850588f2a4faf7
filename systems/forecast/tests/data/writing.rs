//! Predictions written and read back.

use bessemer_forecast::{
    Error, Frequency, Predictions, ReadOptions, SeriesPredictions, TimeKind, air_passengers, read,
    write_predictions,
};
use bessemer_tables::TableError;

fn predictions() -> Predictions {
    let frame = air_passengers::frame();
    let start = frame.time_of(&frame.series[0], 144).unwrap();
    let cutoff = frame.time_of(&frame.series[0], 143);
    let series = |id: &str, values| SeriesPredictions { id: id.into(), cutoff, start, values };
    Predictions {
        columns: vec!["naive".into(), "y".into()],
        series: vec![
            series("a", vec![vec![432.0, 431.5], vec![417.0, f32::NAN]]),
            series("b, the second", vec![vec![1e-7, -3.0], vec![0.1, 2.0]]),
        ],
        frequency: frame.frequency,
        time: frame.time,
    }
}

#[test]
fn what_is_written_reads_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["forecast.csv", "forecast.parquet"] {
        let path = folder.path().join(name);
        write_predictions(&path, &predictions()).unwrap();
        for (column, target) in ["naive", "y"].iter().enumerate() {
            let options = ReadOptions { target: Some(target.to_string()), ..ReadOptions::default() };
            let frame = read(&path, &options).unwrap();
            assert_eq!(
                (frame.frequency, frame.time),
                (predictions().frequency, predictions().time),
                "{name}"
            );
            for (series, expected) in frame.series.iter().zip(predictions().series) {
                assert_eq!((&series.id, series.start), (&expected.id, expected.start), "{name}");
                let expected: Vec<f32> =
                    expected.values[column].iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect();
                assert_eq!(series.values(), expected, "{name}");
            }
            assert_eq!(frame.series[0].missing(), column, "{name}");
        }
    }
    let text = std::fs::read_to_string(folder.path().join("forecast.csv")).unwrap();
    insta::assert_snapshot!(text, @r###"
    unique_id,ds,cutoff,naive,y
    a,1961-01-01,1960-12-01,432,417
    a,1961-02-01,1960-12-01,431.5,
    "b, the second",1961-01-01,1960-12-01,0.0000001,0.1
    "b, the second",1961-02-01,1960-12-01,-3,2
    "###);
}

#[test]
fn whole_numbers_stay_whole_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let numbered = Predictions {
        columns: vec!["y".into()],
        series: vec![SeriesPredictions {
            id: "a".into(),
            cutoff: None,
            start: 1990,
            values: vec![vec![1.0, 2.0]],
        }],
        frequency: Frequency::Integer { step: 1 },
        time: TimeKind::Integer,
    };
    for name in ["numbered.csv", "numbered.parquet"] {
        write_predictions(folder.path().join(name), &numbered).unwrap();
        let frame = read(folder.path().join(name), &ReadOptions::default()).unwrap();
        assert_eq!(
            (frame.time, frame.series[0].start, frame.series[0].values()),
            (TimeKind::Integer, 1990, &[1.0, 2.0][..])
        );
    }
}

#[test]
fn a_failure_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecast.csv");
    write_predictions(&path, &predictions()).unwrap();
    let before = std::fs::read(&path).unwrap();

    let mut uneven = predictions();
    uneven.series[1].values[1].pop();
    let error = write_predictions(&path, &uneven).unwrap_err();
    insta::assert_snapshot!(error, @r#"series `b, the second`: column `y` has 1 values where 2 were expected"#);
    let mut endless = predictions();
    endless.series[0].start = 253_402_300_000_000_000;
    assert!(matches!(write_predictions(&path, &endless).unwrap_err(), Error::TimeOutOfRange { step: 1, .. }));
    assert!(matches!(
        write_predictions(folder.path().join("forecast.txt"), &predictions()).unwrap_err(),
        Error::UnknownFormat { .. }
    ));
    assert!(write_predictions(folder.path().join("no/such/folder.csv"), &predictions()).is_err());
    // A folder stands where the file should go.
    std::fs::create_dir(folder.path().join("taken.csv")).unwrap();
    assert!(write_predictions(folder.path().join("taken.csv"), &predictions()).is_err());

    assert_eq!(std::fs::read(&path).unwrap(), before);
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["forecast.csv", "taken.csv"]);
}

#[test]
fn a_damaged_parquet_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecast.parquet");
    write_predictions(&path, &predictions()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let options = ReadOptions { target: Some("naive".into()), ..ReadOptions::default() };
    let damaged = folder.path().join("damaged.parquet");
    for end in (4..bytes.len()).step_by(7) {
        std::fs::write(&damaged, &bytes[..end]).unwrap();
        assert!(
            matches!(read(&damaged, &options), Err(Error::Table(TableError::Parquet { .. }))),
            "cut at {end}"
        );
        let mut changed = bytes.clone();
        changed[end] ^= 0xff;
        std::fs::write(&damaged, &changed).unwrap();
        let _ = read(&damaged, &options);
    }
}
