//! The folder of a run at work.

use std::path::{Path, PathBuf};

use bessemer::forecast::Forecaster;
use bessemer::plan::Pool;
use bessemer::train::report::Report;
use bessemer::train::{
    Checkpoints, DataFile, Event, Metric, Metrics, RunFolder, RunRecord, RunStatus, TrainError, read_metrics,
};

use super::{GIVEN, runs_folder};
use crate::error::{CliError, Result};
use crate::run::RunArgs;
use crate::{interrupt, machine, number, report};

/// Where what is known of a training is kept.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Run folder")]
pub struct RunFolderArgs {
    /// Folder for this run: settings, metrics, log, checkpoints, report [default: a new one in `runs`, or in
    /// the folder that BESSEMER_RUNS names]
    #[arg(long = "run", value_name = "FOLDER")]
    run: Option<PathBuf>,
    /// Keep no run folder
    #[arg(long, conflicts_with = "run")]
    no_run: bool,
}

impl RunFolderArgs {
    /// Whether there will be a folder.
    pub fn keeps(&self) -> bool {
        self.run.is_some() || (!self.no_run && runs_folder().is_some())
    }

    /// The folder, if it was named.
    pub fn named(&self) -> Option<&Path> {
        self.run.as_deref()
    }

    /// Whether a place is that folder, or lies within it.
    pub fn holds(&self, place: &Path) -> bool {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        self.named().is_some_and(|run| absolute(place).starts_with(absolute(run)))
    }

    /// Begins a run that does `what`, or goes on with it. `arguments` are the command's own, to be run again; `data`
    /// is the file that it has read, and after it the one to test on, if there is any.
    pub fn begin(
        &self,
        what: &str,
        arguments: Vec<String>,
        seed: u64,
        pool: &Pool,
        resume: bool,
        data: &[&Path],
    ) -> Result<KeptRun> {
        let path = match (&self.run, runs_folder()) {
            (Some(path), _) => path.clone(),
            (None, Some(runs)) if !self.no_run => RunFolder::new_in(&runs, what)?,
            _ => return Ok(KeptRun::none()),
        };
        let again = arguments.iter().filter(|word| *word != "--resume").cloned().collect();
        let _hold = interrupt::writing();
        let folder = if resume && self.run.is_some() {
            RunFolder::go_on(&path)?
        } else {
            let mut record = RunRecord::begin(arguments, seed, pool.threads());
            let mut files = data.iter().map(|path| of_file(path));
            (record.data, record.test_data) = (files.next().transpose()?, files.next().transpose()?);
            record.machine = machine::facts(pool.threads()).into_iter().collect();
            RunFolder::begin(&path, record)?
        };
        let waits = resume && self.run.is_some();
        Ok(KeptRun {
            folder: Some(folder),
            resumes: waits.then_some(again),
            training: KeptTraining::new(None),
            model: String::new(),
            trains: false,
            _hold: Some(interrupt::training()),
        })
    }
}

/// The file by its content.
fn of_file(path: &Path) -> Result<DataFile> {
    DataFile::of(path).map_err(CliError::output(path, "read the file again"))
}

/// The folder of a run at work, if it has one.
pub struct KeptRun {
    folder: Option<RunFolder>,
    /// The arguments of a command that goes on with it, until it really does: what is refused changes nothing.
    resumes: Option<Vec<String>>,
    /// The one at work, where they go one by one.
    training: KeptTraining,
    /// The model at work, where there are several.
    model: String,
    /// Whether a training was begun, which is to be in the report.
    trains: bool,
    /// Ctrl-C waits until it is written down: trainings look out for it, and what comes after them is short.
    _hold: Option<interrupt::Hold>,
}

impl KeptRun {
    /// A run that nothing is kept of.
    pub fn none() -> KeptRun {
        let training = KeptTraining::new(None);
        KeptRun { folder: None, resumes: None, training, model: String::new(), trains: false, _hold: None }
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(RunFolder::path)
    }

    /// A place in the folder.
    pub fn place(&self, name: &str) -> Option<PathBuf> {
        self.path().map(|path| path.join(name))
    }

    /// Writes a file into it; the folders that it lies in are made. Of a run that goes on, files that are there
    /// stay as they are until it really does.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        if self.resumes.is_some() && folder.path().join(name).exists() {
            return Ok(());
        }
        let path = folder.path().join(name);
        let _hold = interrupt::writing();
        if let Some(within) = path.parent() {
            std::fs::create_dir_all(within).map_err(CliError::output(within, "make the folder"))?;
        }
        Ok(folder.write(name, text)?)
    }

    /// Keeps the configuration file that the command was given: it may change later.
    pub fn keep_given(&self, config: Option<&Path>) -> Result<()> {
        let Some(path) = config else { return Ok(()) };
        let text = std::fs::read_to_string(path).map_err(CliError::output(path, "read the file again"))?;
        self.write(GIVEN, &text)
    }

    /// Saves a model in a folder of it.
    pub fn save(&self, within: &str, forecaster: &Forecaster) -> Result<()> {
        let _hold = interrupt::writing();
        Ok(self.place(within).map_or(Ok(()), |folder| forecaster.save(&folder))?)
    }

    /// Says where its report is.
    pub fn print_report(&self, run: &RunArgs) -> Result<()> {
        let report = self.place("report.html");
        run.print(&report.map_or(String::new(), |report| format!("Report: {}\n", report.display())))
    }

    /// Writes its report.
    pub fn report(&self, page: &Report) -> Result<()> {
        self.place("report.html").map_or(Ok(()), |path| report::write(page, &path))
    }

    /// Where a training within it is kept so that the command can go on with it, or after it.
    pub fn checkpoints(&self, within: &str, resume: bool) -> Result<Option<Checkpoints>> {
        let Some(folder) = self.place(within).map(|place| place.join("checkpoints")) else { return Ok(None) };
        let (keep, about) = (1, String::new());
        let mut checkpoints = Checkpoints { folder, every: u64::MAX, keep, resume: false, about };
        checkpoints.resume = resume && !checkpoints.files()?.is_empty();
        Ok(Some(checkpoints))
    }

    /// Whether it goes on, and has not really done so yet.
    pub fn goes_on(&self) -> bool {
        self.resumes.is_some()
    }

    /// Whether it was begun by this command of `forecast`.
    pub fn is_of(&self, command: &str) -> bool {
        let words = self.folder.as_ref().map(|folder| &folder.record.arguments);
        words.is_some_and(|words| words.windows(2).any(|pair| pair == ["forecast", command]))
    }

    /// Refuses other data than those that a run was begun with, which goes on.
    pub fn check_data(&self, data: &[&Path]) -> Result<()> {
        let Some(record) = self.folder.as_ref().map(|folder| &folder.record).filter(|_| self.goes_on())
        else {
            return Ok(());
        };
        let kinds = [("the data", &record.data), ("the data to test on", &record.test_data)];
        for (place, (kind, before)) in kinds.into_iter().enumerate() {
            let now = data.get(place).map(|path| of_file(path)).transpose()?;
            let said = |file: &Option<DataFile>| {
                file.as_ref().map_or("none".into(), |file| {
                    format!("`{}` of {} bytes, SHA-256 {:.12}…", file.path.display(), file.bytes, file.sha256)
                })
            };
            let is_same = match (before, &now) {
                (Some(before), Some(now)) => before.is_same_as(now),
                (before, now) => before.is_none() == now.is_none(),
            };
            if !is_same {
                return Err(CliError::argument(
                    format!("`{}`", self.path().unwrap_or(Path::new("")).display()),
                    format!("{kind} of the run are {}, but {} is asked for", said(before), said(&now)),
                    "go on with the same data, or begin anew in another folder",
                ));
            }
        }
        Ok(())
    }

    /// Nothing is left to be refused: it really goes on.
    pub fn go_on(&mut self) -> Result<()> {
        Ok(self.really_go_on()?)
    }

    /// Adds a line to the log. It is for people; without it, everything else still goes on.
    pub fn log(&self, line: &str) {
        _ = self.folder.as_ref().map(|folder| folder.log(line));
    }

    /// Begins a training, whose metrics go into this folder of the run.
    pub fn begin_training(&mut self, within: &str) -> Result<()> {
        self.training = KeptTraining::new(self.place(within));
        self.model = within.to_string();
        self.trains = true;
        Ok(())
    }

    /// Takes note of what happens in the training. When the disk refuses, it is said once; the training is
    /// worth more than its metrics.
    pub fn watch(&mut self, event: &Event) -> Option<TrainError> {
        if let Some(problem) = self.really_go_on().err() {
            return Some(problem);
        }
        if let Some(line) = line_of(event) {
            let model = if self.model.is_empty() { String::new() } else { format!("{}, ", self.model) };
            self.log(&format!("{model}{line}"));
        }
        self.training.watch(event)
    }

    /// What was written down of the training at work; nothing where that can't be read.
    pub fn metrics(&self) -> Vec<Metric> {
        self.place(&self.model).and_then(|folder| read_metrics(&folder).ok()).unwrap_or_default()
    }

    fn really_go_on(&mut self) -> std::result::Result<(), TrainError> {
        match (&mut self.folder, self.resumes.take()) {
            (Some(folder), Some(arguments)) => folder.started(arguments),
            _ => Ok(()),
        }
    }

    /// Ends the training, with the scores that it is to be known by.
    pub fn end_training(&mut self, model: &str, scores: &[(&str, Option<f64>)]) -> Result<()> {
        std::mem::replace(&mut self.training, KeptTraining::new(None)).finish()?;
        let Some(folder) = &mut self.folder else { return Ok(()) };
        let known = scores.iter().filter_map(|(name, value)| Some((name.to_string(), (*value)?)));
        folder.record.results.entry(model.to_string()).or_default().extend(known);
        Ok(())
    }

    /// Writes down how the run ended, whatever the result, and passes that on. Where a training got no further, the
    /// report says so.
    pub fn end<T>(self, result: Result<T>) -> Result<T> {
        // A training that failed has left its metrics open; where the disk refuses them, too, that is not the news.
        _ = self.training.finish();
        let Some(folder) = self.folder else { return result };
        if self.resumes.is_some() && result.is_err() {
            return result;
        }
        let (status, problem) = match &result {
            Ok(_) => (RunStatus::Finished, None),
            Err(error @ (CliError::Interrupted { .. } | CliError::Paused { .. })) => {
                (RunStatus::Stopped, Some(error.to_string()))
            }
            Err(error) => (RunStatus::Failed, Some(error.to_string())),
        };
        let _hold = interrupt::writing();
        let path = folder.path().to_path_buf();
        let written = folder.finish(status, problem);
        if let (true, Err(_), Ok(record)) = (self.trains, &result, &written) {
            // What ended the run is what is to be told, not that this failed, too.
            _ = report::write(&report::unfinished(&path, record), &path.join("report.html"));
        }
        match (result, written) {
            (Ok(_), Err(error)) => Err(error.into()),
            (result, _) => result,
        }
    }
}

/// The metrics of one training; several may be at work at a time.
pub struct KeptTraining {
    /// Where they will be, until there are some.
    within: Option<PathBuf>,
    metrics: Option<Metrics>,
}

impl KeptTraining {
    /// Metrics in a folder, if there is one to be.
    pub fn new(within: Option<PathBuf>) -> KeptTraining {
        KeptTraining { within, metrics: None }
    }

    /// Takes note of what happens. When the disk refuses, it is said once; the training is worth more than its
    /// metrics.
    pub fn watch(&mut self, event: &Event) -> Option<TrainError> {
        if let Some(within) = self.within.take() {
            match Metrics::open(&within) {
                Ok(metrics) => self.metrics = Some(metrics),
                Err(problem) => return Some(problem),
            }
        }
        let problem = self.metrics.as_mut()?.watch(event).err();
        if problem.is_some() {
            self.metrics = None;
        }
        problem
    }

    /// Has everything in the files.
    pub fn finish(self) -> Result<()> {
        Ok(self.metrics.map_or(Ok(()), Metrics::finish)?)
    }
}

/// What the log says of an event; steps are in the metrics.
fn line_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Step { .. } => return None,
        Event::Validation { step, loss, best } => {
            let best = if *best { ", the best so far" } else { "" };
            format!("step {step}: validation loss {}{best}", number::digits(*loss))
        }
        Event::Checkpoint { step } => format!("step {step}: checkpoint"),
        Event::Resumed { step } => format!("goes on after step {step}"),
        Event::Problem { problem } => format!("warning: {problem}"),
    })
}
