//! How a run that did not finish can go on.

use std::path::{Path, PathBuf};

use bessemer::train::{Checkpoints, RunRecord};

use super::repeat::value_of;
use crate::interrupt;

/// How a run that did not finish can go on.
pub struct GoingOn {
    /// From where, in a sentence.
    pub from: String,
    /// The command, for the folder that the run was begun in.
    pub command: String,
}

impl GoingOn {
    /// For the run in a folder.
    pub fn of(folder: &Path, record: &RunRecord) -> GoingOn {
        let trains = |what: &str| is_of(record, ["forecast", what]);
        let tunes = record.arguments.iter().any(|word| word == "--tune");
        if trains("backtest") && !tunes {
            let from = "It can go on; models that were trained are not trained again.".into();
            return GoingOn { from, command: resumed(folder, record) };
        }
        let can_go_on = trains("fit") || is_of(record, ["waves", "fit"]) || trains_phases(record);
        if let Some(step) = latest_step(folder, record).filter(|_| can_go_on) {
            let unit = if trains_phases(record) { "epoch" } else { "step" };
            let from = format!("It can go on from its last checkpoint, after {unit} {step}.");
            return GoingOn { from, command: resumed(folder, record) };
        }
        let name = place(folder, record).display().to_string();
        let command = format!("bessemer runs repeat {}", interrupt::quoted(&name));
        GoingOn { from: "It left no checkpoint, so that it can only begin again.".into(), command }
    }
}

fn is_of(record: &RunRecord, command: [&str; 2]) -> bool {
    record.arguments.windows(2).any(|words| words == command)
}

/// Whether a run trains a phase graph, whose steps are epochs.
pub fn trains_phases(record: &RunRecord) -> bool {
    is_of(record, ["phase", "train"])
}

/// The run's own command with what makes it go on.
fn resumed(folder: &Path, record: &RunRecord) -> String {
    let mut words = record.arguments.clone();
    if value_of(&words, "--run").is_none() {
        words.push(format!("--run={}", place(folder, record).display()));
    }
    if !words.iter().any(|word| word == "--resume") {
        words.push("--resume".into());
    }
    let words: Vec<String> = words.iter().map(|word| interrupt::quoted(word)).collect();
    format!("bessemer {}", words.join(" "))
}

/// The run's folder, as it is seen from where it was begun.
fn place(folder: &Path, record: &RunRecord) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    absolute.strip_prefix(&record.folder).map(Path::to_path_buf).unwrap_or(absolute)
}

/// The step of its latest checkpoint.
fn latest_step(folder: &Path, record: &RunRecord) -> Option<u64> {
    let named = value_of(&record.arguments, "--checkpoints").map(|named| record.folder.join(named));
    let folder = named.unwrap_or_else(|| folder.join("checkpoints"));
    let checkpoints = Checkpoints { folder, every: 0, keep: 1, resume: true, about: String::new() };
    let latest = checkpoints.files().ok()?.into_iter().next()?;
    latest.file_stem()?.to_str()?.strip_prefix("step-")?.parse().ok()
}
