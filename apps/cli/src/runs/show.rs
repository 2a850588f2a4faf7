//! `bessemer runs show`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bessemer::train::{DataFile, RunStatus};

use super::{GoingOn, command_of, name_of, read};
use crate::error::Result;
use crate::{number, output, table};

/// Show one run: its command, machine, scores and files
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  bessemer runs show 2026-11-21-201500-fit-nhits")]
pub struct Show {
    /// Its folder, or its name in the folder that runs lie in
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

impl Show {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let (folder, record) = read(&self.run)?;
        let mut facts = vec![
            ("run".to_string(), name_of(&folder)),
            ("status".into(), record.status.name().into()),
            ("started".into(), record.started.to_string()),
            ("time".into(), number::seconds(record.seconds)),
            ("seed".into(), record.seed.to_string()),
            ("version".into(), record.version.clone()),
        ];
        facts.extend(record.problem.iter().map(|problem| ("problem".into(), problem.clone())));
        let machine = record.machine.iter().filter(|(name, _)| *name != "version");
        facts.extend(machine.map(|(name, value)| (name.clone(), value.clone())));
        for (name, file) in [("data", &record.data), ("test data", &record.test_data)] {
            if let Some(DataFile { path, bytes, sha256 }) = file {
                facts.push((name.into(), format!("{}, {bytes} bytes, SHA-256 {sha256}", path.display())));
            }
        }
        facts.push(("command".into(), command_of(&record)));
        facts.push(("in".into(), record.folder.display().to_string()));
        if !matches!(record.status, RunStatus::Started | RunStatus::Finished) {
            let GoingOn { from, command } = GoingOn::of(&folder, &record);
            facts.push(("now".into(), from));
            facts.push(("by".into(), command));
        }
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in facts {
            text += &format!("{name:<width$}  {value}\n");
        }
        if !record.results.is_empty() {
            let scores = record.results.iter().flat_map(|(model, scores)| {
                scores
                    .iter()
                    .map(|(score, value)| [model.clone(), score.replace('_', " "), number::digits(*value)])
            });
            text += &format!("\n{}\n", table::words(vec!["model", "score", ""], 2, scores));
        }
        text += "\n";
        for (name, bytes) in files(&folder) {
            text += &format!("{:>10}  {name}\n", number::bytes(bytes.into()));
        }
        output::print(&text)
    }
}

/// The files of a run, by name, with their sizes. Folds and trials, of which there may be thousands, are added up.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let mut folders = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let own = entry.file_name().to_string_lossy().into_owned();
            let is_summed = prefix.ends_with("*/");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && is_summed => folders.push((entry.path(), prefix.clone())),
                Ok(kind) if kind.is_dir() && prefix.is_empty() => {
                    folders.push((entry.path(), format!("{}/", summed(&own))))
                }
                Ok(kind) if kind.is_file() => {
                    let name = if is_summed { prefix.clone() } else { format!("{prefix}{own}") };
                    *found.entry(name).or_default() += entry.metadata().map_or(0, |m| m.len());
                }
                _ => {}
            }
        }
    }
    found.into_iter().collect()
}

/// The name of a folder, that of a fold or a trial without its number.
fn summed(name: &str) -> String {
    let numbered = |kind: &&str| name.strip_prefix(kind).is_some_and(|rest| rest.parse::<usize>().is_ok());
    ["fold-", "trial-"].into_iter().find(numbered).map_or(name.to_string(), |kind| format!("{kind}*"))
}
