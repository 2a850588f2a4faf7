//! Configuration files.

use std::path::Path;

use serde_json::Value;

use super::refusal::{brief, nearest};
use super::setting::ANY;
use super::{Configuration, Setting, names, refuse, tree_of};
use crate::error::{Result, closest, shorten};
use crate::models::Model;
use crate::options::FitOptions;

/// The largest file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Where to look up what a file may hold.
const REMEDY: &str = "`bessemer forecast fit --print-config` shows a whole one";

impl Configuration {
    /// Reads a file of at most a mebibyte.
    ///
    /// # Errors
    /// If it cannot be read, or as [`Configuration::parse`].
    pub fn read(path: &Path) -> Result<Configuration> {
        let place = path.display().to_string();
        let bytes = bessemer_train::read_whole(path, BYTES_MAX)
            .map_err(|e| refuse(&place, e.to_string(), format!("give a file; {REMEDY}")))?;
        let text = String::from_utf8(bytes).map_err(|e| refuse(&place, e.to_string(), "give a text file"))?;
        Configuration::parse(&text, &place)
    }

    /// Reads the text of a file, which messages call `place`.
    ///
    /// # Errors
    /// If it is no TOML, or has a section or a first name that is unknown. [`Configuration::models`] and
    /// [`Configuration::options`] tell of the rest.
    pub fn parse(text: &str, place: &str) -> Result<Configuration> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let before = text.as_bytes().iter().take(e.span().map_or(0, |span| span.start));
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            refuse(place, format!("no valid TOML: line {line}: {}", brief(e.message())), REMEDY)
        })?;
        let mut configuration = Configuration::default();
        for (name, value) in table {
            match (name.as_str(), plain(value)) {
                ("validation", value) => {
                    let text = value.to_string();
                    let wrong =
                        |e| refuse(format!("{place}: validation = {}", shorten(&text)), e, "such as 0.1");
                    configuration.validation = Some(text.parse().map_err(wrong)?);
                }
                ("model", Value::Object(mut form)) => {
                    configuration.kind = form.remove("kind").map(|kind| kind_of(&kind, place)).transpose()?;
                    for (key, value) in form {
                        let place = format!("{place}: model.{}", shorten(&key));
                        let path = vec![configuration.kind.unwrap_or(ANY).to_string(), key];
                        configuration.settings.push(Setting { place, path, value });
                    }
                }
                ("fit", value @ Value::Object(_)) => {
                    leaves(&mut vec!["fit".to_string()], value, &mut |path, value| {
                        let place = format!("{place}: {}", shorten(&path.join(".")));
                        let setting = Setting { place, path: path.to_vec(), value };
                        check(&setting)?;
                        configuration.settings.push(setting);
                        Ok(())
                    })?;
                }
                ("model" | "fit", _) => {
                    return Err(refuse(place, format!("`{name}` is no section"), REMEDY));
                }
                _ => {
                    let known = ["validation", "model", "fit"].map(String::from);
                    let problem = format!("`{}` is unknown", shorten(&name));
                    return Err(refuse(place, problem, nearest(&name, &known)));
                }
            }
        }
        Ok(configuration)
    }
}

/// The model that a file is for.
fn kind_of(kind: &Value, place: &str) -> Result<&'static str> {
    let name = kind.as_str().unwrap_or_default();
    Model::by_name(name).map(|model| model.name()).map_err(|_| {
        let remedy = match closest(name, Model::NAMES, 0.7) {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("the models are {}", names()),
        };
        let problem = format!("there is no model {}", shorten(&kind.to_string()));
        refuse(format!("{place}: model.kind"), problem, remedy)
    })
}

/// Refuses a setting of the training whose first name is unknown: what it stands for is clear from its place.
fn check(setting: &Setting) -> Result<()> {
    // Infinite numbers and NaN, which the tree doesn't have.
    if setting.value.is_null() {
        return Err(setting.refuse("it is no finite number", "give another"));
    }
    let tree = tree_of(&FitOptions::new(1, 1));
    if setting.place_in(&tree).is_some() {
        return Ok(());
    }
    let keys = |tree: &Value| tree.as_object().map_or(Vec::new(), |form| form.keys().cloned().collect());
    let known: Vec<String> = [keys(&tree), tree.get("train").map_or(Vec::new(), keys)].concat();
    let first = setting.path.get(1).map_or("", String::as_str);
    Err(setting.refuse(&format!("`{}` is unknown", shorten(first)), nearest(first, &known)))
}

/// Calls `each` for everything in a tree that is no table; a table's `kind` first.
fn leaves(
    path: &mut Vec<String>,
    tree: Value,
    each: &mut dyn FnMut(&[String], Value) -> Result<()>,
) -> Result<()> {
    let Value::Object(form) = tree else { return each(path, tree) };
    let (kinds, others): (Vec<_>, Vec<_>) = form.into_iter().partition(|(key, _)| key == "kind");
    for (key, value) in kinds.into_iter().chain(others) {
        path.push(key);
        leaves(path, value, each)?;
        path.pop();
    }
    Ok(())
}

/// A value of TOML as a tree; a date is its text.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(parts) => parts.into_iter().map(plain).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, plain(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Validation;
    use super::*;

    #[test]
    fn a_file_holds_what_the_command_line_sets() {
        let given = Configuration::parse(
            "validation = 0.1\n[model]\nkind = \"nhits\"\nhidden = 64\n\
             [fit]\nhorizon = 3\n[fit.train]\nsteps = 9\n[fit.train.optimizer]\nweight_decay = 0.5\nkind = \"adamw\"\n",
            "fit.toml",
        )
        .unwrap();
        assert_eq!((given.kind, given.validation), (Some("nhits"), Some(Validation::Fraction(0.1))));
        assert_eq!(tree_of(&given.model().unwrap())["hidden"], 64);
        let options = given.options(FitOptions::new(1, 2)).unwrap();
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
            ("validation = []", "validation = []: it must be a count of rows"),
            ("validation = 1.5", "validation = 1.5: it must be a count of rows"),
            ("[model]\nkind = 'nhit'", "model.kind: there is no model \"nhit\"; did you mean `nhits`?"),
            ("[model]\nkind = 3", "model.kind: there is no model 3; the models are mlp"),
            (
                "[[fit.train.groups]]\nprefx = ''",
                "fit.train.groups: `prefx` is unknown; did you mean `prefix`?",
            ),
            ("[fit]\ntrain = 3", "fit.train: invalid type: integer `3`, expected a section"),
            ("[fit]\nhorizon = 2024-01-01", "expected a whole number"),
            ("[fit]\nhorizen = 3", "did you mean `horizon`?"),
            ("[fit.train]\nstep = 3", "did you mean `steps`?"),
            (
                "[fit.train.optimizer]\nbeta3 = 1",
                "fit.train.optimizer.beta3: `beta3` is unknown; did you mean `beta",
            ),
            ("[fit.train.schedule]\nkind = 'step'\nevry = 1", "did you mean `every`?"),
            (
                "[model]\nsteps = 5",
                "mlp has no setting `steps`; it is a setting of the training, below `fit`",
            ),
            ("[fit", "no valid TOML"),
        ] {
            let given = Configuration::parse(text, "fit.toml");
            let result = given.and_then(|given| {
                given.models(&[given.kind.unwrap_or("mlp")])?;
                given.options(FitOptions::new(1, 2))
            });
            let error = result.err().map(|e| e.to_string());
            assert!(error.as_ref().is_some_and(|e| e.contains(expected)), "{text}: {error:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fit.toml");
        std::fs::write(&path, "#".repeat(BYTES_MAX as usize + 1)).unwrap();
        let error = Configuration::read(&path).unwrap_err().to_string();
        assert!(error.contains("1048577 bytes, more than the 1048576"), "{error}");
        assert!(Configuration::read(&folder.path().join("none")).is_err());
    }
}
