//! One setting: where it was given, its name and its value.

use bessemer_train::Optimizer;
use serde_json::{Map, Value};

use super::tree_of;
use crate::error::{Error, Result, shorten};
use crate::models::Model;

/// Where settings of the training lie in [`FitOptions`](crate::FitOptions), innermost first.
const SECTIONS: [&[&str]; 2] = [&["train"], &[]];

/// In the place of a model's name: any that has the setting.
pub(super) const ANY: &str = "model";

/// A setting by its name, which may have dots in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Where it was given, for messages.
    pub(super) place: String,
    pub(super) path: Vec<String>,
    pub(super) value: Value,
}

impl Setting {
    /// A setting that was given in some `place`, which messages name. Hyphens are as good as underscores. The value
    /// is read as what it is for: `4,2,1` is a list only where one is wanted.
    pub fn new(place: impl Into<String>, name: &str, value: &str) -> Setting {
        let path: Vec<String> = name.split('.').map(|part| part.trim().replace('-', "_")).collect();
        // As in other software.
        let path = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["lr"] | ["optimizer", "lr"] => vec!["learning_rate".to_string()],
            _ => path,
        };
        Setting { place: place.into(), path, value: Value::String(value.trim().into()) }
    }

    /// The model it is for, by its name, if it says one.
    pub(super) fn model(&self) -> Option<&str> {
        self.path.first().map(String::as_str).filter(|name| self.path.len() == 2 && *name != ANY)
    }

    pub(super) fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Whether the setting is for this model, as far as its own name goes.
    pub(super) fn is_for(&self, model: &Model) -> Result<bool> {
        match self.model() {
            None => Ok(true),
            Some(name) => Ok(Model::by_name(name)?.name() == model.name()),
        }
    }

    /// Where in the options for training it belongs, if it belongs there.
    pub(super) fn place_in(&self, options: &Value) -> Option<Vec<String>> {
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
    pub(super) fn like(&self, default: &Value) -> Value {
        match &self.value {
            Value::String(text) => value_like(default, text),
            value => value.clone(),
        }
    }
}

/// Puts a value into a tree of options, in which it may make what is not there: options tell which names they have.
pub(super) fn put(tree: &mut Value, path: &[String], setting: &Setting) -> Result<()> {
    let Some((last, tables)) = path.split_last() else { return Ok(()) };
    let mut within = tree;
    for (depth, name) in tables.iter().enumerate() {
        within = &mut within[name];
        if within.is_null() {
            *within = Value::Object(Map::new());
        }
        if !within.is_object() {
            let remedy = format!("`{}` is a value without parts", shorten(name));
            return Err(setting.refuse(&format!("`{}` is unknown", shorten(&path[depth + 1])), remedy));
        }
    }
    let Value::Object(form) = within else { return Ok(()) };
    let value = setting.like(form.get(last).unwrap_or(&Value::Null));
    if last == "kind" && form.get(last).is_some_and(|before| *before != value) {
        *form = optimizer_of(value.as_str().unwrap_or_default());
    }
    form.insert(last.clone(), value);
    Ok(())
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

/// For a name that the kind of its table doesn't have.
pub(super) fn unknown_of_kind(setting: &Setting, kind: Option<&Value>) -> Error {
    let problem = format!("`{}` is unknown", shorten(setting.key()));
    let kind = kind.and_then(Value::as_str).unwrap_or_default();
    setting.refuse(&problem, format!("`{kind}` has no such setting; choose another `kind` first"))
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
