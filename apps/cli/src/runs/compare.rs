//! `bessemer runs compare`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bessemer::train::RunRecord;
use serde_json::Value;

use super::{name_of, read};
use crate::error::Result;
use crate::{number, output, table};

/// The largest settings file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Put the scores of runs side by side, and the settings that differ
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  bessemer runs compare 2026-11-21-201500-fit-nhits 2026-11-21-203000-fit-nhits")]
pub struct Compare {
    /// Their folders, or their names in the folder that runs lie in
    #[arg(value_name = "RUN", num_args = 2.., required = true)]
    runs: Vec<PathBuf>,
}

impl Compare {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let runs = self.runs.iter().map(|run| read(run)).collect::<Result<Vec<_>>>()?;
        let header: Vec<String> =
            std::iter::once(String::new()).chain(runs.iter().map(|(folder, _)| name_of(folder))).collect();
        let header = || header.iter().map(String::as_str).collect::<Vec<_>>();
        let scores: Vec<BTreeMap<String, String>> = runs.iter().map(|(_, record)| scores(record)).collect();
        let mut text = format!("{}\n", table::words(header(), 1, side_by_side(&scores, false)));
        let settings: Vec<_> = runs.iter().map(|(folder, record)| settings(folder, record)).collect();
        let differing = side_by_side(&settings, true);
        match differing.is_empty() {
            true => text += "\nno setting differs\n",
            false => text += &format!("\n{}\n", table::words(header(), 1, differing)),
        }
        output::print(&text)
    }
}

/// A row for each name that any has; only where they differ, if that is asked for.
fn side_by_side(all: &[BTreeMap<String, String>], differing: bool) -> Vec<Vec<String>> {
    let names: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let row = |name: &String| {
        let values = all.iter().map(|values| values.get(name).cloned().unwrap_or_else(|| "-".into()));
        std::iter::once(name.clone()).chain(values).collect::<Vec<String>>()
    };
    let rows = names.into_iter().map(row);
    rows.filter(|row| !differing || row[2..].iter().any(|value| *value != row[1])).collect()
}

fn scores(record: &RunRecord) -> BTreeMap<String, String> {
    let mut scores = BTreeMap::from([
        ("status".to_string(), record.status.name().to_string()),
        ("time".to_string(), number::seconds(record.seconds)),
    ]);
    for (model, values) in &record.results {
        for (score, value) in values {
            scores.insert(format!("{model}: {}", score.replace('_', " ")), number::digits(*value));
        }
    }
    scores
}

/// All settings by their names with dots, those of each model.
fn settings(folder: &Path, record: &RunRecord) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from([
        ("seed".to_string(), record.seed.to_string()),
        ("version".to_string(), record.version.clone()),
    ]);
    let models = record.results.keys().map(|model| (folder.join(model), format!("{model}: ")));
    for (folder, prefix) in std::iter::once((folder.to_path_buf(), String::new())).chain(models) {
        let path = folder.join("config.toml");
        let small = std::fs::metadata(&path).is_ok_and(|file| file.len() <= BYTES_MAX);
        let text = if small { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let tree = text.parse::<toml::Table>().ok().and_then(|table| serde_json::to_value(table).ok());
        flatten(&prefix, &tree.unwrap_or_default(), &mut settings);
    }
    settings
}

fn flatten(name: &str, tree: &Value, into: &mut BTreeMap<String, String>) {
    match tree {
        Value::Object(form) => {
            for (key, value) in form {
                let dot = if name.is_empty() || name.ends_with(": ") { "" } else { "." };
                flatten(&format!("{name}{dot}{key}"), value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => _ = into.insert(name.into(), text.clone()),
        value => _ = into.insert(name.into(), value.to_string()),
    }
}
