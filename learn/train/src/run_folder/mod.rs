//! A folder for each training: what was asked for, what happened, and what came of it.

mod data_file;
mod metrics;
mod tensorboard;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

pub use data_file::DataFile;
pub use metrics::{Metric, Metrics, read_metrics};

use crate::disk;
use crate::error::TrainError;
use crate::whole::write_whole;

/// The form of the record that this version writes and reads.
const FORMAT: u32 = 1;
const RECORD: &str = "run.toml";
const LOG: &str = "log.txt";
/// The largest record that is read, in bytes.
const BYTES_MAX: u64 = 16 << 20;

/// How far a run got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It is at work.
    Started,
    /// It was at work, but its process is gone without a chance to say so. This is found out where a record is read
    /// and never written.
    #[serde(skip_deserializing)]
    Killed,
    /// It came to its end.
    Finished,
    /// Whoever ran it stopped it.
    Stopped,
    /// It ended with an error.
    Failed,
}

impl RunStatus {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Started => "started",
            RunStatus::Killed => "killed",
            RunStatus::Finished => "finished",
            RunStatus::Stopped => "stopped",
            RunStatus::Failed => "failed",
        }
    }
}

/// What is known of a run: `run.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The form of this record.
    pub format: u32,
    /// The version of the program.
    pub version: String,
    /// When it began, in UTC.
    pub started: Timestamp,
    /// How far it got.
    pub status: RunStatus,
    /// Why it got no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// From its beginning to its end, without pauses.
    pub seconds: f64,
    /// The seed of everything random.
    pub seed: u64,
    /// Threads, which make no difference to the result.
    pub threads: usize,
    /// The arguments of the command, after the program's name.
    pub arguments: Vec<String>,
    /// The folder it was given in.
    pub folder: PathBuf,
    /// The file that the data were read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataFile>,
    /// The file of data to test on, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_data: Option<DataFile>,
    /// The processor, the system and so on.
    pub machine: BTreeMap<String, String>,
    /// For each model, by name, the scores that it ended with.
    #[serde(default)]
    pub results: BTreeMap<String, BTreeMap<String, f64>>,
}

impl RunRecord {
    /// A run that begins now.
    pub fn begin(arguments: Vec<String>, seed: u64, threads: usize) -> RunRecord {
        RunRecord {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_string(),
            started: now(),
            status: RunStatus::Started,
            problem: None,
            seconds: 0.0,
            seed,
            threads,
            arguments,
            folder: std::env::current_dir().unwrap_or_default(),
            data: None,
            test_data: None,
            machine: BTreeMap::new(),
            results: BTreeMap::new(),
        }
    }

    /// The record in a run's folder, as [`RunStatus::Killed`] where no process is at work in it that says it is.
    ///
    /// # Errors
    /// If there is none, or it is of another form.
    pub fn read(folder: &Path) -> Result<RunRecord, TrainError> {
        let path = folder.join(RECORD);
        let bytes = disk::read(&path, BYTES_MAX)
            .map_err(|e| file_error(&path, format!("{e}; is this the folder of a run?")))?;
        let mut record = RunRecord::parse(&bytes).map_err(|problem| file_error(&path, problem))?;
        if record.status == RunStatus::Started && is_left(folder) {
            record.status = RunStatus::Killed;
        }
        Ok(record)
    }

    fn parse(bytes: &[u8]) -> Result<RunRecord, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| format!("no text: {e}"))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let before = bytes.iter().take(e.span().map_or(0, |span| span.start));
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            format!("no valid TOML: line {line}: {}", brief(e.message()))
        })?;
        match table.get("format").and_then(toml::Value::as_integer) {
            Some(format) if format == i64::from(FORMAT) => {}
            Some(other) => {
                return Err(format!("format {other}, but this version reads format {FORMAT}"));
            }
            None => return Err("no record of a run: it has no format".into()),
        }
        table.try_into().map_err(|e: toml::de::Error| format!("no record of a run: {}", brief(e.message())))
    }

    fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(RECORD);
        let text = toml::to_string(self).map_err(|e| file_error(&path, e.to_string()))?;
        write_whole(&path, |file| file.write_all(text.as_bytes()))
            .map_err(|e| file_error(&path, e.to_string()))
    }
}

/// The folder of a run at work.
///
/// ```
/// use bessemer_train::{RunFolder, RunRecord, RunStatus};
///
/// let runs = tempfile::tempdir()?;
/// let path = RunFolder::new_in(runs.path(), "fit-mlp")?;
/// let run = RunFolder::begin(&path, RunRecord::begin(vec!["demo".into()], 1, 2))?;
/// run.log("the weather is fine")?;
/// run.finish(RunStatus::Finished, None)?;
/// let listed = &bessemer_train::list_runs(runs.path())?[0];
/// assert!(listed.name.ends_with("fit-mlp"));
/// assert_eq!(listed.record.as_ref().unwrap().status, RunStatus::Finished);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RunFolder {
    path: PathBuf,
    /// What will be written at its end.
    pub record: RunRecord,
    begun: std::time::Instant,
    log: File,
}

impl RunFolder {
    /// A place for a run of now, named for the time and for what it does. It is made at once, so that no other
    /// run takes it.
    ///
    /// # Errors
    /// If the folder refuses.
    pub fn new_in(runs: &Path, what: &str) -> Result<PathBuf, TrainError> {
        disk::create_folder(runs).map_err(|e| file_error(runs, e.to_string()))?;
        let stamp = now().strftime("%Y-%m-%d-%H%M%S");
        for number in 1.. {
            let more = if number > 1 { format!("-{number}") } else { String::new() };
            let path = runs.join(format!("{stamp}-{what}{more}"));
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(file_error(&path, error.to_string())),
                Ok(()) => return Ok(path),
            }
        }
        Err(file_error(runs, "it is full of runs".into()))
    }

    /// Begins a run in a folder, which is made if need be.
    ///
    /// # Errors
    /// If there is anything in it, or it refuses.
    pub fn begin(path: &Path, record: RunRecord) -> Result<RunFolder, TrainError> {
        disk::create_folder(path).map_err(|e| file_error(path, e.to_string()))?;
        let names = disk::names(path).map_err(|e| file_error(path, e.to_string()))?;
        if names.iter().any(|name| name == RECORD) {
            let problem = "holds a run already; choose another folder, or go on with the run in it";
            return Err(file_error(path, problem.into()));
        }
        if !names.is_empty() {
            return Err(file_error(path, "is no empty folder; choose another for the run".into()));
        }
        // In this order, as a record without a process is that of one that was killed.
        let run = RunFolder::open(path, record)?;
        run.record.write(path)?;
        Ok(run)
    }

    /// Goes on with a run. Until [`RunFolder::started`] nothing of it is changed.
    ///
    /// # Errors
    /// If there is none in the folder, another process is at work in it, or it refuses.
    pub fn go_on(path: &Path) -> Result<RunFolder, TrainError> {
        let record = RunRecord::read(path)?;
        RunFolder::open(path, record)
    }

    fn open(path: &Path, record: RunRecord) -> Result<RunFolder, TrainError> {
        let log = path.join(LOG);
        let file = OpenOptions::new().create(true).append(true).open(&log);
        let log = file.map_err(|e| file_error(&log, e.to_string()))?;
        // The system lets go of it however the process ends.
        if !is_locked(&log) {
            let problem = "another process is at work in this folder; wait for it, or choose another";
            return Err(file_error(path, problem.into()));
        }
        Ok(RunFolder { path: path.to_path_buf(), record, begun: std::time::Instant::now(), log })
    }

    /// Writes down that it is at work (again), with the arguments of the command.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn started(&mut self, arguments: Vec<String>) -> Result<(), TrainError> {
        self.record.arguments = arguments;
        (self.record.status, self.record.problem) = (RunStatus::Started, None);
        self.record.write(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line to the log, with the time. Lines of several threads stay whole.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn log(&self, line: &str) -> Result<(), TrainError> {
        let line = format!("{} {line}\n", now());
        (&self.log).write_all(line.as_bytes()).map_err(|e| file_error(&self.path.join(LOG), e.to_string()))
    }

    /// Writes a file into the folder, whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        write_whole(&path, |file| file.write_all(text.as_bytes()))
            .map_err(|e| file_error(&path, e.to_string()))
    }

    /// Writes down how it ended.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn finish(mut self, status: RunStatus, problem: Option<String>) -> Result<RunRecord, TrainError> {
        self.log(&match &problem {
            None => status.name().to_string(),
            Some(problem) => format!("{}: {problem}", status.name()),
        })?;
        self.record.seconds += self.begun.elapsed().as_secs_f64();
        (self.record.status, self.record.problem) = (status, problem);
        self.record.write(&self.path)?;
        Ok(self.record)
    }
}

/// Whether a file is this process's own now. Who looks whether it is has it for a moment.
fn is_locked(file: &File) -> bool {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        // Where files can't be locked, nobody is kept out.
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    false
}

/// Whether no process is at work in a folder, as far as the system tells.
fn is_left(folder: &Path) -> bool {
    let log = folder.join(LOG);
    !log.is_file() || File::open(log).is_ok_and(|log| log.try_lock_shared().is_ok())
}

/// A run that was found in a folder.
#[derive(Debug)]
pub struct ListedRun {
    /// The name of its own folder.
    pub name: String,
    /// What is known of it, or why that can't be read.
    pub record: Result<RunRecord, TrainError>,
}

/// The runs in a folder, oldest first.
///
/// # Errors
/// If there is no such folder.
pub fn list_runs(runs: &Path) -> Result<Vec<ListedRun>, TrainError> {
    let names = disk::names(runs).map_err(|e| file_error(runs, e.to_string()))?;
    let mut found: Vec<ListedRun> = names
        .into_iter()
        .filter(|name| runs.join(name).join(RECORD).is_file())
        .map(|name| ListedRun { record: RunRecord::read(&runs.join(&name)), name })
        .collect();
    found.sort_by_cached_key(|run| (run.record.as_ref().map(|r| r.started).ok(), run.name.clone()));
    Ok(found)
}

/// The beginning of a message: a name in it may be as long as a file.
fn brief(message: &str) -> String {
    const MOST: usize = 200;
    match message.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &message[..end]),
        None => message.to_string(),
    }
}

/// To the second.
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now)
}

fn file_error(path: &Path, problem: String) -> TrainError {
    TrainError::File { path: path.to_path_buf(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RunRecord {
        let mut record = RunRecord::begin(vec!["forecast".into(), "fit".into()], 7, 2);
        record.machine.insert("processor".into(), "abacus".into());
        record.data = Some(DataFile { path: "sales.csv".into(), bytes: 9, sha256: "0".repeat(64) });
        record.test_data = Some(DataFile { path: "later.csv".into(), bytes: 8, sha256: "1".repeat(64) });
        record
    }

    #[test]
    fn a_run_that_goes_on_keeps_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/run");
        let run = RunFolder::begin(&path, record()).unwrap();
        run.write("config.toml", "x = 1").unwrap();
        let stopped = run.finish(RunStatus::Stopped, Some("Ctrl-C".into())).unwrap();
        assert_eq!(RunRecord::read(&path).unwrap(), stopped);
        let refused = RunFolder::begin(&path, record()).err().unwrap().to_string();
        assert!(refused.contains("holds a run already"), "{refused}");

        let mut run = RunFolder::go_on(&path).unwrap();
        let loss = BTreeMap::from([("loss".to_string(), 0.25)]);
        run.record.results.insert("mlp".into(), loss);
        let finished = run.finish(RunStatus::Finished, None).unwrap();
        assert!(finished.seconds >= stopped.seconds && finished.started == stopped.started);
        assert_eq!(RunRecord::read(&path).unwrap(), finished);
        let log = std::fs::read_to_string(path.join(LOG)).unwrap();
        assert!(log.contains("Z stopped: Ctrl-C\n") && log.ends_with("Z finished\n"), "{log}");
    }

    #[test]
    fn a_run_whose_process_is_gone_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::begin(&path, record()).unwrap();
        assert_eq!(RunRecord::read(&path).unwrap().status, RunStatus::Started);
        // As the system ends a process: what it has open is closed, and nothing is said.
        drop(run);
        let listed = list_runs(folder.path()).unwrap();
        assert_eq!(listed[0].record.as_ref().unwrap().status, RunStatus::Killed);
        let mut run = RunFolder::go_on(&path).unwrap();
        run.started(vec!["demo".into()]).unwrap();
        assert_eq!(RunRecord::read(&path).unwrap().status, RunStatus::Started);
        run.finish(RunStatus::Finished, None).unwrap();
        assert_eq!(RunRecord::read(&path).unwrap().status, RunStatus::Finished);
    }

    #[test]
    fn other_folders_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let refused = RunFolder::begin(folder.path(), record()).err().unwrap().to_string();
        assert!(refused.contains("no empty folder"), "{refused}");
        let refused = RunFolder::go_on(folder.path()).err().unwrap().to_string();
        assert!(refused.contains("is this the folder of a run?"), "{refused}");
        assert!(list_runs(folder.path()).unwrap().is_empty());
        assert!(list_runs(&folder.path().join("none")).is_err());
    }

    #[test]
    fn runs_of_the_same_second_have_folders_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [0; 5].map(|_| RunFolder::new_in(folder.path(), "fit-mlp").unwrap());
        assert_eq!(std::collections::BTreeSet::from(paths).len(), 5);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let whole = toml::to_string(&record()).unwrap();
        assert_eq!(RunRecord::parse(whole.as_bytes()).unwrap(), record());
        for (text, expected) in [
            ("", "has no format"),
            ("format = 2", "format 2, but this version reads format 1"),
            ("format = 1", "missing field"),
            ("\u{0}", "no valid TOML"),
            (&whole.replace("seed = 7", "sead = 7"), "unknown field `sead`"),
            (&whole.replace("seed = 7", "seed = -7"), "no record of a run"),
        ] {
            let error = RunRecord::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(RunRecord::parse(&[0xff, 0xfe]).is_err());
    }
}
