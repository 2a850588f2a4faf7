//! The report of `phase train`.

use bessemer::phase::{Epoch, History};
use bessemer::plan::Pool;
use bessemer::train::Metric;
use bessemer::train::report::{Block, Column, Line, LineChart, LineStyle, Report, RowKind, Table};

use super::{command_line, file_name, footer, settings};
use crate::number;
use crate::phase::{Trained, percent};

/// The report of a training with all its settings, as TOML.
pub fn phase(trained: &Trained, history: &History, config: &str, pool: &Pool) -> Report {
    let facts = [
        ("data", trained.data.clone()),
        ("samples to learn from", number::count(trained.samples.train)),
        ("samples that validate", number::count(trained.samples.validation)),
        ("samples to test on", number::count(trained.samples.test)),
        ("epochs", number::count(trained.epochs)),
        ("best epoch", number::count(trained.best_epoch)),
        ("size", number::bytes(trained.bytes.into())),
        ("time", number::seconds(trained.seconds)),
        ("seed", trained.seed.to_string()),
    ];
    let points = |value: fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
        history.epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?))).collect()
    };
    let losses = losses(points(|e| Some(e.train.mean_loss())), points(|e| Some(e.validation?.mean_loss())));
    let right = LineChart {
        title: format!("Right by epoch, of which {} is kept", trained.best_epoch),
        y_label: "%".into(),
        lines: lines(
            points(|e| Some(100.0 * e.train.accuracy())),
            points(|e| Some(100.0 * e.validation?.accuracy())),
        ),
        ..by_epoch()
    };
    Report::new(format!("Phase graph of {}", file_name(&trained.data)))
        .subtitle(format!(
            "{} % of {} to test right, in {}.",
            percent(trained.test_accuracy),
            number::counted(trained.samples.test, "sample"),
            number::bytes(trained.bytes.into())
        ))
        .section("Accuracy", [Block::from(scores(trained))])
        .section("Training", [Block::from(losses), right.into()])
        .section(
            "How this was made",
            [
                Block::key_values("Training", facts),
                settings::machine(pool.threads()),
                Block::code("All settings", config),
                Block::code("To make it again", command_line()),
            ],
        )
        .footer(footer())
}

/// The chart of a training of which no more is known than what was written down.
pub fn losses_so_far(metrics: &[Metric]) -> LineChart {
    let points = |value: fn(&Metric) -> Option<f64>| -> Vec<(f64, f64)> {
        metrics.iter().filter_map(|metric| Some((metric.step as f64, value(metric)?))).collect()
    };
    losses(points(|metric| metric.loss), points(|metric| metric.validation_loss))
}

fn losses(training: Vec<(f64, f64)>, validation: Vec<(f64, f64)>) -> LineChart {
    LineChart {
        title: "Mean loss by epoch".into(),
        lines: lines(training, validation),
        log_y: true,
        ..by_epoch()
    }
}

fn by_epoch() -> LineChart {
    LineChart { x_label: "epoch".into(), ..LineChart::default() }
}

fn lines(training: Vec<(f64, f64)>, validation: Vec<(f64, f64)>) -> Vec<Line> {
    let mut lines = vec![Line::new("training", LineStyle::Curve(0), training)];
    if !validation.is_empty() {
        lines.push(Line::new("validation", LineStyle::Curve(1), validation));
    }
    lines
}

fn scores(trained: &Trained) -> Table {
    let columns = [
        Column::text("model"),
        Column::number("test", "%"),
        Column::number("validation", "%"),
        Column::number("size", ""),
    ];
    let cells = |name: &str, test, validation, bytes: u64| {
        [name.to_string(), percent(test), percent(validation), number::bytes(bytes.into())]
    };
    let own = cells("phase graph", trained.test_accuracy, trained.validation_accuracy, trained.bytes);
    let table = Table::new(columns).title("Samples whose class was found").row(RowKind::Plain, own);
    trained.baselines.values().fold(table, |table, other| {
        let cells = cells(&other.name, other.test_accuracy, other.validation_accuracy, other.bytes);
        table.row(RowKind::Baseline, cells)
    })
}
