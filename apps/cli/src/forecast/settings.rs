//! Settings of models from the command line: `--set hidden=256`, `--set patchtst.width=128`.

use bessemer::forecast::Model;
use serde_json::{Map, Value};

use crate::error::{CliError, Result};

/// The largest number that is asked of a model; products of a few such still fit into a machine word.
const MAX: u64 = 1 << 20;

/// `[model.]setting=value`.
#[derive(Clone, Debug)]
pub struct Setting {
    text: String,
    /// The model it is for; any that has it, if none is named.
    model: Option<String>,
    key: String,
    value: String,
}

impl Setting {
    /// For clap.
    pub fn parse(text: &str) -> std::result::Result<Setting, String> {
        let (name, value) = text.split_once('=').ok_or("it must be setting=value, such as hidden=256")?;
        let (model, key) = match name.split_once('.') {
            Some((model, key)) => (Some(model.trim().to_string()), key),
            None => (None, name),
        };
        let key = key.trim().replace('-', "_");
        Ok(Setting { text: text.to_string(), model, key, value: value.trim().to_string() })
    }

    /// A setting for any model that has it.
    pub fn of(key: &str, value: &str) -> Setting {
        Setting { text: format!("{key}={value}"), model: None, key: key.into(), value: value.into() }
    }

    fn refuse(&self, problem: impl Into<String>, remedy: impl Into<String>) -> CliError {
        CliError::argument(format!("--set {}", self.text), problem, remedy)
    }

    /// Whether the setting is for this model, as far as its own name goes.
    fn is_for(&self, model: &Model) -> Result<bool> {
        match &self.model {
            None => Ok(true),
            Some(name) => Ok(Model::by_name(name)?.name() == model.name()),
        }
    }
}

/// Models by their names, with settings applied.
pub fn models(names: &[String], settings: &[Setting]) -> Result<Vec<Model>> {
    let mut models: Vec<Model> = Vec::with_capacity(names.len());
    for name in names {
        let model = Model::by_name(name.trim())?;
        if models.iter().any(|other| other.name() == model.name()) {
            let place = format!("--models {}", names.join(","));
            return Err(CliError::argument(place, format!("{name} is named twice"), "name it once"));
        }
        models.push(model);
    }
    settings.iter().try_for_each(|setting| apply(setting, &mut models))?;
    Ok(models)
}

fn apply(setting: &Setting, models: &mut [Model]) -> Result<()> {
    let mut known = Vec::new();
    let mut addressed = Vec::new();
    let mut applied = false;
    for model in models.iter_mut() {
        if !setting.is_for(model)? {
            continue;
        }
        addressed.push(model.name());
        let mut form = form_of(model);
        let Some(default) = form.get(&setting.key).filter(|_| setting.key != "kind") else {
            known.extend(form.into_iter().map(|(key, _)| key).filter(|key| key != "kind"));
            continue;
        };
        let default = default.clone();
        let value = value_like(&default, &setting.value);
        if is_too_large(&value) {
            return Err(setting.refuse(
                format!("more than {MAX}"),
                format!("the default of {} is {default}", model.name()),
            ));
        }
        form.insert(setting.key.clone(), value);
        *model = serde_json::from_value(Value::Object(form)).map_err(|error| {
            setting.refuse(error.to_string(), format!("the default of {} is {default}", model.name()))
        })?;
        applied = true;
    }
    match (applied, &setting.model) {
        (true, _) => Ok(()),
        (false, Some(name)) if addressed.is_empty() => Err(setting
            .refuse(format!("{name} is not among the models of this run"), "add it or drop the setting")),
        _ => Err(unknown(setting, &addressed, known)),
    }
}

fn unknown(setting: &Setting, models: &[&str], mut known: Vec<String>) -> CliError {
    let problem = format!("{} has no setting `{}`", models.join(" or "), setting.key);
    known.sort();
    known.dedup();
    let likeness = |name: &String| strsim::jaro_winkler(name, &setting.key);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let remedy = match nearest {
        None => "it has none at all".to_string(),
        Some(best) if likeness(best) > 0.7 => format!("did you mean `{best}`?"),
        Some(_) => format!("its settings are {}", known.join(", ")),
    };
    setting.refuse(problem, remedy)
}

fn form_of(model: &Model) -> Map<String, Value> {
    match serde_json::to_value(model) {
        Ok(Value::Object(form)) => form,
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

    fn set(names: &[&str], settings: &[&str]) -> Result<Vec<Model>> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
        models(&names, &settings)
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
    fn what_no_model_has_is_refused() {
        let cases: [(&[&str], &str, &str); 7] = [
            (&["mlp"], "hiden=8", "did you mean `hidden`?"),
            (&["mlp"], "kind=nhits", "its settings are hidden, layers"),
            (&["nlinear"], "hidden=8", "it has none at all"),
            (&["mlp"], "hidden=wide", "the default of mlp is 512"),
            (&["mlp"], "hidden=1048577", "more than 1048576"),
            (&["mlp"], "nhits.hidden=8", "nhits is not among the models"),
            (&["mlp"], "nhit.hidden=8", "did you mean `nhits`?"),
        ];
        for (names, setting, expected) in cases {
            let error = set(names, &[setting]).unwrap_err().to_string();
            assert!(error.contains(expected), "{setting}: {error}");
        }
        assert!(set(&["mlp", "MLP"], &[]).unwrap_err().to_string().contains("twice"));
    }
}
