//! The report of `phase train`.

use bessemer::phase::{Epoch, History, Tally};
use bessemer::train::report::{
    Bar, BarChart, Block, Column, Line, LineChart, LineStyle, Report, RowKind, Table,
};

use super::{command_line, footer, settings};
use crate::number;
use crate::phase::Trained;

/// The report of a training; `config` holds all settings.
pub fn phase(trained: &Trained, history: &History, config: &str) -> Report {
    let percent = |part: f64| format!("{:.2}", 100.0 * part);
    let bar = |name: &str, value: f64, kind| Bar::new(name, 100.0 * value, kind);
    let others = trained.baselines.values();
    let bars = others.clone().map(|other| bar(&other.name, other.test_accuracy, RowKind::Baseline));
    let chart = BarChart {
        title: "Test samples right".into(),
        unit: "%".into(),
        bars: std::iter::once(bar("phase graph", trained.test_accuracy, RowKind::Plain))
            .chain(bars)
            .collect(),
        ..BarChart::default()
    };
    let columns = [
        Column::text("model"),
        Column::number("test", "%"),
        Column::number("validation", "%"),
        Column::number("size", "bytes"),
    ];
    let row = |name: &str, validation: f64, test: f64, bytes: u64| {
        [name.to_string(), percent(test), percent(validation), number::count(bytes as usize)]
    };
    let ours = row("phase graph", trained.validation_accuracy, trained.test_accuracy, trained.bytes);
    let table = others.fold(Table::new(columns).row(RowKind::Plain, ours), |table, other| {
        let cells = row(&other.name, other.validation_accuracy, other.test_accuracy, other.bytes);
        table.row(RowKind::Baseline, cells)
    });
    let curves = |title: &str, y_label: &str, value: fn(&Tally) -> f64| LineChart {
        title: title.into(),
        x_label: "epoch".into(),
        y_label: y_label.into(),
        lines: lines(&history.epochs, value),
        ..LineChart::default()
    };
    let facts = [
        ("data", trained.data.clone()),
        ("samples to learn from", number::count(trained.samples.train)),
        ("samples to validate", number::count(trained.samples.validation)),
        ("samples to test", number::count(trained.samples.test)),
        ("epochs", number::count(trained.epochs)),
        ("epoch kept", number::count(trained.best_epoch)),
        ("time", number::seconds(trained.seconds)),
        ("seed", trained.seed.to_string()),
    ];
    Report::new(format!("Phase graph of {}", trained.data))
        .subtitle(format!(
            "{} % of {} right.",
            percent(trained.test_accuracy),
            number::counted(trained.samples.test, "test sample")
        ))
        .section("Accuracy", [Block::from(chart), table.into()])
        .section(
            "Training",
            [
                Block::from(curves("Loss by epoch", "mean of a sample", Tally::mean_loss)),
                curves("Samples right by epoch", "%", |tally| 100.0 * tally.accuracy()).into(),
            ],
        )
        .section(
            "How this was made",
            [
                Block::key_values("Training", facts),
                settings::machine(trained.threads),
                Block::code("To make it again", command_line()),
                Block::code("All settings", config),
            ],
        )
        .footer(footer())
}

/// Of the samples to learn from, and of those that validate where there are any.
fn lines(epochs: &[Epoch], value: fn(&Tally) -> f64) -> Vec<Line> {
    let of = |tally: &dyn Fn(&Epoch) -> Option<Tally>| -> Vec<(f64, f64)> {
        epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, value(&tally(epoch)?)))).collect()
    };
    let validation = of(&|epoch| epoch.validation);
    let mut lines = vec![Line::new("training", LineStyle::Curve(0), of(&|epoch| Some(epoch.train)))];
    if !validation.is_empty() {
        lines.push(Line::new("validation", LineStyle::Curve(1), validation));
    }
    lines
}
