//! Settings written out, as `--config` reads them.

use bessemer::forecast::{FitOptions, Model};
use serde_json::{Map, Value};

use super::settings::tree_of;
use super::training::Validation;

/// All settings of a training. What is not set has a line of its own, as a comment.
pub fn render(model: &Model, options: &FitOptions, validation: Option<Validation>) -> String {
    let mut text = String::from("# Settings of a training; give this file to --config.\n\n");
    match validation {
        Some(validation) => text += &format!("validation = {}\n", validation.written()),
        None => text += &not_set("validation"),
    }
    section("model", &tree_of(model), &mut text);
    section("fit", &tree_of(options), &mut text);
    text
}

fn not_set(name: &str) -> String {
    format!("# {name} is not set\n")
}

/// A table, and then those within it.
fn section(name: &str, table: &Value, text: &mut String) {
    let Value::Object(form) = table else { return };
    text.push_str(&format!("\n[{name}]\n"));
    let (tables, values): (Vec<_>, Vec<_>) = form.iter().partition(|(_, value)| value.is_object());
    for (key, value) in values {
        match value {
            Value::Null => text.push_str(&not_set(key)),
            value => text.push_str(&format!("{key} = {}\n", literal(value))),
        }
    }
    for (key, table) in tables {
        section(&format!("{name}.{key}"), table, text);
    }
}

/// A value as TOML has it.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(parts) => format!("[{}]", parts.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Number(number) if number.is_f64() => decimal(number.as_f64().unwrap_or_default()),
        Value::Object(form) => inline(form),
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

fn inline(form: &Map<String, Value>) -> String {
    let known = form.iter().filter(|(_, value)| !value.is_null());
    let parts: Vec<String> = known.map(|(key, value)| format!("{key} = {}", literal(value))).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// Single precision shows no digits that nobody wrote.
fn decimal(number: f64) -> String {
    let single = number as f32;
    let is_single = f64::from(single) == number;
    let small = number != 0.0 && number.abs() < 1e-4;
    match (is_single, small) {
        (true, true) => format!("{single:e}"),
        (false, true) => format!("{number:e}"),
        (true, false) => format!("{single:?}"),
        (false, false) => format!("{number:?}"),
    }
}

#[cfg(test)]
mod tests {
    use bessemer::train::ParameterGroup;

    use super::super::settings::Settings;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for name in Model::NAMES {
            let model = Model::by_name(name).unwrap();
            let mut options = FitOptions::new(12, 24);
            options.train.learning_rate = 3e-4;
            options.train.clip_norm = Some(0.7);
            let group = ParameterGroup { prefix: "a \"b\"".into(), rate: 0.1, weight_decay: None };
            options.train.groups = vec![group.clone(), ParameterGroup { weight_decay: Some(0.3), ..group }];
            let text = render(&model, &options, Some(Validation::Fraction(0.1)));
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            std::fs::write(&path, &text).unwrap();
            let settings = Settings::new(Some(&path), &[]).unwrap();
            assert_eq!(settings.validation.as_deref(), Some("0.1"));
            assert_eq!(settings.models(&[settings.model.clone().unwrap()]).unwrap()[0], model);
            assert_eq!(settings.training(FitOptions::new(1, 2)).unwrap(), options, "{text}");
        }
    }

    #[test]
    fn every_setting_is_shown() {
        let model = Model::by_name("nhits").unwrap();
        insta::assert_snapshot!(render(&model, &FitOptions::new(12, 24), None));
    }
}
