//! The report of `bessemer forecast search`.

use bessemer::study::{Dimension, Findings, Outcome, Space, Value};
use bessemer::train::report::{
    Block, ChartGrid, Column, Line, LineChart, LineStyle, Report, RowKind, Table, XAxis,
};

use super::{Material, backtest, command_line, file_name, footer, losses, scores, settings};
use crate::error::Result;
use crate::number;
use crate::results::RankBy;

/// Trials that are drawn, at most: the best of them.
const DRAWN_MAX: usize = 2_000;
/// Trials that the table shows.
const SHOWN: usize = 20;

/// What was tried, and what came of it.
pub struct Tried<'a> {
    /// The settings that varied.
    pub space: &'a Space,
    /// The trials, best first.
    pub found: &'a Findings,
    /// The options of `forecast fit` that ask for the best, beside those that didn't vary.
    pub options: &'a str,
}

/// The report. The best trial is the only model of `material`.
pub fn search(tried: &Tried, mut material: Material<'_>) -> Result<Report> {
    let windows = backtest::charts(&mut material)?;
    let rows = backtest::rows(material.splits);
    let Material { results, fitted, .. } = material;
    let model = fitted.first().map_or("", |forecaster| forecaster.model().name());
    let trials = number::counted(tried.found.trials.len(), "trial");
    let steps = number::counted(results.horizon, "step");
    let mut sought = vec![Block::from(course(tried.found))];
    let panels = panels(tried);
    if !panels.charts.is_empty() {
        sought.push(panels.into());
    }
    sought.push(table(tried.found).into());
    Ok(Report::new(format!("{}, {model}, {steps} ahead, {trials}", file_name(&results.data)))
        .subtitle(finding(tried, backtest::finding(results, RankBy::Mae)))
        .section("Search", sought)
        .section(
            "The best on rows that chose nothing",
            [
                scores::bars(results, RankBy::Mae, "Mean absolute error on the test rows", "").into(),
                scores::scores(results, RankBy::Mae, "").into(),
                Block::note(
                    "Trials were compared on the validation rows, so that the error of the best is flattered \
                     there by having been chosen. Here it is not, as long as nothing is chosen by these rows.",
                ),
            ],
        )
        .section("The last test window", windows)
        .section("Training of the best", [losses::grid(fitted)])
        .section(
            "How this was made",
            [
                settings::common(results, fitted, rows),
                settings::table(fitted).into(),
                settings::machine(results.threads),
                Block::code("To make it again", command_line()),
                Block::code("To fit the best: forecast fit with the options that were given, and", tried.options),
            ],
        )
        .footer(footer()))
}

fn finding(tried: &Tried, on_test: String) -> String {
    let Some(score) = tried.found.best().and_then(|best| best.score) else { return on_test };
    format!(
        "The best trial has a mean absolute error of {} on the validation rows. On the test rows: {}",
        number::digits(score),
        lower_first(&on_test)
    )
}

/// As it goes on after a colon.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// Whether scores span so much that only their factors can be told apart.
fn spans_a_decade(trials: &[&Outcome]) -> bool {
    let scores = trials.iter().filter_map(|trial| trial.score);
    let (least, most) =
        scores.fold((f64::INFINITY, 0.0), |(least, most), s| (f64::min(least, s), f64::max(most, s)));
    least > 0.0 && most > 5.0 * least
}

/// Those that are drawn.
fn drawn(found: &Findings) -> Vec<&Outcome> {
    found.trials.iter().filter(|trial| trial.score.is_some()).take(DRAWN_MAX).collect()
}

/// Every trial, and the best so far.
fn course(found: &Findings) -> LineChart {
    let drawn = drawn(found);
    let log_y = spans_a_decade(&drawn);
    let mut in_order: Vec<(f64, f64)> =
        drawn.iter().filter_map(|trial| Some(((trial.number + 1) as f64, trial.score?))).collect();
    in_order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for (number, score) in &in_order {
        let best = steps.last().map_or(f64::INFINITY, |(_, best)| *best);
        if *score < best {
            steps.extend(steps.last().map(|_| (*number, best)));
            steps.push((*number, *score));
        }
    }
    steps.extend(steps.last().map(|(_, best)| (found.trials.len() as f64, *best)));
    let diverged = found.trials.iter().filter(|trial| trial.score.is_none()).count();
    let mut caption = String::from("Trials in the order of their numbers; the line is the best so far.");
    if diverged > 0 {
        caption += &format!(
            " {} diverged and {} no score.",
            number::counted(diverged, "trial"),
            if diverged == 1 { "has" } else { "have" }
        );
    }
    if found.trials.len() - diverged > DRAWN_MAX {
        caption += &format!(" The best {} are drawn.", number::count(DRAWN_MAX));
    }
    LineChart {
        title: "Validation error by trial".into(),
        x_label: "trial".into(),
        y_label: "mean absolute error, in the unit of the data".into(),
        lines: vec![
            Line::new("trial", LineStyle::Points(1), in_order),
            Line::new("best so far", LineStyle::Forecast(0), steps),
        ],
        log_y,
        caption,
        ..LineChart::default()
    }
}

/// The score against each setting.
fn panels(tried: &Tried) -> ChartGrid {
    let drawn = drawn(tried.found);
    let log_y = spans_a_decade(&drawn);
    let best = tried.found.best();
    let panel = |(place, (name, dimension)): (usize, &(String, Dimension))| {
        let at = |trial: &Outcome| match dimension {
            // Choices stand side by side, whatever they are.
            Dimension::Choices(values) => {
                values.iter().position(|value| *value == trial.values[place]).map_or(f64::NAN, |at| at as f64)
            }
            _ => trial.values[place].as_f64(),
        };
        let position = |trial: &Outcome| (at(trial), trial.score.unwrap_or(f64::NAN));
        let points = drawn.iter().map(|trial| position(trial));
        let label = |(at, value): (usize, &Value)| (at as f64, value.to_string());
        let (x_axis, log_x) = match dimension {
            Dimension::Choices(values) => {
                (XAxis::Labels(values.iter().enumerate().map(label).collect()), false)
            }
            Dimension::Integers { log, .. } | Dimension::Floats { log, .. } => (XAxis::Number, *log),
        };
        LineChart {
            title: name.clone(),
            lines: vec![
                Line::new("trial", LineStyle::Points(1), points),
                Line::new("best", LineStyle::Points(0), best.map(position)),
            ],
            x_axis,
            log_x,
            log_y,
            ..LineChart::default()
        }
    };
    ChartGrid {
        title: "Validation error by setting".into(),
        charts: tried.space.dimensions().iter().enumerate().map(panel).collect(),
        same_y: true,
        caption: "Each dot is a trial, of which the other settings vary as well.".into(),
    }
}

fn table(found: &Findings) -> Table {
    let settings = found.settings.iter().map(Column::text);
    let columns =
        [Column::text("trial")].into_iter().chain(settings).chain([Column::number("validation MAE", "")]);
    let best = found.best().map(|best| best.number);
    let row = |table: Table, trial: &Outcome| {
        let score = trial.score.map_or("diverged".to_string(), number::digits);
        let kind = if Some(trial.number) == best { RowKind::Best } else { RowKind::Plain };
        let values = trial.values.iter().map(Value::to_string);
        table.row(
            kind,
            [(trial.number + 1).to_string()].into_iter().chain(values).chain([score]).collect::<Vec<_>>(),
        )
    };
    let table = found.trials.iter().take(SHOWN).fold(Table::new(columns).title("The best trials"), row);
    match found.trials.len() {
        all if all > SHOWN => {
            table.caption(format!("{SHOWN} of {}; results.json has all.", number::count(all)))
        }
        _ => table,
    }
}
