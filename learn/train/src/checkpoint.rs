//! Checkpoints: all that a training carries from step to step, in one file that is there whole or not at
//! all.
//!
//! A file `step-0000000200.safetensors` holds, as tensors, the weights (`weights.NAME`), what the optimiser
//! remembers (`optimizer.0.NAME` …), the best weights and the average, if there are any, and the losses; in
//! its header, as TOML, the options and all counters. Batches and everything random are functions of the
//! seed and the step, so nothing else is needed: a training that goes on from there ends with the same bits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bessemer_graph::Parameter;
use bessemer_plan::Parameters;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk;
use crate::error::TrainError;
use crate::folder_lock::FolderLock;
use crate::grad_scaler::GradScalerState;
use crate::options::TrainOptions;
use crate::schedule::Plateau;
use crate::state::State;
use crate::tensors::{Tensor, floats, parse, serialize};
use crate::weights::hexadecimal;
use crate::whole::write_whole;

/// The largest checkpoint that is read, in bytes.
const MAX_BYTES: u64 = 64 << 30;
/// The form of the files.
const FORMAT: &str = "bessemer checkpoint 1";

/// Where checkpoints go, how often they are written and how many stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// Folder of their own; it is made if need be.
    pub folder: PathBuf,
    /// Steps from one to the next, besides those at every best validation and at the end; 0 for none but
    /// where training is stopped.
    pub every: u64,
    /// How many stay, at least 1, besides that of the best validation: older ones are removed.
    pub keep: usize,
    /// Go on from the latest; else the folder must hold none.
    pub resume: bool,
    /// What is trained, and on what: a training goes on only where that is the same.
    pub about: String,
}

/// The counters of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Steps taken, skipped ones with them: the position in the data.
    pub steps: u64,
    /// Steps that the optimiser took.
    pub updates: u64,
    /// Steps that were skipped.
    pub skipped: u64,
    /// Validations without improvement.
    pub waited: u32,
    /// Seconds of training.
    pub seconds: f64,
    /// Seconds of them in which it waited for batches.
    #[serde(default)]
    pub batch_seconds: f64,
    /// Weights in the average.
    pub averaged: u64,
    pub plateau: Plateau,
    /// The best validation loss and its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<(f64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_scaler: Option<GradScalerState>,
}

impl Progress {
    /// The counters that cannot be those of a training with so many losses and validations, if any. What
    /// is counted with them later must not overflow.
    fn contradiction(&self, losses: u64, validations: u64) -> Option<&'static str> {
        let Progress { steps, updates, skipped, waited, averaged, plateau, best, grad_scaler, .. } = self;
        let scaled = grad_scaler.as_ref().is_none_or(|state| {
            let GradScalerState { scale, good_steps, updates, overflows } = *state;
            let counts = [u64::from(good_steps), updates, overflows];
            scale.is_finite() && scale > 0.0 && counts.iter().all(|count| count <= steps)
        });
        let sound = [
            ("its steps", *steps == losses),
            ("its updates", updates <= steps && skipped <= steps),
            ("its validations", u64::from(*waited) <= validations && plateau.is_sound(validations)),
            ("its seconds", [self.seconds, self.batch_seconds].iter().all(|time| (0.0..1e12).contains(time))),
            // An exponential average begins with the weights before the first step.
            ("its averaged weights", averaged.saturating_sub(1) <= *steps),
            ("its best weights", best.is_none_or(|(_, step)| step <= *steps)),
            ("its scale of gradients", scaled),
        ];
        sound.into_iter().find(|(_, sound)| !sound).map(|(what, _)| what)
    }
}

/// A training between two steps, to be written.
pub(crate) struct Snapshot<'a> {
    pub progress: &'a Progress,
    pub options: &'a TrainOptions,
    pub about: &'a str,
    pub weights: &'a Parameters,
    pub memory: [&'a [f32]; 3],
    pub best: Option<&'a Parameters>,
    pub average: Option<&'a Parameters>,
    pub losses: &'a [f64],
    pub validations: &'a [(u64, f64)],
}

/// A training between two steps, as read.
pub(crate) struct Restored {
    pub progress: Progress,
    pub options: TrainOptions,
    pub about: String,
    pub weights: Parameters,
    /// Laid out as the weights.
    pub memory: [Vec<f32>; 3],
    pub best: Option<Parameters>,
    pub average: Option<Parameters>,
    pub losses: Vec<f64>,
    pub validations: Vec<(u64, f64)>,
}

impl Checkpoints {
    /// The files, the latest first.
    ///
    /// # Errors
    /// If the folder cannot be read; one that is not there holds none.
    pub fn files(&self) -> Result<Vec<PathBuf>, TrainError> {
        let names = match disk::names(&self.folder) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(problem(&self.folder, error)),
        };
        let mut steps: Vec<u64> = names.iter().filter_map(|name| step_of(name)).collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        Ok(steps.into_iter().map(|step| self.path(step)).collect())
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:010}.safetensors"))
    }

    /// Before a training begins or goes on: what a process that was killed has left half-written is removed, and
    /// other processes are kept out of the folder while the lock that is given lives, where it is to hold more than
    /// what a stop leaves.
    ///
    /// # Errors
    /// If another training is at work in the folder, or it holds what is not wanted: checkpoints although none is to
    /// go on, or none although one is.
    pub fn begin(&self) -> Result<Option<FolderLock>, TrainError> {
        let lock = self.lock()?;
        self.sweep();
        let folder = || self.folder.clone();
        match (self.resume, self.files()?.is_empty()) {
            (true, true) => Err(TrainError::NothingToResume { folder: folder() }),
            (false, false) => Err(TrainError::FolderInUse { folder: folder() }),
            _ => Ok(lock),
        }
    }

    fn lock(&self) -> Result<Option<FolderLock>, TrainError> {
        let nothing_to_resume = self.resume && !self.folder.exists();
        if (self.every == 0 && !self.resume) || nothing_to_resume {
            return Ok(None);
        }
        match FolderLock::take(&self.folder, ".lock").map_err(|e| problem(&self.folder, e))? {
            None => {
                let said =
                    "another training writes its checkpoints here; wait for it, or choose another folder";
                Err(problem(&self.folder, said))
            }
            lock => Ok(lock),
        }
    }

    /// Removes what a process that was killed has left half-written.
    fn sweep(&self) {
        for name in disk::names(&self.folder).unwrap_or_default() {
            if name.starts_with(".step-") && name.ends_with(".draft") {
                // It takes space, and nothing else.
                _ = disk::remove(&self.folder.join(name));
            }
        }
    }

    /// Refuses to go on with what was trained on other data or with other settings: `saved` is what
    /// [`Checkpoints::about`] was when the checkpoint was written.
    ///
    /// # Errors
    /// Names the first line, `name = value`, that differs.
    pub fn check_about(&self, saved: &str) -> Result<(), TrainError> {
        match described_apart(saved, &self.about) {
            None => Ok(()),
            Some((setting, saved, now)) => {
                Err(TrainError::OtherSettings { folder: self.folder.clone(), setting, saved, now })
            }
        }
    }

    /// Writes a checkpoint and removes those that are too many.
    pub(crate) fn write(&self, snapshot: &Snapshot) -> Result<PathBuf, TrainError> {
        let step = snapshot.progress.steps;
        let best = snapshot.progress.best.map(|(_, step)| step);
        self.write_bytes(step, best, snapshot.bytes())
    }

    /// Writes the state that a training of any kind has after so many steps, and removes those that are too many.
    ///
    /// # Errors
    /// If the disk refuses; what was there before is as it was.
    pub fn write_state(&self, step: u64, state: &State) -> Result<PathBuf, TrainError> {
        self.write_bytes(step, None, state.bytes())
    }

    fn write_bytes(
        &self,
        step: u64,
        best: Option<u64>,
        bytes: Result<Vec<u8>, String>,
    ) -> Result<PathBuf, TrainError> {
        disk::create_folder(&self.folder).map_err(|e| problem(&self.folder, e))?;
        let path = self.path(step);
        let bytes = bytes.map_err(|e| problem(&path, e))?;
        write_whole(&path, |file| file.write_all(&bytes)).map_err(|e| problem(&path, e))?;
        let best = best.map(|step| self.path(step));
        let older = self.files()?.into_iter().skip(self.keep.max(1));
        for old in older.filter(|old| Some(old) != best.as_ref()) {
            disk::remove(&old).map_err(|e| problem(&old, e))?;
        }
        Ok(path)
    }

    /// The latest that can be read, with the problems of any later ones.
    pub(crate) fn latest(
        &self,
        specs: &[Parameter],
    ) -> Result<Option<(Restored, Vec<TrainError>)>, TrainError> {
        self.latest_of(&mut |path| Restored::read(path, specs))
    }

    /// What `restore` makes of the latest state that can be read, in at most `bytes_max` bytes, and that it does not
    /// refuse, with the problems of any later ones; nothing where there is none.
    ///
    /// # Errors
    /// If there are some, but none that can be gone on from.
    pub fn latest_state<T>(
        &self,
        bytes_max: u64,
        restore: &mut dyn FnMut(State) -> Result<T, String>,
    ) -> Result<Option<(T, Vec<TrainError>)>, TrainError> {
        self.latest_of(&mut |path| {
            let bytes = disk::read(path, bytes_max).map_err(|e| problem(path, e))?;
            State::parse(&bytes).and_then(&mut *restore).map_err(|e| problem(path, e))
        })
    }

    fn latest_of<T>(
        &self,
        read: &mut dyn FnMut(&Path) -> Result<T, TrainError>,
    ) -> Result<Option<(T, Vec<TrainError>)>, TrainError> {
        let mut problems = Vec::new();
        for file in self.files()? {
            match read(&file) {
                Ok(restored) => return Ok(Some((restored, problems))),
                Err(error) => problems.push(error),
            }
        }
        // Where there are some, but none is whole, the first problem is the one to tell.
        if problems.is_empty() { Ok(None) } else { Err(problems.remove(0)) }
    }
}

/// The step in a file's name.
fn step_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("step-")?.strip_suffix(".safetensors")?;
    (digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl Snapshot<'_> {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        let specs = self.weights.specs();
        let mut add = |prefix: &str, buffer: &[f32]| {
            for (spec, range) in specs.iter().zip(self.weights.ranges()) {
                let data = bytemuck::cast_slice(&buffer[range.clone()]).to_vec();
                let tensor = Tensor { dtype: Dtype::F32, shape: spec.shape.clone(), data: Cow::Owned(data) };
                tensors.push((format!("{prefix}.{}", spec.name), tensor));
            }
        };
        add("weights", self.weights.as_slice());
        for (i, memory) in self.memory.iter().enumerate().filter(|(_, memory)| !memory.is_empty()) {
            add(&format!("optimizer.{i}"), memory);
        }
        if let Some(best) = self.best {
            add("best", best.as_slice());
        }
        if let Some(average) = self.average {
            add("average", average.as_slice());
        }
        let validations: Vec<f64> =
            self.validations.iter().flat_map(|(s, loss)| [*s as f64, *loss]).collect();
        let (losses, rows) = (self.losses, self.validations.len());
        let numbers = |shape: Vec<usize>, data: &[f64]| Tensor {
            dtype: Dtype::F64,
            shape,
            data: Cow::Owned(bytemuck::cast_slice(data).to_vec()),
        };
        tensors.push(("history.losses".into(), numbers(vec![losses.len()], losses)));
        tensors.push(("history.validations".into(), numbers(vec![rows, 2], &validations)));
        let mut hash = Sha256::new();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        tensors.iter().for_each(|(_, tensor)| hash.update(&tensor.data));
        let header = BTreeMap::from([
            ("format".to_string(), FORMAT.to_string()),
            ("version".to_string(), env!("CARGO_PKG_VERSION").to_string()),
            ("progress".to_string(), toml::to_string(self.progress).map_err(|e| e.to_string())?),
            ("about".to_string(), self.about.to_string()),
            ("options".to_string(), toml::to_string(self.options).map_err(|e| e.to_string())?),
            ("sha256".to_string(), hexadecimal(&hash.finalize())),
        ]);
        serialize(tensors, header)
    }
}

impl Restored {
    /// Reads a checkpoint of a model with these parameters.
    pub fn read(path: &Path, specs: &[Parameter]) -> Result<Restored, TrainError> {
        let bytes = disk::read(path, MAX_BYTES).map_err(|e| problem(path, e))?;
        Restored::parse(&bytes, specs).map_err(|text| problem(path, text))
    }

    /// The same of the bytes of a file.
    pub fn parse(bytes: &[u8], specs: &[Parameter]) -> Result<Restored, String> {
        let damaged = |e: &dyn std::fmt::Display| format!("not a whole checkpoint ({e}); use an earlier one");
        let (file, header) = parse(bytes).map_err(|e| damaged(&e))?;
        let entry =
            |name: &str| header.get(name).ok_or_else(|| damaged(&format!("no `{name}` in its header")));
        if entry("format")? != FORMAT {
            return Err(format!("its format is `{}`, but this program reads `{FORMAT}`", entry("format")?));
        }
        let mut names = file.names();
        names.sort_unstable();
        let mut hash = Sha256::new();
        for name in &names {
            hash.update(file.tensor(name).map_err(|e| damaged(&e))?.data());
        }
        if hexadecimal(&hash.finalize()) != *entry("sha256")? {
            return Err(damaged(&"its checksum is another"));
        }
        let progress: Progress = toml::from_str(entry("progress")?).map_err(|e| damaged(&e.message()))?;
        let options: TrainOptions = toml::from_str(entry("options")?).map_err(|e| damaged(&e.message()))?;

        let set = |prefix: &str| -> Result<Option<Parameters>, String> {
            let dotted = format!("{prefix}.");
            if !names.iter().any(|name| name.starts_with(&dotted)) {
                return Ok(None);
            }
            let mut parameters = Parameters::new(specs);
            for (i, spec) in specs.iter().enumerate() {
                let name = format!("{dotted}{}", spec.name);
                let tensor = file
                    .tensor(&name)
                    .map_err(|_| format!("lacks `{name}`, which this model has; is it another model's?"))?;
                if tensor.dtype() != Dtype::F32 || tensor.shape() != spec.shape {
                    let (dtype, shape) = (tensor.dtype(), tensor.shape());
                    return Err(format!(
                        "`{name}` is {dtype:?} {shape:?}, but the model has F32 {:?}; is it another model's?",
                        spec.shape
                    ));
                }
                parameters
                    .get_mut(i)
                    .iter_mut()
                    .zip(floats(tensor.data()))
                    .for_each(|(to, value)| *to = value);
            }
            Ok(Some(parameters))
        };
        let numbers = |name: &str| -> Result<Vec<f64>, String> {
            let tensor = file.tensor(name).map_err(|e| damaged(&e))?;
            if tensor.dtype() != Dtype::F64 {
                return Err(damaged(&format!("`{name}` is {:?}", tensor.dtype())));
            }
            let eight = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            Ok(tensor.data().chunks_exact(8).map(eight).collect())
        };
        let memory = |i: usize| -> Result<Vec<f32>, String> {
            Ok(set(&format!("optimizer.{i}"))?.map_or(Vec::new(), |p| p.as_slice().to_vec()))
        };
        let losses = numbers("history.losses")?;
        let validations: Vec<(u64, f64)> =
            numbers("history.validations")?.chunks_exact(2).map(|pair| (pair[0] as u64, pair[1])).collect();
        if let Some(what) = progress.contradiction(losses.len() as u64, validations.len() as u64) {
            return Err(damaged(&format!("{what} contradict its history")));
        }
        Ok(Restored {
            progress,
            options,
            about: entry("about")?.clone(),
            weights: set("weights")?.ok_or_else(|| "lacks the weights of this model".to_string())?,
            memory: [memory(0)?, memory(1)?, memory(2)?],
            best: set("best")?,
            average: set("average")?,
            losses,
            validations,
        })
    }
}

/// The first line of two descriptions, `name = value`, that the other doesn't have.
fn described_apart(saved: &str, now: &str) -> Option<(String, String, String)> {
    let named = |text: &str, name: &str| -> Option<String> {
        let mut lines = text.lines().filter_map(|line| line.split_once(" = "));
        lines.find(|(other, _)| *other == name).map(|(_, value)| value.to_string())
    };
    let missing = |from: &str, text: &str| -> Option<String> {
        from.lines().find(|line| !text.lines().any(|other| other == *line)).map(str::to_string)
    };
    let line = missing(now, saved).or_else(|| missing(saved, now))?;
    let Some((name, _)) = line.split_once(" = ") else {
        return Some(("description".into(), format!("`{saved}`"), format!("`{now}`")));
    };
    let said = |text: &str| named(text, name).unwrap_or_else(|| "not set".to_string());
    Some((name.to_string(), said(saved), said(now)))
}

fn problem(path: &Path, problem: impl ToString) -> TrainError {
    TrainError::File { path: path.to_path_buf(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faults::{self, Fault};

    fn specs() -> Vec<Parameter> {
        [("w", vec![3, 5]), ("b", vec![3])].map(|(name, shape)| Parameter { name: name.into(), shape }).into()
    }

    fn checkpoints(folder: &Path) -> Checkpoints {
        Checkpoints { folder: folder.into(), every: 1, keep: 2, resume: true, about: "a\nb".into() }
    }

    fn progress(steps: u64) -> Progress {
        Progress {
            steps,
            updates: steps,
            skipped: 0,
            waited: 1,
            seconds: 0.1,
            batch_seconds: 0.01,
            averaged: 0,
            plateau: Plateau::new(),
            best: Some((f64::INFINITY, 1)),
            grad_scaler: None,
        }
    }

    fn write(checkpoints: &Checkpoints, steps: u64) -> Result<PathBuf, TrainError> {
        let mut weights = Parameters::new(&specs());
        weights.get_mut(0).fill(steps as f32);
        let memory = vec![0.5; weights.as_slice().len()];
        let losses: Vec<f64> = (0..steps).map(|step| if step == 1 { f64::NAN } else { 1.0 }).collect();
        checkpoints.write(&Snapshot {
            progress: &progress(steps),
            options: &TrainOptions::default(),
            about: &checkpoints.about,
            weights: &weights,
            memory: [&memory, &[], &[]],
            best: Some(&weights),
            average: None,
            losses: &losses,
            validations: &[(1, 0.25)],
        })
    }

    #[test]
    fn what_is_read_is_what_was_written_and_the_last_few_stay() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(&folder.path().join("a/b"));
        assert!(checkpoints.latest(&specs()).unwrap().is_none());
        for steps in 1..=6 {
            write(&checkpoints, steps).unwrap();
        }
        // The first, which is the best, stays besides the last two.
        let kept: Vec<u64> = checkpoints
            .files()
            .unwrap()
            .iter()
            .filter_map(|file| step_of(file.file_name().unwrap().to_str().unwrap()))
            .collect();
        assert_eq!(kept, [6, 5, 1]);
        let (restored, problems) = checkpoints.latest(&specs()).unwrap().unwrap();
        assert!(problems.is_empty());
        assert_eq!((restored.progress, restored.options), (progress(6), TrainOptions::default()));
        assert_eq!((restored.weights.get(0)[14], restored.weights.get(1)[2]), (6.0, 0.0));
        assert_eq!(restored.best.unwrap().get(0)[0], 6.0);
        assert!(restored.average.is_none() && restored.memory[1].is_empty());
        assert_eq!(restored.memory[0][14], 0.5);
        assert!(restored.losses[0] == 1.0 && restored.losses[1].is_nan());
        assert_eq!((restored.validations, restored.about), (vec![(1, 0.25)], "a\nb".to_string()));
        let other = [Parameter { name: "w".into(), shape: vec![5, 3] }];
        let error = checkpoints.latest(&other).err().unwrap().to_string();
        assert!(error.contains("is it another model's?"), "{error}");
    }

    #[test]
    fn counters_that_contradict_the_history_are_refused() {
        assert_eq!(progress(3).contradiction(3, 1), None);
        let scaler = GradScalerState { scale: f32::NAN, good_steps: 0, updates: 0, overflows: 0 };
        type Change = fn(&mut Progress);
        let cases: [(&str, Change); 8] = [
            ("its steps", |p| p.steps = u64::MAX),
            ("its updates", |p| p.updates = 4),
            ("its updates", |p| p.skipped = u64::MAX),
            ("its validations", |p| p.waited = u32::MAX),
            ("its seconds", |p| p.seconds = f64::NAN),
            ("its seconds", |p| p.seconds = -1.0),
            ("its averaged weights", |p| p.averaged = u64::MAX),
            ("its best weights", |p| p.best = Some((0.0, 4))),
        ];
        for (what, change) in cases {
            let mut changed = progress(3);
            change(&mut changed);
            assert_eq!(changed.contradiction(3, 1), Some(what), "{changed:?}");
        }
        let scaled = Progress { grad_scaler: Some(scaler), ..progress(3) };
        assert_eq!(scaled.contradiction(3, 1), Some("its scale of gradients"));
    }

    #[test]
    fn whatever_fails_an_earlier_checkpoint_stays_whole() {
        for fault in [Fault::DiskFull, Fault::ShortWrite, Fault::Broken, Fault::Denied] {
            for at in 0.. {
                let folder = tempfile::tempdir().unwrap();
                let checkpoints = checkpoints(folder.path());
                write(&checkpoints, 1).unwrap();
                let (result, met) = faults::with(fault, at, || write(&checkpoints, 2));
                if !met {
                    assert!(result.is_ok() && at > 5, "{fault:?}: only {at} calls");
                    break;
                }
                // Without the fault: the new one if it got its name, else the old one; whole in any case.
                let (restored, problems) = checkpoints.latest(&specs()).unwrap().unwrap();
                assert!(problems.is_empty(), "{fault:?} at {at}: {problems:?}");
                let steps = restored.progress.steps;
                assert!(steps == 2 || (steps == 1 && result.is_err()), "{fault:?} at {at}: {steps}");
                assert_eq!(restored.weights.get(0)[0], steps as f32);
                let names = disk::names(folder.path()).unwrap();
                assert!(names.iter().all(|name| step_of(name).is_some()), "a draft is left: {names:?}");
                // And the next attempt goes well.
                write(&checkpoints, 3).unwrap();
            }
        }
    }

    #[test]
    fn one_training_at_a_time_writes_into_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(folder.path());
        let held = checkpoints.lock().unwrap();
        let refused = checkpoints.lock().unwrap_err().to_string();
        assert!(held.is_some() && refused.contains("another training writes"), "{refused}");
        drop(held);
        assert!(checkpoints.lock().unwrap().is_some());
    }

    #[test]
    fn a_disk_that_cannot_be_read_is_an_error_and_no_new_beginning() {
        for fault in [Fault::Broken, Fault::Denied] {
            for at in 0.. {
                let folder = tempfile::tempdir().unwrap();
                let checkpoints = checkpoints(folder.path());
                write(&checkpoints, 1).unwrap();
                let (result, met) = faults::with(fault, at, || checkpoints.latest(&specs()));
                assert_eq!(result.is_err(), met, "{fault:?} at {at}");
                if !met {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_passed_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(folder.path());
        write(&checkpoints, 1).unwrap();
        let path = write(&checkpoints, 2).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut damages: Vec<Vec<u8>> =
            [0, 7, 8, 100, whole.len() / 2, whole.len() - 1].map(|cut| whole[..cut].to_vec()).into();
        for bit in (0..whole.len()).step_by(17) {
            let mut flipped = whole.clone();
            flipped[bit] ^= 1 << (bit % 8);
            damages.push(flipped);
        }
        let mut huge = whole.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        damages.push(huge);
        for damaged in damages {
            std::fs::write(&path, &damaged).unwrap();
            match Restored::parse(&damaged, &specs()) {
                // A bit of the version, which nothing depends on.
                Ok(restored) => assert_eq!(restored.progress.steps, 2),
                Err(_) => {
                    let (restored, problems) = checkpoints.latest(&specs()).unwrap().unwrap();
                    assert_eq!((restored.progress.steps, problems.len()), (1, 1));
                    assert!(problems[0].to_string().contains("step-0000000002"), "{problems:?}");
                }
            }
        }
    }
}
