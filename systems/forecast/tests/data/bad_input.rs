//! What is refused, and whether the message tells the place, the value and the remedy.

use std::path::Path;

use bessemer_forecast::{ReadOptions, read};

use crate::read_text;

/// The message for a file with this text, its folder left out.
fn refused(text: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let message = read_text(text, options).expect_err("the file was read").to_string();
    let path = message.split('`').nth(1).unwrap_or_default().to_string();
    let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    message.replacen(&path, &name, 1)
}

#[test]
fn every_refusal_says_where_what_and_what_to_do() {
    let cases: [(&str, &str); 23] = [
        ("empty file", ""),
        ("header only", "unique_id,ds,y\n"),
        ("not a number", "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,abc\n"),
        ("decimal comma", "ds;y\n2024-01-01;1,5\n"),
        ("infinite", "ds,y\n2024-01-01,1\n2024-01-02,inf\n"),
        ("beyond single precision", "ds,y\n2024-01-01,1e60\n"),
        ("not a date", "ds,y\n2024-01-01,1\nsoon,2\n"),
        ("American date", "ds,y\n01/31/2024,1\n"),
        ("no such day", "ds,y\n2024-02-30,1\n"),
        ("offset", "ds,y\n2024-01-01T00:00:00+02:00,1\n"),
        ("number among dates", "ds,y\n2024-01-01,1\n7,2\n"),
        ("empty id", "unique_id,ds,y\n,2024-01-01,1\n"),
        ("ragged row", "ds,y\n2024-01-01,1\n2024-01-02,2,3\n"),
        (
            "duplicate timestamp",
            "unique_id,ds,y\na,2024-01-01,1\nb,2024-01-01,1\na,2024-01-02,2\na,2024-01-01,3\n",
        ),
        (
            "off the grid",
            "ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:00,2\n2024-01-01 02:40,3\n",
        ),
        ("wrong century", "ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2924-01-01 02:00,3\n"),
        ("one row", "ds,y\n2024-01-01,1\n"),
        ("no time column", "a,b\n1,2\n"),
        ("no target column", "unique_id,ds,sales,price\na,2024-01-01,1,2\n"),
        ("only a time column", "date\n2024-01-01\n"),
        ("duplicate column", "date,a,a\n2024-01-01,1,2\n"),
        ("duplicate series", "V1,V2\nY1,1\nY1,2\n"),
        ("web page", "<!DOCTYPE html>\n<html>"),
    ];
    let messages: String = cases
        .iter()
        .map(|(name, text)| format!("{name}: {}\n", refused(text, &ReadOptions::default())))
        .collect();
    insta::assert_snapshot!(messages, @r###"
    empty file: `sales.csv`: there are no rows of data; add rows or read another file
    header only: `sales.csv`: there are no rows of data below the header; add rows or read another file
    not a number: `sales.csv`: row 3, column `y`: "abc" is not a number; write it with a decimal point, or leave the cell empty if the value is missing
    decimal comma: `sales.csv`: row 2, column `y`: "1,5" is not a number; write it with a decimal point, or leave the cell empty if the value is missing
    infinite: `sales.csv`: row 3, column `y`: "inf" is infinite or beyond single precision; correct it, or leave the cell empty if the value is missing
    beyond single precision: `sales.csv`: row 2, column `y`: "1e60" is infinite or beyond single precision; correct it, or leave the cell empty if the value is missing
    not a date: `sales.csv`: row 3, column `ds`: "soon" is not a date like those above it; write it as 2016-07-01 or 2016-07-01 00:00:00, without an offset
    American date: `sales.csv`: row 2, column `ds`: "01/31/2024" is not a date or a whole number; write dates as 2016-07-01 or 2016-07-01 00:00:00, without an offset
    no such day: `sales.csv`: row 2, column `ds`: "2024-02-30" is not a date or a whole number; write dates as 2016-07-01 or 2016-07-01 00:00:00, without an offset
    offset: `sales.csv`: row 2, column `ds`: "2024-01-01T00:00:00+02:00" is not a date or a whole number; write dates as 2016-07-01 or 2016-07-01 00:00:00, without an offset
    number among dates: `sales.csv`: row 3, column `ds`: "7" is not a date like those above it; write it as 2016-07-01 or 2016-07-01 00:00:00, without an offset
    empty id: `sales.csv`: row 2, column `unique_id`: the series has no name; fill in its id
    ragged row: `sales.csv`: row 3: 3 cells, but the header has 2; complete the row, or quote a cell that contains the separator
    duplicate timestamp: `sales.csv`: series `a`: 2024-01-01 appears twice, in row 2 and row 5; remove one of the rows, or name the column that tells the series apart as the id
    off the grid: `sales.csv`: row 5: series `sales`: 2024-01-01 02:40 is not a whole number of steps of `h` after 2024-01-01 00:00; correct it, resample to a regular grid, or give the frequency
    wrong century: `sales.csv`: row 4: series `sales`: reaching 2924-01-01 02:00 in steps of `h` takes 7889234 steps for 3 rows of data, more than is allowed (100 per row + 10,000); correct the timestamp or give the frequency
    one row: `sales.csv`: the frequency cannot be told, since no series has two timestamps; give the frequency, such as `h`
    no time column: `sales.csv`: there is no time column (`ds`, `timestamp`, `date`, `datetime`, `time`); the columns are `a`, `b`; name it with the option `time`
    no target column: `sales.csv`: there is no target column (`y`, `target`, `value`); the columns are `unique_id`, `ds`, `sales`, `price`; name it with the option `target`
    only a time column: `sales.csv`: there is no target column (`y`, `target`, `value`); the columns are `date`; name it with the option `target`
    duplicate column: `sales.csv`: the column `a` appears twice; rename one of them
    duplicate series: `sales.csv`: series `Y1`: its name appears twice, in row 2 and row 3; remove one of the rows, or name the column that tells the series apart as the id
    web page: `sales.csv`: not a CSV file: it is a web page or XML; download the file itself
    "###);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let text = "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\n";
    let default = ReadOptions::default;
    let cases = [
        ("missing column", ReadOptions { target: Some("Y".into()), ..default() }),
        ("missing id", ReadOptions { id: Some("shop".into()), ..default() }),
        ("frequency of numbers", ReadOptions { frequency: Some("1".parse().unwrap()), ..default() }),
        ("frequency too coarse", ReadOptions { frequency: Some("W".parse().unwrap()), ..default() }),
        ("rows", ReadOptions { rows_max: 1, ..default() }),
        ("bytes", ReadOptions { bytes_max: 20, ..default() }),
    ];
    let messages: String =
        cases.iter().map(|(name, options)| format!("{name}: {}\n", refused(text, options))).collect();
    insta::assert_snapshot!(messages, @r###"
    missing column: `sales.csv`: there is no target column `Y`; the columns are `unique_id`, `ds`, `y`; did you mean `y`?
    missing id: `sales.csv`: there is no id column `shop`; the columns are `unique_id`, `ds`, `y`; choose one of these
    frequency of numbers: `sales.csv`: the frequency `1` does not fit a time column of dates; give a name such as `h`, `D` or `MS`
    frequency too coarse: `sales.csv`: row 3: series `a`: 2024-01-02 is not a whole number of steps of `W` after 2024-01-01; correct it, resample to a regular grid, or give the frequency
    rows: `sales.csv`: 2 rows or more is over the limit of 1; split the file or raise `rows_max`
    bytes: `sales.csv`: 45 bytes is over the limit of 20; split the file or raise `bytes_max`
    "###);
}

#[test]
fn other_formats_are_named() {
    for (contents, part) in [
        (&b"PK\x03\x04rest"[..], "Excel workbook"),
        (b"\x1f\x8b\x08rest", "compressed"),
        (b"\xff\xfed\0s\0", "UTF-16"),
        (b"{\"a\": 1}", "JSON"),
        (b"ds,y\n\0\0\0", "binary"),
        (b"ds,y\n2024-01-01,1\n2024-01-02,\xe9\n", "row 3 is not UTF-8"),
    ] {
        let message = refused(contents, &ReadOptions::default());
        assert!(message.contains("not a CSV file") && message.contains(part), "{message}");
    }
    let message = read("no/such/file.csv", &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.starts_with("`no/such/file.csv`: cannot open the file"), "{message}");
    assert!(read(".", &ReadOptions::default()).is_err());
}

#[test]
fn rows_are_counted_as_an_editor_does() {
    let text = "ds,y\n\n2024-01-01,\"1\"\n\n\n2024-01-02,x\n";
    for text in [text.to_string(), text.replace('\n', "\r\n")] {
        let message = refused(&text, &ReadOptions::default());
        assert!(message.contains("row 6, column `y`"), "{message}");
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    // Every prefix of a file, and the file with each byte replaced.
    let text = b"unique_id,ds,y\na,2024-01-31,1\n\"b\",2024-02-29,\n";
    for end in 0..text.len() {
        let _ = read_text(&text[..end], &ReadOptions::default());
        for byte in [b'"', b',', b'\n', b'9', 0xff] {
            let mut changed = text.to_vec();
            changed[end] = byte;
            let _ = read_text(&changed, &ReadOptions::default());
        }
    }
}

#[test]
fn a_line_of_too_many_cells_is_refused_before_it_is_read() {
    let line = ",".repeat(10 << 20);
    for (text, row) in [(format!("ds,y{line}\n1,2\n"), 1), (format!("ds,y\n1,2\n{line}\n"), 3)] {
        let message = refused(text, &ReadOptions::default());
        let expected = format!("row {row}: more than 1048576 cells; split the file by its columns");
        assert!(message.ends_with(&expected), "{message}");
    }
    // A single cell of that length is a cell like others.
    let message = refused(format!("ds,y\n1,{}\n", "9".repeat(10 << 20)), &ReadOptions::default());
    assert!(message.contains("row 2, column `y`") && message.len() < 300, "{} bytes", message.len());
    let message = refused(format!("{}\n1\n", "a".repeat(10 << 20)), &ReadOptions::default());
    assert!(message.contains("there is no time column") && message.len() < 400, "{} bytes", message.len());
}
