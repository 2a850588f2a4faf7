//! The report of `bessemer forecast fit`.

use std::path::Path;

use bessemer::forecast::{Forecaster, Frame};
use bessemer::plan::Pool;
use bessemer::train::read_metrics;
use bessemer::train::report::{Block, LineChart, LineStyle, Report};

use super::course::course;
use super::{command_line, footer, forecasts, losses, scores, settings};
use crate::error::Result;
use crate::fitting::Rows;
use crate::number;
use crate::results::{RankBy, Results};

/// Series that are drawn.
const SERIES_MAX: usize = 4;

/// The report of a training whose metrics are in `folder`. `scores` are those of the validation rows, if
/// there are any.
pub fn fit(
    frame: &Frame,
    rows: &Rows,
    forecaster: &mut Forecaster,
    scores: Option<&Results>,
    folder: &Path,
    pool: &Pool,
) -> Result<Report> {
    let options = forecaster.options().clone();
    let name = forecaster.model().name();
    let ahead = number::counted(options.horizon, "step");
    let charts = ahead_charts(frame, forecaster, pool)?;
    let metrics = read_metrics(folder)?;
    let fitted = std::slice::from_ref(&*forecaster);
    let rows_text = format!(
        "{} training, {} validation, in {}",
        sum(&rows.training),
        rows.validation.as_deref().map_or("0".into(), sum),
        number::counted_as(frame.series.len(), "series", "series"),
    );
    let accuracy: Vec<Block> = match scores {
        Some(results) => vec![
            scores::bars(results, RankBy::Mae, "Mean absolute error on the validation rows", "").into(),
            scores::scores(results, RankBy::Mae, "").into(),
            Block::note(
                "These rows chose the weights, so the model looks a little better here than on rows that \
                 nothing was chosen by, such as those that bessemer forecast backtest scores on.",
            ),
        ],
        None => vec![Block::note(
            "No whole window was held back, so nothing here says how well it forecasts: \
             bessemer forecast backtest does.",
        )],
    };
    let facts = [
        ("model", name.to_string()),
        ("horizon", ahead.clone()),
        ("lookback", number::counted(options.lookback, "step")),
        ("rows", rows_text),
        ("steps taken", number::count(forecaster.history.losses.len())),
        ("time", number::seconds(forecaster.history.elapsed.as_secs_f64())),
        ("parameters", number::count(forecaster.parameter_count())),
        ("seed", options.train.seed.to_string()),
    ];
    let config = std::fs::read_to_string(folder.join("config.toml")).unwrap_or_default();
    Ok(Report::new(format!("{name}, {ahead} ahead"))
        .subtitle(scores.map_or(String::new(), Results::sentence).trim_end().to_string())
        .section("Training", [Block::from(losses::grid(fitted)), course(0, name, &metrics).into()])
        .section("Accuracy", accuracy)
        .section("Forecasts after the last row", charts)
        .section(
            "How this was made",
            [
                Block::key_values("Training", facts),
                settings::table(fitted).into(),
                settings::machine(pool.threads()),
                Block::code("To make it again", command_line()),
                Block::code("All settings", config),
            ],
        )
        .footer(footer()))
}

fn sum(rows: &[std::ops::Range<usize>]) -> String {
    number::count(rows.iter().map(|rows| rows.len()).sum())
}

/// The end of the first series, and what comes next.
fn ahead_charts(frame: &Frame, forecaster: &mut Forecaster, pool: &Pool) -> Result<Vec<LineChart>> {
    let (horizon, lookback) = (forecaster.options().horizon, forecaster.options().lookback);
    let predicted = forecaster.predict(frame, pool)?;
    let mut charts = Vec::new();
    for (series, forecast) in frame.series.iter().zip(&predicted).take(SERIES_MAX) {
        let end = series.len();
        let shown = end.saturating_sub(lookback.min(3 * horizon))..end;
        let name = forecaster.model().name();
        let lines = vec![
            forecasts::actual(frame, series, shown),
            forecasts::line(frame, series, end, name, LineStyle::Forecast(0), &forecast.values[0]),
        ];
        let x_axis = forecasts::x_axis(frame);
        charts.push(LineChart { title: series.id.clone(), lines, x_axis, ..LineChart::default() });
    }
    if let (Some(last), true) = (charts.last_mut(), frame.series.len() > SERIES_MAX) {
        last.caption = format!("The first {SERIES_MAX} of {} series.", number::count(frame.series.len()));
    }
    Ok(charts)
}
