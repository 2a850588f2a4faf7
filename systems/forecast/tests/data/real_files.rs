//! Files as people publish them.

use std::time::Instant;

use bessemer_forecast::{ReadOptions, air_passengers, read};

use crate::{data_file, notes, read_data};

#[test]
fn ett_is_wide_and_complete() {
    for (name, rows, frequency) in [("ett/ETTh1.csv", 17_420, "h"), ("ett/ETTm1.csv", 69_680, "15min")] {
        let started = Instant::now();
        let Some(frame) = read_data(name) else { return };
        eprintln!("{name}: read in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        assert_eq!(frame.frequency.to_string(), frequency);
        let ids: Vec<&str> = frame.series.iter().map(|series| series.id.as_str()).collect();
        assert_eq!(ids, ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]);
        for series in &frame.series {
            assert_eq!((series.len(), series.missing()), (rows, 0));
            assert_eq!(frame.time.format(series.start), "2016-07-01 00:00:00");
        }
        let last = &frame.series[6];
        assert_eq!(last.values()[0], 30.531);
        let end = frame.time_of(last, rows).unwrap();
        assert!(frame.time.format(end).starts_with("2018-06-26 20:00:00"));
    }
}

#[test]
fn the_built_in_passengers_are_those_of_the_file() {
    let Some(frame) = read_data("small/air_passengers.csv") else { return };
    let built_in = air_passengers::frame();
    assert_eq!(frame.series, built_in.series);
    assert_eq!((frame.frequency, frame.time), (built_in.frequency, built_in.time));
    let next = frame.time_of(&frame.series[0], 144).unwrap();
    assert_eq!(frame.time.format(next), "1961-01-01");
}

#[test]
fn missing_months_are_masked() {
    let Some(frame) = read_data("small/monthly-milk-incomplete.csv") else { return };
    insta::assert_snapshot!(notes(&frame), @r###"
    the frequency `MS` was taken from the rows
    series `Pounds per cow`: 13 missing `MS` steps are masked
    "###);
    let milk = &frame.series[0];
    assert_eq!((milk.id.as_str(), milk.len()), ("Pounds per cow", 14 * 12));
    assert_eq!(frame.time.format(milk.start), "1962-01");
    // September 1963 is the first that is missing.
    assert_eq!(milk.observed().unwrap().iter().position(|seen| !seen), Some(20));
}

#[test]
fn a_long_file_has_a_series_for_each_id() {
    let Some(frame) = read_data("small/electricity-with-exogenous.csv") else { return };
    insta::assert_snapshot!(notes(&frame), @r###"
    columns not used: `Exogenous1`, `Exogenous2`, `day_0`, `day_1`, `day_2`, `day_3`, `day_4`, `day_5`, `day_6`
    the frequency `h` was taken from the rows
    "###);
    let shape: Vec<_> = frame.series.iter().map(|series| (series.id.as_str(), series.len())).collect();
    assert_eq!(shape.len(), 4);
    insta::assert_snapshot!(format!("{shape:?}"), @r#"[("BE", 1680), ("DE", 1680), ("FR", 1680), ("NP", 1680)]"#);
}

#[test]
fn other_published_files_read() {
    for (name, series, frequency) in [
        ("small/monthly-sunspots.csv", 1, "MS"),
        ("small/m5_sales_exog.csv", 8, "D"),
        ("m4/Hourly-train.csv", 414, "1"),
        ("m4/yearly-train.parquet", 23_000, "1"),
    ] {
        let Some(frame) = read_data(name) else { return };
        assert_eq!((frame.series.len(), frame.frequency.to_string().as_str()), (series, frequency), "{name}");
    }
}

#[test]
fn a_file_without_times_says_so() {
    let Some(path) = data_file("small/australian_tourism.csv") else { return };
    let error = read(path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("there is no time column"), "{error}");
}
