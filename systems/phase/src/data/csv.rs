//! CSV files.

use std::path::Path;

use bessemer_train::read_whole;

use super::{MAX_BYTES, ReadOptions, Table, numbered};
use crate::error::{Error, Result};
use crate::settings::MAX_FEATURES;

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Table> {
    let failed = |problem: String| Error::File { path: path.to_path_buf(), problem };
    let bytes = read_whole(path, MAX_BYTES).map_err(|e| failed(e.to_string()))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text[..text.len().min(4096)].contains(&0) {
        return Err(failed("it holds binary data; give a CSV file or MNIST's idx files".into()));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text);
    let mut record = csv::StringRecord::new();
    let (mut columns, mut chosen): (Option<Columns>, Vec<String>) = (None, Vec::new());
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let remedy = match error.kind() {
                    csv::ErrorKind::UnequalLengths { .. } => "every row must have as many columns",
                    _ => "save it as UTF-8",
                };
                return Err(failed(format!("{error}; {remedy}")));
            }
        }
        let line = record.position().map_or(0, |position| position.line());
        let is_first = columns.is_none();
        let columns = match &columns {
            Some(columns) => columns,
            None => columns.insert(Columns::find(&record, options).map_err(failed)?),
        };
        if is_first {
            chosen = columns.features.iter().map(|place| columns.names[*place].clone()).collect();
            if columns.is_named {
                continue;
            }
        }
        for place in &columns.features {
            let cell = &record[*place];
            let value = cell.parse::<f32>().ok().filter(|value| value.is_finite());
            values.push(value.ok_or_else(|| {
                let name = &columns.names[*place];
                failed(format!("line {line}, column `{name:.40}`: `{cell:.40}` is no number; leave the row or the column out"))
            })?);
        }
        let label = &record[columns.label];
        if label.is_empty() {
            return Err(failed(format!("line {line}: the label is empty; leave the row out")));
        }
        labels.push(label.to_string());
    }
    if labels.is_empty() {
        return Err(failed("no rows; give a file with samples".into()));
    }
    let (classes, labels) = numbered(&labels, path)?;
    Ok(Table { names: chosen, values, classes, labels, is_image: false })
}

/// What the columns are.
struct Columns {
    names: Vec<String>,
    is_named: bool,
    label: usize,
    features: Vec<usize>,
}

impl Columns {
    /// From the first row: names, unless all but the last cell are numbers.
    fn find(first: &csv::StringRecord, options: &ReadOptions) -> Result<Columns, String> {
        let count = first.len();
        if !(2..=MAX_FEATURES + 1).contains(&count) {
            return Err(format!("{count} columns, but there must be 2 to {}", MAX_FEATURES + 1));
        }
        let is_number = |cell: &str| cell.parse::<f32>().is_ok();
        let is_named = !first.iter().take(count - 1).any(is_number);
        let names: Vec<String> = match is_named {
            true => first.iter().map(String::from).collect(),
            false => (1..=count).map(|number| number.to_string()).collect(),
        };
        let place = |name: &String| {
            let found = names.iter().position(|other| other == name);
            let numbered = || name.parse::<usize>().ok().filter(|n| (1..=count).contains(n)).map(|n| n - 1);
            found.or_else(numbered).ok_or_else(|| {
                let known: Vec<String> = names.iter().take(12).map(|name| format!("{name:.30}")).collect();
                format!("no column `{name:.40}`; there are {}", known.join(", "))
            })
        };
        let label = options.label.as_ref().map_or(Ok(count - 1), place)?;
        let features = match options.features.is_empty() {
            true => (0..count).filter(|place| *place != label).collect(),
            false => options.features.iter().map(place).collect::<Result<Vec<_>, _>>()?,
        };
        if features.contains(&label) {
            return Err(format!("column `{:.40}` is the label and cannot be a feature, too", names[label]));
        }
        Ok(Columns { names, is_named, label, features })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ReadOptions, read};

    fn read_text(text: &str, options: &ReadOptions) -> Result<super::Table, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        std::fs::write(&path, text).unwrap();
        read(&path, options)
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "data.csv"))
    }

    #[test]
    fn columns_are_found_by_name_or_place() {
        let text = "# made by hand\na,kind,b\n1,10,2\n3,9,4\n";
        let by = |label: Option<&str>, features: &[&str]| {
            let features = features.iter().map(|name| name.to_string()).collect();
            read_text(text, &ReadOptions { label: label.map(String::from), features }).unwrap()
        };
        let table = by(Some("kind"), &[]);
        assert_eq!(
            (&table.names[..], &table.values[..]),
            (&["a".into(), "b".into()][..], &[1., 2., 3., 4.][..])
        );
        // Numbers are in their own order, not in that of letters.
        assert_eq!((&table.classes[..], &table.labels[..]), (&["9".into(), "10".into()][..], &[1, 0][..]));
        assert_eq!(by(Some("2"), &["b"]).values, [2., 4.]);
        assert_eq!(by(None, &[]).values, [1., 10., 3., 9.]);
        let unnamed = read_text("1,2,x\n3,4,y\n", &ReadOptions::default()).unwrap();
        assert_eq!((unnamed.len(), &unnamed.names[..]), (2, &["1".to_string(), "2".to_string()][..]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let said = |text: &str, label: Option<&str>| {
            let options = ReadOptions { label: label.map(String::from), ..ReadOptions::default() };
            read_text(text, &options).unwrap_err()
        };
        insta::assert_snapshot!(
            [
                said("", None),
                said("a,b\n", None),
                said("a,b\nmany,x\n1,y\n", None),
                said("a,b\n1,\n1,y\n", None),
                said("a,b\n1,2,3\n", None),
                said("a,b\n1,x\ninf,y\n", None),
                said("a,b\n1,2\n", Some("c")),
                said("a\n1\n", None),
                said("a,b\n\0,x\n", None),
            ]
            .join("\n")
        );
    }
}
