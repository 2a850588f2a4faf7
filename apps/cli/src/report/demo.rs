//! The report of `bessemer demo`.

use bessemer::train::report::{Block, ChartGrid, Line, LineChart, LineStyle, Report, Shade};

use super::{Material, command_line, footer, forecasts, losses, scores, settings};
use crate::error::Result;
use crate::results::{RankBy, Results};

const UNIT: &str = "thousand passengers";

/// The report.
pub fn demo(mut material: Material<'_>) -> Result<Report> {
    let (hero, panels) = charts(&mut material)?;
    let Material { results, fitted, splits, .. } = material;
    let split = &splits[0];
    let rows = format!("{} training, {} test", split.train.len(), split.test.len());
    Ok(Report::new("A year of airline passengers, forecast")
        .subtitle(finding(results))
        .section("Forecast of 1960", [Block::from(hero), panels.into()])
        .section(
            "Accuracy",
            [
                Block::from(scores::bars(results, RankBy::Mae, "Mean absolute error", " thousand")),
                scores::scores(results, RankBy::Mae, "thousand").caption(caption(results)).into(),
            ],
        )
        .section("Training", [losses::grid(fitted)])
        .section(
            "How this was made",
            [
                settings::common(results, fitted, rows),
                settings::table(fitted).into(),
                settings::machine(results.threads),
                Block::code("To make it again", command_line()),
                Block::paragraph(
                    "The data are the monthly totals of international airline passengers, 1949 to 1960, from \
                     Box and Jenkins, Time Series Analysis (1976). Models were fitted once, on the years \
                     1949 to 1958, for a fixed number of steps. Every window is standardised by its own two \
                     years, as both the passengers and their seasonal swing grow.",
                ),
            ],
        )
        .footer(footer()))
}

fn caption(results: &Results) -> String {
    format!(
        "Over {} windows: forecasts of the next {} months, made after each month from December 1958 to \
         December 1959. sMAPE is from 0 to 200 %. MASE is the error beside that of repeating last year \
         within the training years. Times are those of this run.",
        results.windows, results.horizon
    )
}

/// The result in a sentence, whatever it is.
fn finding(results: &Results) -> String {
    let (Some(model), Some(baseline)) = (results.best_model(), results.best_baseline()) else {
        return String::new();
    };
    let verdict = if model.mae < baseline.mae { "against" } else { "which no model betters:" };
    let model = format!("{} misses by {:.1} {UNIT} a month on average", model.name, model.mae);
    let baseline = match baseline.name.as_str() {
        "seasonal-naive" => format!("{:.1} when last year is repeated", baseline.mae),
        name => format!("{:.1} of the {name} forecast", baseline.mae),
    };
    format!("{model}, {verdict} {baseline}.")
}

/// The best model's last forecast, and a panel for each model.
fn charts(material: &mut Material<'_>) -> Result<(LineChart, ChartGrid)> {
    let Material { results, frame, splits, fitted, pool } = material;
    let series = &frame.series[0];
    let (horizon, test) = (results.horizon, &splits[0].test);
    let best = results.best_model().map(|score| score.name.clone()).unwrap_or_default();
    let origin = test.end - horizon;
    let naive = forecasts::seasonal_naive(frame, series, origin, horizon);
    let last_year = forecasts::line(frame, series, origin, "last year", LineStyle::Baseline(0), &naive);
    let chart = |title: String, years: usize, lines: Vec<Line>| {
        let actual = forecasts::actual(frame, series, test.end - 12 * years..test.end);
        LineChart {
            title,
            y_label: UNIT.into(),
            lines: std::iter::once(actual).chain(lines).collect(),
            x_axis: forecasts::x_axis(frame),
            ..LineChart::default()
        }
    };
    let mut hero = LineChart::default();
    let mut panels = Vec::with_capacity(fitted.len());
    for (number, forecaster) in fitted.iter_mut().enumerate() {
        let name = forecaster.model().name();
        let values = forecasts::forecast(forecaster, frame, series, origin, pool)?;
        let line = forecasts::line(frame, series, origin, name, LineStyle::Forecast(number), &values);
        if name == best {
            hero = LineChart {
                caption: format!("The best model, {name}, forecasts 1960 from the two years before."),
                shade: Some(Shade {
                    from: forecasts::x_of(frame, series, origin),
                    to: forecasts::x_of(frame, series, test.end - 1),
                    label: "forecast".into(),
                }),
                ..chart(String::new(), 6, vec![line.clone(), last_year.clone()])
            };
        }
        let score = results.models.iter().find(|score| score.name == name);
        let title = score.map_or(name.to_string(), |score| format!("{name}, MAE {:.1}", score.mae));
        panels.push(chart(title, 2, vec![line]));
    }
    let panels = ChartGrid {
        title: "Every model".into(),
        charts: panels,
        same_y: true,
        caption: "1959 and 1960. The mean absolute error is that over all test windows.".into(),
    };
    Ok((hero, panels))
}
