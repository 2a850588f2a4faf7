//! Settings written out, as they are read.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Validation;
use crate::models::Model;
use crate::options::FitOptions;

/// All settings of a training as a TOML file that [`Configuration`](super::Configuration) reads. What is not set has a
/// line of its own, as a comment.
pub fn render(model: &Model, options: &FitOptions, validation: Option<Validation>) -> String {
    let mut text = String::from("# Settings of a training; give this file to --config.\n\n");
    match validation {
        Some(validation) => text += &format!("validation = {validation}\n"),
        None => text += &not_set("validation"),
    }
    section("model", &written(model), &mut text);
    section("fit", &written(options), &mut text);
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

fn decimal(number: f64) -> String {
    let is_small = number != 0.0 && number.abs() < 1e-4;
    if is_small { format!("{number:e}") } else { format!("{number:?}") }
}

/// A tree whose numbers have the digits that they are written with: as a double, 0.1 in single precision would show
/// digits that nobody wrote.
fn written(settings: &impl Serialize) -> Value {
    let text = serde_json::to_string(settings).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bessemer_train::ParameterGroup;

    use super::super::Configuration;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for name in Model::NAMES {
            let model = Model::by_name(name).unwrap();
            let mut options = FitOptions::new(12, 24);
            options.train.learning_rate = 3e-4;
            options.train.clip_norm = Some(0.7);
            // As a number of single precision it has fewer digits.
            options.train.min_change = f64::from(0.1f32);
            let group = ParameterGroup { prefix: "a \"b\"".into(), rate: 0.1, weight_decay: None };
            options.train.groups = vec![group.clone(), ParameterGroup { weight_decay: Some(0.3), ..group }];
            let text = render(&model, &options, Some(Validation::Fraction(0.1)));
            let given = Configuration::parse(&text, "fit.toml").unwrap();
            assert_eq!(given.validation, Some(Validation::Fraction(0.1)));
            assert_eq!(given.model().unwrap(), model);
            assert_eq!(given.options(FitOptions::new(1, 2)).unwrap(), options, "{text}");
        }
    }

    #[test]
    fn every_setting_is_shown() {
        let model = Model::by_name("nhits").unwrap();
        insta::assert_snapshot!(render(&model, &FitOptions::new(12, 24), None));
    }
}
