//! `bessemer runs list`.

use std::path::PathBuf;

use bessemer::train::{ListedRun, RunRecord, list_runs};

use super::{runs_folder, trains_phases};
use crate::error::{CliError, Result};
use crate::output::{self, JsonTarget};
use crate::{number, table};

/// List runs, oldest first, with the scores that they ended with
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  bessemer runs list

With --json:
  [{\"name\", \"started\", \"status\", \"problem\", \"seconds\", \"seed\", \"threads\", \"version\", \"arguments\",
    \"folder\", \"data\": {\"path\", \"bytes\", \"sha256\"}, \"test_data\", \"machine\",
    \"results\": {MODEL: {SCORE: number}}}]")]
pub struct List {
    /// The folder that runs lie in [default: `runs`, or that of BESSEMER_RUNS]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Write the list as JSON; with `-` to stdout, where then nothing else is printed
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

impl List {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let Some(folder) = self.folder.clone().or_else(runs_folder) else {
            return Err(CliError::argument(
                "BESSEMER_RUNS",
                "it is empty, so no runs are kept",
                "name a folder",
            ));
        };
        self.json.iter().try_for_each(JsonTarget::check)?;
        // The usual place is there once something was trained.
        let runs = if self.folder.is_none() && !folder.exists() { Vec::new() } else { list_runs(&folder)? };
        if let Some(json) = &self.json {
            let records: Vec<_> = runs
                .iter()
                .filter_map(|ListedRun { name, record }| {
                    let mut form = serde_json::to_value(record.as_ref().ok()?).ok()?;
                    form.as_object_mut()?.insert("name".into(), name.as_str().into());
                    Some(form)
                })
                .collect();
            json.write(&records)?;
            if matches!(json, JsonTarget::Stdout) {
                return Ok(());
            }
        }
        if runs.is_empty() {
            return output::print(&format!("no runs in {}\n", folder.display()));
        }
        let mut rows = Vec::new();
        for ListedRun { name, record } in &runs {
            match record {
                Ok(record) => rows.extend(rows_of(name, record)),
                Err(error) => eprintln!("warning: {error}"),
            }
        }
        let header = vec!["run", "status", "time", "model", "loss", "validation", "MAE"];
        output::print(&format!("{}\n", table::words(header, 4, rows)))
    }
}

/// A row for each model.
fn rows_of(name: &str, record: &RunRecord) -> Vec<[String; 7]> {
    let state = || [name.to_string(), record.status.name().to_string(), number::seconds(record.seconds)];
    let row = |[name, status, time]: [String; 3], model: &str, scores: [Option<f64>; 3]| {
        let [loss, validation, mae] = scores.map(|score| score.map_or("-".to_string(), number::digits));
        [name, status, time, model.to_string(), loss, validation, mae]
    };
    if record.results.is_empty() {
        return vec![row(state(), "-", [None; 3])];
    }
    let data = || record.data.as_ref().and_then(|data| Some(data.path.file_name()?.to_string_lossy()));
    let each = record.results.iter().enumerate().map(|(i, (model, scores))| {
        // What all have in common is said once.
        let state = if i == 0 { state() } else { [const { String::new() }; 3] };
        let score = |name: &str| scores.get(name).copied();
        if trains_phases(record) {
            let [name, status, time] = state;
            let model = data().map_or(model.clone(), |data| format!("{model} of {data}"));
            let [test, validation] = ["test_accuracy", "validation_accuracy"].map(|name| {
                score(name).map_or("-".to_string(), |part| format!("{:.1} % right", 100.0 * part))
            });
            return [name, status, time, model, test, validation, "-".into()];
        }
        row(state, model, ["loss", "validation_loss", "mae"].map(score))
    });
    each.collect()
}
