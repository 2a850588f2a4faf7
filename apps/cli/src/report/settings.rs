//! How models were trained, and on what machine.

use bessemer::forecast::{Contender, FitOptions, Forecaster, Model};
use bessemer::train::report::{Block, Column, RowKind, Table};
use serde::Serialize;
use serde_json::Value;

use crate::machine;
use crate::number;
use crate::results::Results;

/// A row for each model.
pub fn table(fitted: &[Forecaster]) -> Table {
    let columns = [
        Column::text("model"),
        Column::number("learning rate", ""),
        Column::number("batch", "windows"),
        Column::number("steps taken", ""),
        Column::number("best step", ""),
        Column::text("settings"),
    ];
    fitted.iter().fold(Table::new(columns).title("Models"), |table, forecaster| {
        let (options, history) = (forecaster.options(), &forecaster.history);
        let cells = [
            forecaster.model().name().to_string(),
            options.train.learning_rate.to_string(),
            number::count(options.windows),
            number::count(history.losses.len()),
            history.best_step.map_or("last".into(), |step| number::count(step as usize)),
            model_settings(forecaster.model()),
        ];
        table.row(RowKind::Plain, cells)
    })
}

/// A row for each model, of which several are fitted.
pub fn models(contenders: &[Contender]) -> Table {
    let columns = [
        Column::text("model"),
        Column::number("learning rate", ""),
        Column::number("batch", "windows"),
        Column::number("steps", "at most"),
        Column::text("settings"),
    ];
    contenders.iter().fold(Table::new(columns).title("Models"), |table, Contender { model, options }| {
        let cells = [
            model.name().to_string(),
            options.train.learning_rate.to_string(),
            number::count(options.windows),
            number::count(options.train.steps as usize),
            model_settings(model),
        ];
        table.row(RowKind::Plain, cells)
    })
}

/// `hidden 512, layers 2`.
fn model_settings(model: &Model) -> String {
    let Ok(Value::Object(form)) = serde_json::to_value(model) else { return String::new() };
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        // Settings are single precision; as doubles they would show digits that nobody wrote.
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or(String::new(), |x| (x as f32).to_string())
        }
        other => other.to_string().replace(',', ", "),
    };
    let settings = form.iter().filter(|(key, _)| *key != "kind");
    let settings = settings.map(|(key, value)| format!("{} {}", key.replace('_', " "), plain(value)));
    settings.collect::<Vec<_>>().join(", ")
}

/// What all models have in common.
pub fn common(results: &Results, fitted: &[Forecaster], rows: String) -> Block {
    let mut entries = vec![
        ("data", results.data.clone()),
        ("horizon", number::counted(results.horizon, "step")),
        ("lookback", number::counted(results.lookback, "step")),
        ("rows", rows),
        ("test windows", number::count(results.windows)),
        ("seed", results.seed.to_string()),
    ];
    if let Some(options) = fitted.first().map(Forecaster::options) {
        entries.extend(of_training(options));
    }
    Block::key_values("Setting", entries)
}

/// How a training goes about it.
pub fn of_training(options: &FitOptions) -> [(&'static str, String); 5] {
    [
        ("loss", name_of(&options.loss)),
        ("optimiser", name_of(&options.train.optimizer)),
        ("schedule", name_of(&options.train.schedule)),
        ("series scaler", name_of(&options.scaler)),
        ("window scaler", name_of(&options.window_scaler)),
    ]
}

/// The name by which an option is saved.
fn name_of(option: &impl Serialize) -> String {
    let form = serde_json::to_value(option).unwrap_or_default();
    form.get("kind").unwrap_or(&form).as_str().unwrap_or_default().to_string()
}

/// The machine.
pub fn machine(threads: usize) -> Block {
    Block::key_values("Machine", machine::facts(threads))
}
