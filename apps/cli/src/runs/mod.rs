//! `bessemer runs`: what was trained so far.

mod compare;
mod going_on;
mod kept;
mod list;
mod repeat;
mod show;
mod study;

use std::path::{Path, PathBuf};

use bessemer::train::RunRecord;

pub use going_on::{GoingOn, trains_phases};
pub use kept::{KeptRun, RunFolderArgs};
pub use study::{KeptStudy, Part, Trained};

use crate::error::Result;

/// List, show, compare and repeat trainings by their run folders
///
/// Every training command keeps a folder: run.toml (command, version, machine, scores), config.toml (all
/// settings as used), metrics.jsonl and metrics.csv, event files for TensorBoard, log.txt, checkpoints
/// and report.html. They lie in `runs`, or in the folder that BESSEMER_RUNS names; if that is empty, none are kept.
#[derive(clap::Subcommand)]
#[command(after_help = "\
Example:
  bessemer runs list
  bessemer runs compare 2026-11-21-201500-fit-nhits 2026-11-21-203000-fit-nhits")]
pub enum Runs {
    List(list::List),
    Show(show::Show),
    Compare(compare::Compare),
    Repeat(repeat::Repeat),
}

impl Runs {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        match self {
            Runs::List(list) => list.run(),
            Runs::Show(show) => show.run(),
            Runs::Compare(compare) => compare.run(),
            Runs::Repeat(repeat) => repeat.run(),
        }
    }
}

/// The configuration file that a command was given, as the run keeps it.
const GIVEN: &str = "given.toml";

/// Where runs are kept, if they are.
fn runs_folder() -> Option<PathBuf> {
    match std::env::var_os("BESSEMER_RUNS") {
        None => Some("runs".into()),
        Some(folder) if folder.is_empty() => None,
        Some(folder) => Some(folder.into()),
    }
}

/// The folder of a run, given by its path or by its name alone.
fn find(run: &Path) -> PathBuf {
    let named = runs_folder().map(|runs| runs.join(run));
    named.filter(|named| !run.is_dir() && named.is_dir()).unwrap_or_else(|| run.to_path_buf())
}

/// A run and what is known of it.
fn read(run: &Path) -> Result<(PathBuf, RunRecord)> {
    let folder = find(run);
    let record = RunRecord::read(&folder)?;
    Ok((folder, record))
}

/// The name of a run's folder.
pub fn name_of(folder: &Path) -> String {
    let name = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    name.file_name().map_or(folder.display().to_string(), |name| name.to_string_lossy().into())
}

/// The command of a run, as it would be typed.
pub fn command_of(record: &RunRecord) -> String {
    let words = record.arguments.iter().map(|word| crate::interrupt::quoted(word));
    std::iter::once("bessemer".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}
