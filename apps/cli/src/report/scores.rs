//! Scores as a table and as bars.

use bessemer::forecast::Score;
use bessemer::train::report::{Bar, BarChart, Column, RowKind, Table};

use crate::results::{RankBy, Results};
use crate::table;

fn kind(results: &Results, score: &Score) -> RowKind {
    match score.baseline {
        true => RowKind::Baseline,
        false if results.best_model().is_some_and(|best| best.name == score.name) => RowKind::Best,
        false => RowKind::Plain,
    }
}

/// The table, best first; `unit` is that of the data, if it is known.
pub fn scores(results: &Results, by: RankBy, unit: &str) -> Table {
    let errors = match by {
        RankBy::Mae => [Column::number("MAE", unit), Column::number("sMAPE", "%")],
        RankBy::Mse => [Column::number("MSE", ""), Column::number("MAE", "")],
    };
    let columns = std::iter::once(Column::text("model")).chain(errors).chain([
        Column::number("MASE", ""),
        Column::number("fit", ""),
        Column::number("predict", ""),
        Column::number("parameters", ""),
    ]);
    let rows = results.models.iter();
    rows.fold(Table::new(columns), |table, score| table.row(kind(results, score), table::cells(score, by)))
}

/// The errors as bars.
pub fn bars(results: &Results, by: RankBy, title: &str, unit: &str) -> BarChart {
    let value = |score: &Score| match by {
        RankBy::Mae => score.mae,
        RankBy::Mse => score.mse,
    };
    let bar = |score: &Score| Bar::new(&score.name, value(score), kind(results, score));
    BarChart {
        title: title.into(),
        unit: unit.into(),
        bars: results.models.iter().map(bar).collect(),
        ..BarChart::default()
    }
}
