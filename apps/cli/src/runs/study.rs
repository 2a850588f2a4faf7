//! What a run keeps of trainings side by side: what each gave, once it has come to its end.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bessemer::forecast::{Contender, Forecaster, Frame, Split};
use bessemer::train::{read_whole, weights};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::kept::{KeptRun, KeptTraining};
use crate::error::{CliError, Result};
use crate::{interrupt, usage};

/// What all trainings are for.
const STUDY: &str = "study.toml";
/// In a training's folder, what it gave.
const TRAINED: &str = "trained.toml";
/// And its weights, beside the rest of its model.
const WEIGHTS: &str = "weights.safetensors";
/// The form of both records.
const FORMAT: i64 = 1;
/// The largest such file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// No training took longer, in seconds.
const SECONDS_MAX: f64 = 1e12;

/// One training of a study.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its folder within the run, such as `fold-2/nlinear` or `trial-7`.
    pub name: String,
    /// What is fitted.
    pub contender: &'a Contender,
    /// The rows, for each series.
    pub splits: &'a [Split],
}

/// What a training gave: a score or a problem, in which case there is nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// Time to fit, on one thread.
    pub seconds: f64,
    /// Its mean absolute error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Why it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// SHA-256 of the file of weights beside this one, if the model is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
}

/// `trained.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: i64,
    training: String,
    gave: Trained,
    /// What it is the training of.
    about: Table,
}

/// Trainings side by side, and what is kept of them.
pub struct KeptStudy<'a> {
    run: &'a KeptRun,
    parts: Vec<Part<'a>>,
    /// The data's fingerprint, where anything is kept.
    data: String,
    /// What those gave that had come to their end before, by number.
    before: Vec<Option<Trained>>,
}

impl<'a> KeptStudy<'a> {
    /// Begins a study, or goes on with it. `about` and `fitted` say what may not change in between, beside what
    /// each training is.
    ///
    /// # Errors
    /// If the run is another study, or what is kept of a training is not its own. Then nothing is changed.
    pub fn begin(
        run: &'a mut KeptRun,
        command: &str,
        about: &impl Serialize,
        fitted: &[Contender],
        frame: &Frame,
        parts: Vec<Part<'a>>,
    ) -> Result<KeptStudy<'a>> {
        let mut before = vec![None; parts.len()];
        let Some(folder) = run.path().map(Path::to_path_buf) else {
            return Ok(KeptStudy { run, parts, data: String::new(), before });
        };
        let data = frame.fingerprint();
        let mut about = Table::try_from(about).map_err(|error| cannot_keep(command, &error))?;
        about.insert("format".into(), FORMAT.into());
        about.insert("command".into(), command.into());
        about.insert("data".into(), data.as_str().into());
        let [mut models, mut fits] = [Table::new(), Table::new()];
        for contender in fitted {
            let (model, fit) = settings(contender)?;
            models.insert(contender.model.name().into(), model);
            fits.insert(contender.model.name().into(), fit);
        }
        about.insert("model".into(), models.into());
        about.insert("fit".into(), fits.into());
        let path = folder.join(STUDY);
        if run.goes_on() {
            // It may have been killed before there was any.
            if path.exists() || !run.is_of(command) {
                check_same(&path, &read(&path)?, &about)?;
            }
            for (part, before) in parts.iter().zip(&mut before) {
                *before = part.read(&folder, &data)?;
            }
        }
        run.go_on()?;
        run.write(STUDY, &about.to_string())?;
        Ok(KeptStudy { run, parts, data, before })
    }

    /// The run.
    pub fn run(&self) -> &KeptRun {
        self.run
    }

    /// What a training gave that came to its end before.
    pub fn before(&self, number: usize) -> Option<&Trained> {
        self.before[number].as_ref()
    }

    /// How many trainings there are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// How many of them came to their end before.
    pub fn count_before(&self) -> usize {
        self.before.iter().flatten().count()
    }

    /// The model of such a training.
    pub fn model(&self, number: usize, trained: &Trained) -> Result<Forecaster> {
        let folder = self.run.place(&self.parts[number].name).unwrap_or_default();
        let mut forecaster = Forecaster::load(&folder)?;
        forecaster.history.elapsed = Duration::from_secs_f64(trained.seconds);
        Ok(forecaster)
    }

    /// Begins a training, anew where one was cut off.
    pub fn begin_training(&self, number: usize) -> Result<KeptTraining> {
        let name = &self.parts[number].name;
        if let Some(left) = self.run.place(name).filter(|folder| folder.exists()) {
            let _hold = interrupt::writing();
            std::fs::remove_dir_all(&left).map_err(CliError::output(&left, "begin it anew"))?;
        }
        Ok(KeptTraining::new(self.run.place(name)))
    }

    /// Keeps what a training gave, and its model where one is given.
    pub fn end_training(
        &self,
        number: usize,
        metrics: KeptTraining,
        mut trained: Trained,
        model: Option<&Forecaster>,
    ) -> Result<()> {
        metrics.finish()?;
        let Part { name, .. } = &self.parts[number];
        let Some(folder) = self.run.place(name) else { return Ok(()) };
        if let Some(model) = model {
            self.run.save(name, model)?;
            trained.weights = Some(fingerprint(&folder.join(WEIGHTS))?);
        }
        let about = self.parts[number].about(&self.data)?;
        let record = Record { format: FORMAT, training: name.clone(), gave: trained, about };
        let text = toml::to_string(&record).map_err(|error| cannot_keep(name, &error))?;
        // Last: what is there without it is not yet whole.
        self.run.write(&format!("{name}/{TRAINED}"), &text)
    }
}

impl Part<'_> {
    /// All that decides what it gives.
    fn about(&self, data: &str) -> Result<Table> {
        let (model, fit) = settings(self.contender)?;
        let rows = serde_json::to_vec(self.splits).unwrap_or_default();
        Ok(Table::from_iter([
            ("data".to_string(), data.into()),
            ("rows".into(), weights::fingerprint(&rows).into()),
            ("model".into(), model),
            ("fit".into(), fit),
        ]))
    }

    /// What is kept of it in the folder of a run, if it came to its end.
    fn read(&self, run: &Path, data: &str) -> Result<Option<Trained>> {
        let folder = run.join(&self.name);
        let path = folder.join(TRAINED);
        if !path.exists() {
            return Ok(None);
        }
        let refuse = |problem: String| {
            let remedy = "remove it, and this training is repeated";
            CliError::argument(format!("`{}`", path.display()), problem, remedy)
        };
        let record = Record::deserialize(Value::Table(read(&path)?)).map_err(|error| {
            refuse(format!("no record of a training: {}", usage::one_line(error.message())))
        })?;
        let Record { format, training, gave, about } = record;
        let sound =
            gave.mae.is_some() != gave.problem.is_some() && (0.0..SECONDS_MAX).contains(&gave.seconds);
        match () {
            () if format != FORMAT => {
                return Err(refuse(format!("format {format}, but this version reads format {FORMAT}")));
            }
            () if training != self.name => return Err(refuse(format!("it is of `{training}`"))),
            () if !sound => return Err(refuse("no training gives that".into())),
            () => {}
        }
        check_same(&path, &about, &self.about(data)?)?;
        if let Some(expected) = &gave.weights {
            let path = folder.join(WEIGHTS);
            if fingerprint(&path)? != *expected {
                let problem = "it does not hold the weights that were trained".to_string();
                let remedy = format!("remove `{}`, and this training is repeated", folder.display());
                return Err(CliError::argument(format!("`{}`", path.display()), problem, remedy));
            }
        }
        Ok(Some(gave))
    }
}

/// All settings of a model and of its training.
fn settings(contender: &Contender) -> Result<(Value, Value)> {
    let failed = |error| cannot_keep(contender.model.name(), &error);
    let model = Value::try_from(&contender.model).map_err(failed)?;
    Ok((model, Value::try_from(&contender.options).map_err(failed)?))
}

/// What tells the weights in a file from others.
fn fingerprint(path: &Path) -> Result<String> {
    let bytes = read_whole(path, weights::MAX_BYTES).map_err(CliError::input(path))?;
    Ok(weights::fingerprint(&bytes))
}

fn read(path: &Path) -> Result<Table> {
    let bytes = read_whole(path, BYTES_MAX).map_err(CliError::input(path))?;
    let table = std::str::from_utf8(&bytes)
        .map_err(|error| error.to_string())
        .and_then(|text| text.parse::<Table>().map_err(|error| usage::one_line(error.message())));
    table.map_err(|problem| {
        let remedy = "restore it, or begin anew in another folder";
        CliError::argument(format!("`{}`", path.display()), format!("no valid TOML: {problem}"), remedy)
    })
}

fn cannot_keep(name: &str, error: &toml::ser::Error) -> CliError {
    CliError::argument(name, format!("its settings cannot be written down: {error}"), "use --no-run")
}

/// Refuses what is of other settings, by the name of the first that differs.
fn check_same(path: &Path, saved: &Table, asked: &Table) -> Result<()> {
    match difference("", saved, asked) {
        None => Ok(()),
        Some((name, saved, asked)) => Err(CliError::argument(
            format!("`{}`", path.display()),
            format!("its {name} is {saved}, but {asked} is asked for"),
            "go on with the same settings and data, or begin anew in another folder",
        )),
    }
}

/// The first setting that differs: its name, and what it is in both.
fn difference(place: &str, saved: &Table, asked: &Table) -> Option<(String, String, String)> {
    let names: BTreeSet<&String> = saved.keys().chain(asked.keys()).collect();
    names.into_iter().find_map(|name| {
        let path = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        match (saved.get(name), asked.get(name)) {
            (saved, asked) if saved == asked => None,
            (Some(Value::Table(saved)), Some(Value::Table(asked))) => difference(&path, saved, asked),
            (saved, asked) => Some((path, said(saved), said(asked))),
        }
    })
}

/// A value in a message, of which a file may have any.
fn said(value: Option<&Value>) -> String {
    const MOST: usize = 100;
    let text = usage::one_line(&value.map_or("not set".to_string(), Value::to_string));
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_differs_is_named() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let saved = table("folds = 3\n[fit.mlp]\nrate = 0.1\nscaler = \"none\"");
        for (asked, expected) in [
            ("folds = 3\n[fit.mlp]\nrate = 0.1\nscaler = \"none\"", None),
            ("folds = 4\n[fit.mlp]\nrate = 0.1\nscaler = \"none\"", Some(("folds", "3", "4"))),
            ("folds = 3\n[fit.mlp]\nrate = 0.2\nscaler = \"none\"", Some(("fit.mlp.rate", "0.1", "0.2"))),
            ("folds = 3\n[fit.mlp]\nrate = 0.1", Some(("fit.mlp.scaler", "\"none\"", "not set"))),
            ("folds = 3\nfit = 1", Some(("fit", "{ mlp = { rate = 0.1, scaler = \"none\" } }", "1"))),
        ] {
            let found = difference("", &saved, &table(asked));
            let expected = expected.map(|(name, saved, asked): (&str, &str, &str)| {
                (name.to_string(), saved.to_string(), asked.to_string())
            });
            assert_eq!(found, expected, "{asked}");
        }
        let long = table(&format!("x = \"{}\"", "a".repeat(10_000)));
        assert!(said(long.get("x")).len() < 120);
    }
}
