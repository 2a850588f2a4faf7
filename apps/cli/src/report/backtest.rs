//! The report of `bessemer forecast backtest`.

use bessemer::forecast::Split;
use bessemer::train::report::{Block, LineChart, LineStyle, Report, Shade};

use super::{Material, command_line, file_name, footer, forecasts, losses, scores, settings};
use crate::error::Result;
use crate::number;
use crate::results::{RankBy, Results};

/// Series that are drawn.
const SERIES_MAX: usize = 4;

/// The report.
pub fn backtest(mut material: Material<'_>, by: RankBy) -> Result<Report> {
    let charts = charts(&mut material)?;
    let rows = rows(material.splits);
    let Material { results, fitted, .. } = material;
    let error = match by {
        RankBy::Mae => "Mean absolute error, in the unit of the data",
        RankBy::Mse => "Mean squared error of standardised values",
    };
    let steps = number::counted(results.horizon, "step");
    Ok(Report::new(format!("{}, {steps} ahead", file_name(&results.data)))
        .subtitle(finding(results, by))
        .section(
            "Accuracy",
            [Block::from(scores::bars(results, by, error, "")), scores::scores(results, by, "").into()],
        )
        .section("The last test window", charts)
        .section("Training", [losses::grid(fitted)])
        .section(
            "How this was made",
            [
                settings::common(results, fitted, rows),
                settings::table(fitted).into(),
                settings::machine(results.threads),
                Block::code("To make it again", command_line()),
            ],
        )
        .footer(footer()))
}

/// How many rows there are of each kind.
pub(super) fn rows(splits: &[Split]) -> String {
    let sum = |rows: fn(&Split) -> usize| number::count(splits.iter().map(rows).sum());
    format!(
        "{} training, {} validation, {} test, in {}",
        sum(|split| split.train.len()),
        sum(|split| split.validation.len()),
        sum(|split| split.test.len()),
        number::counted_as(splits.len(), "series", "series"),
    )
}

/// The result in a sentence, whatever it is.
pub(super) fn finding(results: &Results, by: RankBy) -> String {
    let (Some(model), Some(baseline)) = (results.best_model(), results.best_baseline()) else {
        return String::new();
    };
    let (error, ours, theirs) = match by {
        RankBy::Mae => ("mean absolute error", model.mae, baseline.mae),
        RankBy::Mse => ("mean squared error", model.mse, baseline.mse),
    };
    let (ours, theirs) = (number::digits(ours), number::digits(theirs));
    format!(
        "The {error} of {} is {ours}; that of the best baseline, {}, is {theirs}.",
        model.name, baseline.name
    )
}

/// The first series, each with the forecasts of all models.
pub(super) fn charts(material: &mut Material<'_>) -> Result<Vec<LineChart>> {
    let Material { results, frame, splits, fitted, pool } = material;
    let (horizon, lookback) = (results.horizon, results.lookback);
    let mut charts = Vec::new();
    for (series, split) in frame.series.iter().zip(splits.iter()).take(SERIES_MAX) {
        let origin = split.test.end - horizon;
        let naive = forecasts::seasonal_naive(frame, series, origin, horizon);
        let shown = origin.saturating_sub(lookback.min(3 * horizon))..split.test.end;
        let mut lines = vec![
            forecasts::actual(frame, series, shown),
            forecasts::line(frame, series, origin, "seasonal-naive", LineStyle::Baseline(0), &naive),
        ];
        for (number, forecaster) in fitted.iter_mut().enumerate() {
            let values = forecasts::forecast(forecaster, frame, series, origin, pool)?;
            let name = forecaster.model().name();
            lines.push(forecasts::line(frame, series, origin, name, LineStyle::Forecast(number), &values));
        }
        charts.push(LineChart {
            title: series.id.clone(),
            lines,
            x_axis: forecasts::x_axis(frame),
            shade: Some(Shade {
                from: forecasts::x_of(frame, series, origin),
                to: forecasts::x_of(frame, series, split.test.end - 1),
                label: "forecast".into(),
            }),
            ..LineChart::default()
        });
    }
    if let (Some(last), true) = (charts.last_mut(), frame.series.len() > SERIES_MAX) {
        last.caption = format!("The first {SERIES_MAX} of {} series.", number::count(frame.series.len()));
    }
    Ok(charts)
}
