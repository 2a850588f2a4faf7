//! What is recognised without being told.

use bessemer_forecast::{Frame, Layout, ReadOptions};

use crate::{notes, read_text};

/// Ids, starts and values of a frame in one line for each series.
fn show(frame: &Frame) -> String {
    let series = |series: &bessemer_forecast::Series| {
        let cells: Vec<String> = (0..series.len())
            .map(|row| match series.history().is_observed(row) {
                true => series.values()[row].to_string(),
                false => "_".to_string(),
            })
            .collect();
        format!(
            "{} {} {}: {}\n",
            series.id,
            frame.time.format(series.start),
            frame.frequency,
            cells.join(" ")
        )
    };
    frame.series.iter().map(series).collect()
}

#[test]
fn layouts_and_names_are_recognised() {
    for (text, expected) in [
        ("unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\n", "a 2024-01-01 D: 1 2\n"),
        ("item_id,timestamp,target\na,2024-01-01,1\na,2024-01-02,2\n", "a 2024-01-01 D: 1 2\n"),
        ("id,date,value\na,1,1\nb,1,5\na,2,2\nb,2,6\n", "a 1 1: 1 2\nb 1 1: 5 6\n"),
        ("unique_id,ds,sales\na,2024-01-01,1\na,2024-01-02,2\n", "a 2024-01-01 D: 1 2\n"),
        ("ds,y\n2024-01-01,1\n2024-01-02,2\n", "sales 2024-01-01 D: 1 2\n"),
        ("\"Month\",\"Pounds\"\n\"1962-01\",1\n\"1962-02\",2\n\n", "Pounds 1962-01 MS: 1 2\n"),
        ("date,a,b\n2024-01-01,1,3\n2024-01-02,2,4\n", "a 2024-01-01 D: 1 2\nb 2024-01-01 D: 3 4\n"),
        ("a;when;b\n1;2024-01-01;3\n", ""),
        ("when;a\n2024-01-01 10:00;1\n2024-01-01 10:15;2\n", "a 2024-01-01 10:00 15min: 1 2\n"),
        ("date\ta\n2024-01-01\t1\n2024-01-02\t2\n", "a 2024-01-01 D: 1 2\n"),
        ("\u{feff}date,a\r\n2024-01-01,1\r\n2024-01-02,2\r\n", "a 2024-01-01 D: 1 2\n"),
        ("V1,V2,V3,V4\nY1,1,2,3\nY2,4,,\n", "Y1 1 1: 1 2 3\nY2 1 1: 4\n"),
        (
            "date,a\n2024-01-01,1\n2024-01-02,NA\n2024-01-03,\n2024-01-05,nan\n2024-01-06,2\n",
            "a 2024-01-01 D: 1 _ _ _ _ 2\n",
        ),
        ("date,a\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n", "a 2024-01-01 D: 1 2 3\n"),
    ] {
        match read_text(text, &ReadOptions::default()) {
            Ok(frame) => assert_eq!(show(&frame), expected, "{text}"),
            Err(error) => assert!(expected.is_empty(), "{text}\n{error}"),
        }
    }
}

#[test]
fn options_choose_what_is_not_recognised() {
    let text = "shop,when,sold,value\na,2024-01-01,1,9\na,2024-01-02,2,9\n";
    let options = ReadOptions {
        id: Some("shop".into()),
        time: Some("when".into()),
        target: Some("sold".into()),
        ..ReadOptions::default()
    };
    let frame = read_text(text, &options).unwrap();
    assert_eq!(show(&frame), "a 2024-01-01 D: 1 2\n");
    assert!(notes(&frame).contains("columns not used: `value`"), "{}", notes(&frame));

    let wide = ReadOptions { layout: Layout::Wide, ..ReadOptions::default() };
    let frame = read_text("date,value,other\n2024-01-01,1,3\n2024-01-02,2,4\n", &wide).unwrap();
    assert_eq!(show(&frame), "value 2024-01-01 D: 1 2\nother 2024-01-01 D: 3 4\n");

    let weekly = ReadOptions { frequency: Some("2h".parse().unwrap()), ..ReadOptions::default() };
    let frame = read_text("date,a\n2024-01-01 00:00,1\n2024-01-01 04:00,2\n", &weekly).unwrap();
    assert_eq!(show(&frame), "a 2024-01-01 00:00 2h: 1 _ 2\n");
}

#[test]
fn rows_out_of_order_are_sorted_and_noted() {
    let text = "unique_id,ds,y\na,2024-01-03,3\nb,2024-01-01,7\na,2024-01-01,1\nb,2024-01-02,8\n";
    let daily = ReadOptions { frequency: Some("D".parse().unwrap()), ..ReadOptions::default() };
    let frame = read_text(text, &daily).unwrap();
    assert_eq!(show(&frame), "a 2024-01-01 D: 1 _ 3\nb 2024-01-01 D: 7 8\n");
    insta::assert_snapshot!(notes(&frame), @r###"
    rows were not in the order of time; sorted
    series `a`: 1 missing `D` step is masked
    "###);
}

#[test]
fn notes_of_many_series_are_summed_up() {
    let header: String = (0..15).map(|n| format!(",c{n}")).collect();
    let text = format!("date{header}\n2024-01-01{}\n2024-01-02{}\n", ",1".repeat(15), ",".repeat(15));
    let frame = read_text(text, &ReadOptions::default()).unwrap();
    assert_eq!(frame.notes.len(), 1 + 10 + 1);
    assert_eq!(frame.notes[11].to_string(), "5 more series: 5 missing values are masked");
}
