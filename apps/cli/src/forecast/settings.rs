//! Settings of models and of training by their names: `--set hidden=256`, `--set patchtst.width=128`,
//! `--set optimizer.beta1=0.8`, and those of a configuration file.

use std::path::Path;

use bessemer::forecast::{FitOptions, Model};
use bessemer::train::Optimizer;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{CliError, Result};

/// The largest number that is asked of a model; products of a few such still fit into a machine word.
const MAX: u64 = 1 << 20;
/// The largest configuration file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Where settings of the training lie in [`FitOptions`], innermost first.
const SECTIONS: [&[&str]; 2] = [&["train"], &[]];

/// `name=value`, where the name may have dots in it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where it was given.
    place: String,
    path: Vec<String>,
    value: Value,
}

impl Setting {
    /// For clap.
    pub fn parse(text: &str) -> std::result::Result<Setting, String> {
        let (name, value) = text.split_once('=').ok_or("it must be setting=value, such as hidden=256")?;
        let path: Vec<String> = name.split('.').map(|part| part.trim().replace('-', "_")).collect();
        // As in other software.
        let path = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["lr"] | ["optimizer", "lr"] => vec!["learning_rate".to_string()],
            _ => path,
        };
        Ok(Setting { place: format!("--set {text}"), path, value: Value::String(value.trim().into()) })
    }

    /// A setting for any model that has it.
    pub fn of(key: &str, value: &str) -> Setting {
        let path = key.split('.').map(str::to_string).collect();
        Setting { place: format!("--set {key}={value}"), path, value: Value::String(value.into()) }
    }

    fn refuse(&self, problem: impl Into<String>, remedy: impl Into<String>) -> CliError {
        CliError::argument(&self.place, problem, remedy)
    }

    /// The model it is for, by its name, if it says one.
    fn model(&self) -> Option<&str> {
        self.path.first().filter(|_| self.path.len() == 2).map(String::as_str)
    }

    fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Whether the setting is for this model, as far as its own name goes.
    fn is_for(&self, model: &Model) -> Result<bool> {
        match self.model() {
            None => Ok(true),
            Some(name) => Ok(Model::by_name(name)?.name() == model.name()),
        }
    }

    /// Where in the options for training it belongs, if it belongs there.
    fn place_in(&self, options: &Value) -> Option<Vec<String>> {
        let path = match self.path.first().map(String::as_str) {
            Some("fit") => &self.path[1..],
            _ => &self.path[..],
        };
        let first = path.first()?;
        SECTIONS.into_iter().find_map(|section| {
            let within = section.iter().try_fold(options, |tree, name| tree.get(name))?;
            within.get(first)?;
            Some(section.iter().map(|name| name.to_string()).chain(path.iter().cloned()).collect())
        })
    }

    /// The value, in the shape of the default if it was given as text.
    fn like(&self, default: &Value) -> Value {
        match &self.value {
            Value::String(text) => value_like(default, text),
            value => value.clone(),
        }
    }
}

/// All settings of a command: those of its configuration file, then those of the command line.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    list: Vec<Setting>,
    /// The model that the file is for.
    pub model: Option<String>,
    /// The rows that the file holds back, as on the command line.
    pub validation: Option<String>,
}

impl Settings {
    /// Those of a file, if one is given, and those of the command line.
    pub fn new(file: Option<&Path>, given: &[Setting]) -> Result<Settings> {
        let mut settings = file.map(read).transpose()?.unwrap_or_default();
        settings.list.extend(given.iter().cloned());
        Ok(settings)
    }

    /// These and one more.
    pub fn and(mut self, setting: Setting) -> Settings {
        self.list.push(setting);
        self
    }

    /// Models by their names, with settings applied. What is neither of a model nor of the training is refused.
    pub fn models(&self, names: &[String]) -> Result<Vec<Model>> {
        let mut models: Vec<Model> = Vec::with_capacity(names.len());
        for name in names {
            let model = Model::by_name(name.trim())?;
            if models.iter().any(|other| other.name() == model.name()) {
                let place = format!("--models {}", names.join(","));
                return Err(CliError::argument(place, format!("{name} is named twice"), "name it once"));
            }
            models.push(model);
        }
        let training = tree_of(&FitOptions::new(1, 1));
        let of_models = self.list.iter().filter(|setting| setting.place_in(&training).is_none());
        of_models.into_iter().try_for_each(|setting| apply(setting, &mut models, &training))?;
        Ok(models)
    }

    /// The options for training with settings applied.
    pub fn training(&self, options: FitOptions) -> Result<FitOptions> {
        let mut tree = tree_of(&options);
        let mut result = Ok(options);
        for setting in &self.list {
            let Some(path) = setting.place_in(&tree) else { continue };
            set(&mut tree, &path, setting)?;
            result = serde_json::from_value(tree.clone()).map_err(|error| {
                let problem = plain_words(&error.to_string());
                (
                    problem.contains("missing field"),
                    setting.refuse(problem, "see --print-config for what it may be"),
                )
            });
            // Several may be needed together, such as those of a schedule.
            if let Err((false, error)) = result {
                return Err(error);
            }
        }
        result.map_err(|(_, error)| error)
    }

    /// Whether a setting of the training is given, such as `train.steps`, or part of it.
    pub fn has(&self, path: &[&str]) -> bool {
        let tree = tree_of(&FitOptions::new(1, 1));
        self.list.iter().filter_map(|setting| setting.place_in(&tree)).any(|given| {
            given.iter().zip(path).all(|(given, wanted)| given == wanted) && given.len() >= path.len()
        })
    }
}

/// Reads a configuration file: any part of `validation`, `[model]` and `[fit]`.
fn read(path: &Path) -> Result<Settings> {
    let place = path.display().to_string();
    let refuse = |problem: String, remedy: &str| CliError::argument(&place, problem, remedy);
    let length = std::fs::metadata(path)
        .map_err(|e| refuse(e.to_string(), "give a file, such as one written by --print-config"))?
        .len();
    if length > BYTES_MAX {
        return Err(refuse(format!("{length} bytes"), "a configuration has at most a mebibyte"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| refuse(e.to_string(), "give a text file"))?;
    let table: toml::Table =
        text.parse().map_err(|e| refuse(format!("no valid TOML: {e}"), "see --print-config"))?;
    let mut settings = Settings::default();
    let known = ["validation", "model", "fit"];
    for (name, value) in table {
        let value = serde_json::to_value(value).unwrap_or_default();
        match (name.as_str(), value) {
            ("validation", Value::Object(_) | Value::Array(_)) => {
                return Err(refuse("`validation` is no number".into(), "give rows or a fraction"));
            }
            ("validation", value) => settings.validation = Some(value.to_string()),
            ("model", Value::Object(form)) => {
                settings.model = form.get("kind").and_then(Value::as_str).map(str::to_string);
                for (key, value) in form.into_iter().filter(|(key, _)| key != "kind") {
                    let place = format!("{place}: model.{key}");
                    let path = settings.model.iter().cloned().chain([key]).collect();
                    settings.list.push(Setting { place, path, value });
                }
            }
            ("fit", value @ Value::Object(_)) => {
                leaves(&mut vec!["fit".to_string()], value, &mut |path, value| {
                    let (place, path) = (format!("{place}: {}", path.join(".")), path.to_vec());
                    settings.list.push(Setting { place, path, value });
                });
            }
            ("model" | "fit", _) => {
                return Err(refuse(format!("`{name}` is no section"), "see --print-config"));
            }
            _ => {
                let problem = format!("`{name}` is unknown");
                return Err(refuse(problem, &nearest(&name, &known.map(String::from))));
            }
        }
    }
    // What a name stands for in a file is clear from its place, so all must be known.
    let tree = tree_of(&FitOptions::new(1, 1));
    for setting in settings.list.iter().filter(|setting| setting.path[0] == "fit") {
        let mut unused = tree.clone();
        // Infinite numbers and NaN, which this form doesn't have.
        if setting.value.is_null() {
            return Err(setting.refuse("it is no finite number", "give another"));
        }
        match setting.place_in(&tree) {
            Some(path) => set(&mut unused, &path, setting)?,
            None => return Err(unknown_option(setting, &tree)),
        }
    }
    Ok(settings)
}

/// Calls `each` for everything in a tree that is no table; a table's `kind` first.
fn leaves(path: &mut Vec<String>, tree: Value, each: &mut dyn FnMut(&[String], Value)) {
    let Value::Object(form) = tree else { return each(path, tree) };
    let (kinds, others): (Vec<_>, Vec<_>) = form.into_iter().partition(|(key, _)| key == "kind");
    for (key, value) in kinds.into_iter().chain(others) {
        path.push(key);
        leaves(path, value, each);
        path.pop();
    }
}

/// Puts a value into a tree of options.
fn set(tree: &mut Value, path: &[String], setting: &Setting) -> Result<()> {
    let Some((last, tables)) = path.split_last() else { return Ok(()) };
    let mut within = tree;
    for name in tables {
        let here = within.clone();
        within = match within {
            Value::Object(form) if form.contains_key(name) || is_open(form) => {
                form.entry(name).or_insert_with(|| Value::Object(Map::new()))
            }
            _ => return Err(unknown_key(setting, name, &here)),
        };
        if within.is_null() {
            *within = Value::Object(Map::new());
        }
    }
    let here = within.clone();
    let Value::Object(form) = within else { return Err(unknown_key(setting, last, &here)) };
    let value = setting.like(form.get(last).unwrap_or(&Value::Null));
    match form.get(last) {
        Some(before) if last == "kind" && *before != value => {
            *form = optimizer_of(value.as_str().unwrap_or_default());
            form.insert(last.clone(), value);
        }
        None if !is_open(form) => return Err(unknown_key(setting, last, &here)),
        _ => _ = form.insert(last.clone(), value),
    }
    Ok(())
}

/// Whether a table takes keys that are not there yet: one that was not set before, or is of another kind now.
fn is_open(form: &Map<String, Value>) -> bool {
    form.is_empty() || form.contains_key("kind")
}

/// The settings of an optimiser, if it is one; nothing otherwise.
fn optimizer_of(kind: &str) -> Map<String, Value> {
    let known = [Optimizer::ADAM, Optimizer::ADAMW, Optimizer::SGD, Optimizer::RMSPROP];
    let forms = known.iter().map(tree_of);
    let plain = |kind: &str| kind.replace('-', "");
    let kind_of = |form: &Value| form.get("kind").and_then(Value::as_str).map(plain);
    let found = forms.into_iter().find(|form| kind_of(form) == Some(plain(kind)));
    found.and_then(|form| form.as_object().cloned()).unwrap_or_default()
}

fn unknown_key(setting: &Setting, name: &str, table: &Value) -> CliError {
    let known: Vec<String> = table.as_object().map_or(Vec::new(), |form| form.keys().cloned().collect());
    setting.refuse(format!("`{}` is unknown", setting.path.join(".")), nearest(name, &known))
}

fn unknown_option(setting: &Setting, tree: &Value) -> CliError {
    let inner = tree.get("train").unwrap_or(&Value::Null);
    let first = setting.path.get(1).map_or("", String::as_str);
    let keys = |tree: &Value| tree.as_object().map_or(Vec::new(), |form| form.keys().cloned().collect());
    let known: Vec<String> = [keys(tree), keys(inner)].concat();
    setting.refuse(format!("`{}` is unknown", setting.path.join(".")), nearest(first, &known))
}

fn apply(setting: &Setting, models: &mut [Model], training: &Value) -> Result<()> {
    let mut known = Vec::new();
    let mut addressed = Vec::new();
    let mut applied = false;
    for model in models.iter_mut() {
        if !setting.is_for(model)? {
            continue;
        }
        addressed.push(model.name());
        let mut form = form_of(model);
        let Some(default) = form.get(setting.key()).filter(|_| setting.key() != "kind") else {
            known.extend(form.into_iter().map(|(key, _)| key).filter(|key| key != "kind"));
            continue;
        };
        let default = default.clone();
        let value = setting.like(&default);
        if is_too_large(&value) {
            return Err(setting.refuse(
                format!("more than {MAX}"),
                format!("the default of {} is {default}", model.name()),
            ));
        }
        form.insert(setting.key().to_string(), value);
        *model = serde_json::from_value(Value::Object(form)).map_err(|error| {
            let remedy = format!("the default of {} is {default}", model.name());
            setting.refuse(plain_words(&error.to_string()), remedy)
        })?;
        applied = true;
    }
    match (applied, setting.model()) {
        (true, _) => Ok(()),
        (false, Some(name)) if addressed.is_empty() => Err(setting
            .refuse(format!("{name} is not among the models of this run"), "add it or drop the setting")),
        _ => Err(unknown(setting, &addressed, known, training)),
    }
}

fn unknown(setting: &Setting, models: &[&str], mut known: Vec<String>, training: &Value) -> CliError {
    let problem = format!("{} has no setting `{}`", models.join(" or "), setting.key());
    known.sort();
    known.dedup();
    // A slip in a setting of the training.
    let inner = training.get("train").and_then(Value::as_object);
    let options = [training.as_object(), inner].into_iter().flatten().flat_map(Map::keys);
    let close = options.map(|name| (likeness(name, setting.key()), name)).filter(|(like, _)| *like > 0.9);
    let remedy = match close.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "it has none at all".to_string(),
        None => nearest(setting.key(), &known),
    };
    setting.refuse(problem, remedy)
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

/// A message without the names of types.
fn plain_words(message: &str) -> String {
    let words = [
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u8", "expected a whole number"),
        ("expected internally tagged enum", "expected a table with a `kind` for"),
    ];
    words.iter().fold(message.to_string(), |text, (from, to)| text.replace(from, to))
}

/// What was meant, or all that there is.
fn nearest(name: &str, known: &[String]) -> String {
    let best = known.iter().max_by(|a, b| likeness(a, name).total_cmp(&likeness(b, name)));
    match best {
        None => "there is nothing to set".to_string(),
        Some(best) if likeness(best, name) > 0.7 => format!("did you mean `{best}`?"),
        Some(_) => format!("its settings are {}", known.join(", ")),
    }
}

/// Options as a tree of names.
pub fn tree_of(options: &impl Serialize) -> Value {
    serde_json::to_value(options).unwrap_or_default()
}

fn form_of(model: &Model) -> Map<String, Value> {
    match tree_of(model) {
        Value::Object(form) => form,
        _ => Map::new(),
    }
}

/// A value of the same shape as the default: `2,2,1` is a list only where one is wanted.
fn value_like(default: &Value, text: &str) -> Value {
    let one = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_string()));
    match default {
        Value::Array(_) => text.trim_matches(['[', ']']).split(',').map(|part| one(part.trim())).collect(),
        Value::String(_) => Value::String(text.to_string()),
        _ => one(text),
    }
}

fn is_too_large(value: &Value) -> bool {
    match value {
        Value::Array(parts) => parts.iter().any(is_too_large),
        value => value.as_f64().is_some_and(|number| number > MAX as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(texts: &[&str]) -> Settings {
        let list: Vec<Setting> = texts.iter().map(|text| Setting::parse(text).unwrap()).collect();
        Settings::new(None, &list).unwrap()
    }

    fn set(names: &[&str], texts: &[&str]) -> Result<Vec<Model>> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        settings(texts).models(&names)
    }

    fn form(model: &Model, key: &str) -> String {
        form_of(model)[key].to_string()
    }

    fn file(text: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fit.toml");
        std::fs::write(&path, text).unwrap();
        Settings::new(Some(&path), &[])
    }

    #[test]
    fn settings_reach_the_models_that_have_them() {
        let models = set(&["mlp", "nhits", "dlinear"], &["hidden=64", "nhits.pool=4,2,1"]).unwrap();
        assert_eq!((form(&models[0], "hidden"), form(&models[1], "hidden")), ("64".into(), "64".into()));
        assert_eq!(form(&models[1], "pool"), "[4,2,1]");
        let models = set(&["patchtst", "mlp"], &["patchtst.layers=1", "subtract-last=true"]).unwrap();
        assert_eq!((form(&models[0], "layers"), form(&models[1], "layers")), ("1".into(), "2".into()));
        assert_eq!(form(&models[0], "subtract_last"), "true");
    }

    #[test]
    fn settings_reach_the_training() {
        let given = settings(&[
            "optimizer.lr=1e-2",
            "optimizer.beta1=0.8",
            "train.steps=7",
            "windows=5",
            "loss=mae",
            "clip-norm=2",
            "fit.train.schedule.kind=exponential",
            "schedule.gamma=0.9",
            "average.kind=ema",
            "average.decay=0.99",
        ]);
        set(&["mlp"], &["optimizer.beta1=0.8"]).unwrap();
        let options = given.training(FitOptions::new(1, 2)).unwrap();
        let tree = tree_of(&options);
        assert_eq!((options.train.learning_rate, options.train.steps, options.windows), (0.01, 7, 5));
        assert_eq!(tree["train"]["optimizer"]["beta1"], serde_json::json!(0.8f32));
        assert_eq!(tree["train"]["schedule"], serde_json::json!({"kind": "exponential", "gamma": 0.9}));
        assert_eq!((options.train.clip_norm, tree["loss"].as_str()), (Some(2.0), Some("mae")));
        assert!(given.has(&["train", "schedule"]) && given.has(&["train", "steps"]));
        assert!(!given.has(&["train", "patience"]) && !settings(&[]).has(&["train", "schedule"]));
        // Another kind has settings of its own.
        let sgd = settings(&["optimizer.kind=sgd", "optimizer.momentum=0.9"]);
        let options = sgd.training(FitOptions::new(1, 2)).unwrap();
        assert_eq!(tree_of(&options.train.optimizer)["momentum"], serde_json::json!(0.9f32));
    }

    #[test]
    fn what_nothing_has_is_refused() {
        let cases: [(&[&str], &str, &str); 9] = [
            (&["mlp"], "hiden=8", "did you mean `hidden`?"),
            (&["mlp"], "kind=nhits", "its settings are hidden, layers"),
            (&["nlinear"], "hidden=8", "it has none at all"),
            (&["mlp"], "hidden=wide", "the default of mlp is 512"),
            (&["mlp"], "hidden=1048577", "more than 1048576"),
            (&["mlp"], "nhits.hidden=8", "nhits is not among the models"),
            (&["mlp"], "nhit.hidden=8", "did you mean `nhits`?"),
            (&["mlp"], "learning_rat=8", "did you mean `learning_rate`?"),
            (&["mlp"], "a.b.c=8", "mlp has no setting `c`"),
        ];
        for (names, setting, expected) in cases {
            let error = set(names, &[setting]).unwrap_err().to_string();
            assert!(error.contains(expected), "{setting}: {error}");
        }
        assert!(set(&["mlp", "MLP"], &[]).unwrap_err().to_string().contains("twice"));
        for (setting, expected) in [
            ("optimizer.beta=1", "unknown field `beta`"),
            ("optimizer.momentum=1", "unknown field `momentum`"),
            ("steps=-1", "invalid value"),
            ("steps.more=1", "`steps.more` is unknown"),
            ("loss=huber", "unknown variant `huber`"),
            ("average.kind=ema", "missing field `decay`"),
        ] {
            let error = settings(&[setting]).training(FitOptions::new(1, 2)).err().map(|e| e.to_string());
            assert!(error.as_ref().is_some_and(|e| e.contains(expected)), "{setting}: {error:?}");
        }
    }

    #[test]
    fn a_file_holds_what_the_command_line_sets() {
        let given = file(
            "validation = 0.1\n[model]\nkind = \"nhits\"\nhidden = 64\n\
             [fit]\nhorizon = 3\n[fit.train]\nsteps = 9\n[fit.train.optimizer]\nweight_decay = 0.5\nkind = \"adamw\"\n",
        )
        .unwrap();
        assert_eq!((given.model.as_deref(), given.validation.as_deref()), (Some("nhits"), Some("0.1")));
        assert_eq!(form(&given.models(&["nhits".into()]).unwrap()[0], "hidden"), "64");
        let options = given.training(FitOptions::new(1, 2)).unwrap();
        assert_eq!((options.horizon, options.train.steps), (3, 9));
        assert_eq!(tree_of(&options.train.optimizer)["weight_decay"], 0.5);
    }

    #[test]
    fn a_file_with_slips_is_refused() {
        for (text, expected) in [
            ("horizon = 3", "`horizon` is unknown"),
            (
                "[fit.train]\nlearning_rate = \"abc\"",
                "fit.train.learning_rate: invalid type: string \"abc\", expected a number",
            ),
            ("[fit.train]\nlearning_rate = nan", "fit.train.learning_rate: it is no finite number"),
            ("[modle]\nkind = \"mlp\"", "did you mean `model`?"),
            ("model = 3", "`model` is no section"),
            ("validation = []", "`validation` is no number"),
            ("[fit]\nhorizen = 3", "did you mean `horizon`?"),
            ("[fit.train]\nstep = 3", "did you mean `steps`?"),
            ("[fit.train.optimizer]\nbeta3 = 1", ""),
            ("[fit", "no valid TOML"),
        ] {
            let result = file(text).and_then(|given| given.training(FitOptions::new(1, 2)));
            let error = result.err().map(|e| e.to_string());
            assert!(error.as_ref().is_some_and(|e| e.contains(expected)), "{text}: {error:?}");
        }
        let huge = "#".repeat(BYTES_MAX as usize + 1);
        assert!(file(&huge).is_err() && Settings::new(Some(Path::new("/none")), &[]).is_err());
    }
}
