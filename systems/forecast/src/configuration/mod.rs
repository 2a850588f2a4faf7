//! Configuration of a training: settings by their names, from a TOML file and one by one.
//!
//! A file holds any part of what [`render`] writes: `validation`, the model's settings in `[model]`, those of
//! [`FitOptions`] in `[fit]`, and below that, such as in `[fit.train.optimizer]`. Single settings leave out
//! where they belong: `hidden`, `nhits.hidden`, `learning_rate`, `optimizer.beta1`.
//!
//! ```
//! use bessemer_forecast::{Configuration, FitOptions, Model, configuration};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("fit.toml");
//! std::fs::write(&path, "[model]\nkind = 'nhits'\nhidden = 64\n[fit.train]\nsteps = 300\n")?;
//!
//! let configuration = Configuration::read(&path)?.and(configuration::Setting::new("mine", "windows", "16"));
//! let model = configuration.model()?;
//! let options = configuration.options(FitOptions::new(12, 24))?; // what is not set stays as it is
//! assert_eq!((model.name(), options.horizon, options.windows, options.train.steps), ("nhits", 12, 16, 300));
//!
//! // Written out in full, to be read again.
//! let whole = Configuration::parse(&configuration::render(&model, &options, None), "all of it")?;
//! assert_eq!((whole.model()?, whole.options(FitOptions::new(1, 1))?), (model, options));
//!
//! let slip = Configuration::parse("[fit.train]\nstep = 300", "fit.toml")?;
//! let refused = slip.options(FitOptions::new(12, 24)).unwrap_err();
//! assert_eq!(refused.to_string(), "fit.toml: fit.train.step: `step` is unknown; did you mean `steps`?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;
mod refusal;
mod render;
mod setting;
mod validation;

use serde::Serialize;
use serde_json::{Map, Value};

pub use render::render;
pub use setting::Setting;
pub use validation::Validation;

use crate::error::{Error, Result, closest, shorten};
use crate::models::Model;
use crate::options::FitOptions;
use refusal::{brief, nearest, plain_words, unknown_name};
use setting::{put, unknown_of_kind};

/// The largest number that is asked of a model; products of a few such still fit into a machine word.
const MAX: u64 = 1 << 20;

/// Settings by their names, later ones in the place of earlier ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    settings: Vec<Setting>,
    /// The name of the model that a file is for, if it says one.
    pub kind: Option<&'static str>,
    /// The rows to hold back, if a file says so.
    pub validation: Option<Validation>,
}

impl Configuration {
    /// These settings and one more.
    pub fn and(mut self, setting: Setting) -> Configuration {
        self.settings.push(setting);
        self
    }

    /// The model of the file, with its settings.
    ///
    /// # Errors
    /// If the file names none, or as [`Configuration::models`].
    pub fn model(&self) -> Result<Model> {
        let Some(kind) = self.kind else {
            return Err(refuse("model.kind", "no model is named", format!("name one of {}", names())));
        };
        Ok(self.models(&[kind])?.remove(0))
    }

    /// Models by their names, with their settings.
    ///
    /// # Errors
    /// If there is no such model, one is named twice, or a setting belongs to none of them and not to the training
    /// either, or has a value that makes no sense.
    pub fn models<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<Model>> {
        let mut models: Vec<Model> = Vec::with_capacity(names.len());
        for name in names {
            let model = Model::by_name(name.as_ref().trim())?;
            if models.iter().any(|other| other.name() == model.name()) {
                let all = names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",");
                let problem = format!("{} is named twice", model.name());
                return Err(refuse(format!("models {}", shorten(&all)), problem, "name it once"));
            }
            models.push(model);
        }
        let training = tree_of(&FitOptions::new(1, 1));
        let of_models = self.settings.iter().filter(|setting| setting.place_in(&training).is_none());
        of_models.into_iter().try_for_each(|setting| apply(setting, &mut models, &training))?;
        Ok(models)
    }

    /// Options for training, with what is set.
    ///
    /// # Errors
    /// If a name is unknown or a value is of another kind than it must be. Whether values make sense together is
    /// checked where they are used.
    pub fn options(&self, options: FitOptions) -> Result<FitOptions> {
        let mut tree = tree_of(&options);
        let mut result = options;
        // Several may be needed together, such as those of a schedule: what is missing, and who wants it.
        let mut missing: Option<(String, Error)> = None;
        for setting in &self.settings {
            let Some(path) = setting.place_in(&tree) else { continue };
            put(&mut tree, &path, setting)?;
            match serde_json::from_value(tree.clone()) {
                Ok(options) => {
                    check(setting, &path, &options)?;
                    (result, missing) = (options, None);
                }
                Err(error) => {
                    let problem = plain_words(&error.to_string());
                    if !problem.starts_with("missing field") {
                        let remedy = "`bessemer forecast fit --print-config` shows what it may be".into();
                        return Err(setting.refuse_value(&problem, remedy));
                    }
                    if missing.as_ref().is_none_or(|(before, _)| *before != problem) {
                        let error = setting.refuse(&problem, "set that, too");
                        missing = Some((problem, error));
                    }
                }
            }
        }
        missing.map_or(Ok(result), |(_, error)| Err(error))
    }

    /// Whether a setting of the training is given, such as `["train", "steps"]`, or part of it.
    pub fn has(&self, path: &[&str]) -> bool {
        let tree = tree_of(&FitOptions::new(1, 1));
        self.settings.iter().filter_map(|setting| setting.place_in(&tree)).any(|given| {
            given.iter().zip(path).all(|(given, wanted)| given == wanted) && given.len() >= path.len()
        })
    }
}

/// Refuses a setting that options were made with, but that is not in them as it was meant.
fn check(setting: &Setting, path: &[String], options: &FitOptions) -> Result<()> {
    let tree = tree_of(options);
    let within = |path: &[String]| path.iter().try_fold(&tree, |tree, name| tree.get(name));
    // A kind without settings takes no notice of any.
    if within(path).is_none() {
        let table = within(&path[..path.len() - 1]);
        return Err(unknown_of_kind(setting, table.and_then(|table| table.get("kind"))));
    }
    // In single precision it may be infinite, which no file can say.
    if serde_json::from_value(tree).ok().as_ref() != Some(options) {
        return Err(setting.refuse("it is beyond single precision", "give a smaller number"));
    }
    Ok(())
}

/// Gives a setting to every model that it is for.
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
        let remedy = || format!("the default of {} is {default}", model.name());
        if is_too_large(&value) {
            return Err(setting.refuse(&format!("more than {MAX}"), remedy()));
        }
        form.insert(setting.key().to_string(), value);
        *model = serde_json::from_value(Value::Object(form))
            .map_err(|error| setting.refuse_value(&plain_words(&error.to_string()), remedy()))?;
        applied = true;
    }
    match (applied, setting.model()) {
        (true, _) => Ok(()),
        (false, Some(name)) if addressed.is_empty() => {
            let problem = format!("{} is not among the models of this run", shorten(name));
            Err(setting.refuse(&problem, "add it or drop the setting"))
        }
        _ => Err(unknown(setting, &addressed, known, training)),
    }
}

/// Of a setting that no model has.
fn unknown(setting: &Setting, models: &[&str], mut known: Vec<String>, training: &Value) -> Error {
    let problem = format!("{} has no setting `{}`", models.join(" or "), shorten(setting.key()));
    known.sort();
    known.dedup();
    // A slip in a setting of the training.
    let inner = training.get("train").and_then(Value::as_object);
    let options = [training.as_object(), inner].into_iter().flatten().flat_map(Map::keys);
    let remedy = match closest(setting.key(), options, 0.9) {
        Some(name) if name == setting.key() => "it is a setting of the training, below `fit`".into(),
        Some(name) => format!("did you mean `{name}`?"),
        None => nearest(setting.key(), &known),
    };
    setting.refuse(&problem, remedy)
}

fn is_too_large(value: &Value) -> bool {
    match value {
        Value::Array(parts) => parts.iter().any(is_too_large),
        value => value.as_f64().is_some_and(|number| number > MAX as f64),
    }
}

fn names() -> String {
    Model::NAMES.join(", ")
}

/// Options as a tree of names.
fn tree_of(options: &impl Serialize) -> Value {
    serde_json::to_value(options).unwrap_or_default()
}

fn form_of(model: &Model) -> Map<String, Value> {
    match tree_of(model) {
        Value::Object(form) => form,
        _ => Map::new(),
    }
}

fn refuse(place: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::Setting { place: place.into(), problem: problem.into(), remedy: remedy.into() }
}

impl Setting {
    fn refuse(&self, problem: &str, remedy: impl Into<String>) -> Error {
        refuse(&self.place, problem, remedy)
    }

    /// For a value that serde refuses, with the nearest name where one is unknown.
    fn refuse_value(&self, problem: &str, remedy: String) -> Error {
        let (problem, remedy) = unknown_name(problem).unwrap_or_else(|| (brief(problem), remedy));
        self.refuse(&problem, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Configuration {
        let named = texts.iter().map(|text| text.split_once('=').unwrap());
        let list = named.map(|(name, value)| Setting::new(name, name, value));
        list.fold(Configuration::default(), Configuration::and)
    }

    fn set(names: &[&str], texts: &[&str]) -> Result<Vec<Model>> {
        of(texts).models(names)
    }

    fn form(model: &Model, key: &str) -> String {
        form_of(model)[key].to_string()
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
        let given = of(&[
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
        let options = given.options(FitOptions::new(1, 2)).unwrap();
        let tree = tree_of(&options);
        assert_eq!((options.train.learning_rate, options.train.steps, options.windows), (0.01, 7, 5));
        assert_eq!(tree["train"]["optimizer"]["beta1"], serde_json::json!(0.8f32));
        assert_eq!(tree["train"]["schedule"], serde_json::json!({"kind": "exponential", "gamma": 0.9}));
        assert_eq!((options.train.clip_norm, tree["loss"].as_str()), (Some(2.0), Some("mae")));
        assert!(given.has(&["train", "schedule"]) && given.has(&["train", "steps"]));
        assert!(!given.has(&["train", "patience"]) && !of(&[]).has(&["train", "schedule"]));
        // Another kind has settings of its own.
        let sgd = of(&["optimizer.kind=sgd", "optimizer.momentum=0.9"]);
        let options = sgd.options(FitOptions::new(1, 2)).unwrap();
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
            ("optimizer.weight=1", "did you mean `weight_decay`?"),
            ("optimizer.momentum=1", "`momentum` is unknown; it may be beta1, beta2, eps, weight_decay"),
            ("steps=-1", "invalid value"),
            ("steps.more=1", "`more` is unknown; `steps` is a value without parts"),
            ("optimizer.kind=adan", "did you mean `adam`?"),
            ("schedule.gamma=0.5", "`constant` has no such setting; choose another `kind` first"),
            ("clip_norm=1e39", "it is beyond single precision"),
            ("grad_scaler.scal=3", "did you mean `scale`?"),
            ("loss=huber", "`huber` is unknown; it may be mse, mae"),
            ("average.kind=ema", "average.kind: missing field `decay`; set that, too"),
        ] {
            let more = "seed=3"; // which is not to blame
            let error = of(&[setting, more]).options(FitOptions::new(1, 2)).err().map(|e| e.to_string());
            assert!(error.as_ref().is_some_and(|e| e.contains(expected)), "{setting}: {error:?}");
        }
    }
}
