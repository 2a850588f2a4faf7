//! `bessemer runs repeat`.

use std::path::{Path, PathBuf};

use bessemer::train::{DataFile, RunFolder};

use super::{GIVEN, name_of, read};
use crate::error::{CliError, Result};
use crate::output;

/// Options of the first run that name its own files, with a value and without.
const PLACES: [&str; 7] =
    ["--run", "--out", "--json", "--report", "--checkpoints", "--config", "--reconstruction"];
const SWITCHES: [&str; 2] = ["--resume", "--print-config"];

/// Run a run's command again, in a new run folder, and compare the weights
///
/// The same version on the same kind of processor gives the same bytes, at any number of threads.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  bessemer runs repeat 2026-11-21-201500-fit-nhits")]
pub struct Repeat {
    /// Its folder, or its name in the folder that runs lie in
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder of the new run [default: a new one beside it]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

impl Repeat {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let (folder, record) = read(&self.run)?;
        // Of a command that was profiled, the command itself.
        let is_profile = record.arguments.first().is_some_and(|word| word == "profile");
        let begins = |word: &String| !is_profile || word == "demo" || word == "forecast";
        let given = &record.arguments[record.arguments.iter().position(begins).unwrap_or(0)..];
        let words: Vec<&str> = given.iter().map(String::as_str).collect();
        let what = match words.as_slice() {
            ["demo", ..] => "demo",
            ["forecast", "fit", ..] => "fit",
            ["forecast", "backtest", ..] => "backtest",
            ["forecast", "cross-validate", ..] => "cross-validate",
            ["forecast", "search", ..] => "search",
            ["phase", "train", ..] => "phase",
            ["waves", "fit", ..] => "waves-fit",
            ["waves", "compare", ..] => "waves-compare",
            _ => {
                return Err(CliError::argument(
                    name_of(&folder),
                    format!("its command `{}` is none that trains", words.join(" ")),
                    "choose another run",
                ));
            }
        };
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(CliError::output(path, "find the folder"));
        let folder = absolute(&folder)?;
        let to = match &self.to {
            Some(to) => absolute(to)?,
            None => RunFolder::new_in(folder.parent().unwrap_or(Path::new(".")), &format!("{what}-again"))?,
        };
        let mut arguments = without_places(given);
        let kept = folder.join(GIVEN);
        if kept.is_file() {
            arguments.push(format!("--config={}", kept.display()));
        }
        arguments.push(format!("--run={}", to.display()));
        if what == "demo" {
            arguments.push(format!("--report={}", to.with_extension("html").display()));
        }
        // Files are named as they were from there.
        std::env::set_current_dir(&record.folder)
            .map_err(CliError::output(&record.folder, "go to the folder that the run was begun in"))?;
        let files = [&record.data, &record.test_data].into_iter().flatten();
        let changes: Vec<String> = files.filter_map(change_of).collect();
        for change in &changes {
            eprintln!("note: {change}");
        }
        crate::execute(arguments)?;
        let mut pairs: Vec<(PathBuf, PathBuf)> = weights_in(&folder)
            .into_iter()
            .map(|weights| (folder.join(&weights), to.join(&weights)))
            .collect();
        if let (true, Some(out)) = (pairs.is_empty(), value_of(given, "--out")) {
            // What they are of is best seen in the new model.
            let (before, again) = (Path::new(out), to.join("model"));
            pairs = files_of_model(&again).map(|name| (before.join(name), again.join(name))).collect();
        }
        let mut all = true;
        let mut text = String::new();
        for (before, again) in pairs {
            let same =
                std::fs::read(&before).is_ok_and(|bytes| std::fs::read(&again).is_ok_and(|b| b == bytes));
            let said = if same { "the same bytes" } else { "other bytes than before" };
            let shown = again.strip_prefix(&to).unwrap_or(&again);
            text += &format!("{}: {said}\n", shown.display());
            all &= same;
        }
        // Of models that are only compared no weights are kept.
        if what == "waves-compare" {
            let same = read(&to)?.1.results == record.results;
            text += if same { "errors: the same numbers\n" } else { "errors: other numbers than before\n" };
            all &= same;
        }
        output::print(&format!("{text}run: {}\n", to.display()))?;
        match all {
            true => Ok(()),
            false => Err(CliError::argument(
                name_of(&folder),
                if what == "waves-compare" {
                    "its errors are others than those of the new run"
                } else {
                    "its weights are others than those of the new run"
                },
                match (changes.is_empty(), record.data) {
                    (false, _) => changes.join("; "),
                    (true, Some(_)) => "the program or the processor may have changed since".into(),
                    (true, None) => "the data, the program or the processor may have changed since".into(),
                },
            )),
        }
    }
}

/// What has become of the data since, if they are no longer the same.
fn change_of(before: &DataFile) -> Option<String> {
    let place = before.path.display();
    let now = DataFile::of(&before.path);
    let Ok(now) = now else { return Some(format!("the data in {place} cannot be read any more")) };
    if now.is_same_as(before) {
        return None;
    }
    let lengths = match now.bytes == before.bytes {
        true => "as many bytes, but others".to_string(),
        false => format!("{} bytes then, {} now", before.bytes, now.bytes),
    };
    Some(format!("the data in {place} have changed since: {lengths}"))
}

/// Arguments without those that say where results go.
fn without_places(arguments: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        if PLACES.contains(&name) {
            if name == word {
                words.next();
            }
        } else if !SWITCHES.contains(&name) {
            kept.push(word.clone());
        }
    }
    kept
}

/// The value of an option.
pub(super) fn value_of<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|word| word.split('=').next() == Some(name))?;
    match arguments[place].split_once('=') {
        Some((_, value)) => Some(value),
        None => arguments.get(place + 1).map(String::as_str),
    }
}

/// The weights that a run keeps, by their places within its folder: of a model, or of a model for each fold.
fn weights_in(folder: &Path) -> Vec<PathBuf> {
    let folders = |within: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder.join(within)).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(|entry| within.join(entry.file_name())).collect()
    };
    let outer = folders(Path::new(""));
    let inner = outer.iter().flat_map(|within| folders(within)).collect::<Vec<_>>();
    let files = outer.iter().chain(&inner).flat_map(|within| {
        files_of_model(&folder.join(within)).map(|name| within.join(name)).collect::<Vec<_>>()
    });
    let mut found: Vec<PathBuf> = files.collect();
    found.sort();
    found
}

/// The files of the model in a folder that are the same however often it is trained.
fn files_of_model(folder: &Path) -> impl Iterator<Item = &'static str> {
    let has = |name: &str| folder.join(name).is_file();
    let of_phases = if has("graph.phase") { &["graph.phase", "model.toml"][..] } else { &[] };
    let of_others = if has("weights.safetensors") { &["weights.safetensors"][..] } else { &[] };
    of_others.iter().chain(of_phases).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_files_is_left_out() {
        let words = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let given = words("forecast fit a.csv --out b --json=c --resume --seed 3 --run d --set x=1");
        assert_eq!(without_places(&given), words("forecast fit a.csv --seed 3 --set x=1"));
    }
}
