//! The report of `bessemer forecast cross-validate`.

use std::path::Path;

use bessemer::forecast::{Contender, CrossScore, FoldScore, Frame, Split, Spread};
use bessemer::train::read_metrics;
use bessemer::train::report::{
    Bar, BarChart, Block, ChartGrid, Column, Line, LineChart, LineStyle, Report, RowKind, Table, XAxis,
};

use super::{command_line, file_name, footer, settings};
use crate::forecast::CrossValidated;
use crate::number;

/// Folds whose losses are drawn: more lines in one panel can't be told apart.
const FOLDS_MAX: usize = 6;

/// What the report is made from.
pub struct Folds<'a> {
    /// The scores, best first.
    pub validated: &'a CrossValidated,
    /// The models of the first fold, in the order in which they were asked for, which is that of their colours.
    pub contenders: &'a [Contender],
    /// The data.
    pub frame: &'a Frame,
    /// Its divisions, for each fold and series.
    pub folds: &'a [Vec<Split>],
    /// The run's folder.
    pub run: &'a Path,
}

/// The report.
pub fn cross_validate(material: &Folds) -> Report {
    let Folds { validated, contenders, .. } = material;
    let folds = number::counted(validated.scores.windows.len(), "fold");
    let ahead = number::counted(validated.horizon, "step");
    let mut how = vec![facts(material), settings::models(contenders).into()];
    how.push(settings::machine(validated.threads));
    how.push(Block::code("To make it again", command_line()));
    let training = losses(material);
    let mut report = Report::new(format!("{}, {ahead} ahead, {folds}", file_name(&validated.data)))
        .subtitle(finding(validated))
        .section("Accuracy", [Block::from(bars(validated)), table(validated).into()])
        .section("From fold to fold", [Block::from(by_fold(material)), fold_table(material).into()]);
    if !training.charts.is_empty() {
        report = report.section("Training", [training]);
    }
    report.section("How this was made", how).footer(footer())
}

/// The result in a sentence, whatever it is.
fn finding(validated: &CrossValidated) -> String {
    let models = &validated.scores.models;
    let [Some(model), Some(baseline)] =
        [false, true].map(|baseline| models.iter().find(|model| model.baseline == baseline))
    else {
        return String::new();
    };
    let folds = validated.scores.windows.len();
    let wins = model.folds.iter().zip(&baseline.folds).filter(|(ours, theirs)| ours.mae < theirs.mae).count();
    format!(
        "The mean absolute error of {} is {}; that of the best baseline, {}, is {}. On {wins} of {} it is the smaller.",
        model.name,
        spread(model.mae),
        baseline.name,
        spread(baseline.mae),
        number::counted(folds, "fold"),
    )
}

fn spread(spread: Spread) -> String {
    match spread.deviation {
        Some(deviation) => format!("{} ± {}", number::digits(spread.mean), number::digits(deviation)),
        None => number::digits(spread.mean),
    }
}

fn kind(validated: &CrossValidated, model: &CrossScore) -> RowKind {
    match model.baseline {
        true => RowKind::Baseline,
        // Where a baseline comes first, no model is marked.
        false if validated.scores.models[0].name == model.name => RowKind::Best,
        false => RowKind::Plain,
    }
}

fn bars(validated: &CrossValidated) -> BarChart {
    let bar = |model: &CrossScore| {
        let parts = model.folds.iter().map(|fold| fold.mae).collect();
        Bar::new(&model.name, model.mae.mean, kind(validated, model)).over(parts, model.mae.deviation)
    };
    BarChart {
        title: "Mean absolute error, in the unit of the data".into(),
        bars: validated.scores.models.iter().map(bar).collect(),
        caption: "Mean over folds ± standard deviation; each dot is a fold.".into(),
        ..BarChart::default()
    }
}

fn table(validated: &CrossValidated) -> Table {
    let columns = [
        Column::text("model"),
        Column::number("MAE", ""),
        Column::number("sMAPE", "%"),
        Column::number("MASE", ""),
        Column::number("fit, each", ""),
        Column::number("parameters", ""),
    ];
    validated.scores.models.iter().fold(Table::new(columns), |table, model| {
        let fits: f64 = model.folds.iter().map(|fold| fold.seconds_fit).sum();
        let trained = |text: String| if model.baseline { "-".to_string() } else { text };
        let cells = [
            model.name.clone(),
            spread(model.mae),
            spread(model.smape),
            model.mase.map_or("n/a".into(), spread),
            trained(number::seconds(fits / model.folds.len() as f64)),
            trained(number::count(model.parameters)),
        ];
        table.row(kind(validated, model), cells)
    })
}

/// How a model is drawn: in the colour of its place on the command line, an ensemble in the next.
fn style(material: &Folds, model: &CrossScore) -> LineStyle {
    let named = material.contenders.iter().position(|contender| contender.model.name() == model.name);
    match model.baseline {
        true => LineStyle::Baseline(0),
        false => LineStyle::Forecast(named.unwrap_or(material.contenders.len())),
    }
}

/// The error of each model on each fold, beside that of the best baseline.
fn by_fold(material: &Folds) -> LineChart {
    let models = &material.validated.scores.models;
    let baseline = models.iter().find(|model| model.baseline).map(|model| &model.name);
    let shown = models.iter().filter(|model| !model.baseline || Some(&model.name) == baseline);
    let line = |model: &CrossScore| {
        let points = model.folds.iter().enumerate().map(|(fold, score)| ((fold + 1) as f64, score.mae));
        Line::new(&model.name, style(material, model), points)
    };
    let labels = (1..=material.folds.len()).map(|fold| (fold as f64, fold.to_string()));
    LineChart {
        title: "Mean absolute error by fold".into(),
        x_label: "fold".into(),
        y_label: "in the unit of the data".into(),
        lines: shown.map(line).collect(),
        x_axis: XAxis::Labels(labels.collect()),
        caption: "Folds in the order of time. Of the baselines, the one with the smallest mean.".into(),
        ..LineChart::default()
    }
}

/// When each fold is tested, and the errors there.
fn fold_table(material: &Folds) -> Table {
    let Folds { validated, frame, folds, .. } = material;
    let models = &validated.scores.models;
    let columns = ["fold", "tested from", "to"].map(Column::text).into_iter();
    let columns = columns.chain([Column::number("windows", "")]);
    let columns = columns.chain(models.iter().map(|model| Column::number(&model.name, "")));
    let series = &frame.series[0];
    let time = |row: usize| frame.time_of(series, row).map_or(String::new(), |time| frame.time.format(time));
    let mut table = Table::new(columns);
    for (number, splits) in folds.iter().enumerate() {
        let test = &splits[0].test;
        let of_fold =
            |model: &CrossScore| model.folds.get(number).map_or(f64::NAN, |fold: &FoldScore| fold.mae);
        let cells = [(number + 1).to_string(), time(test.start), time(test.end.saturating_sub(1))];
        let cells = cells.into_iter().chain([number::count(validated.scores.windows[number])]);
        let errors = models.iter().map(|model| number::digits(of_fold(model)));
        table = table.row(RowKind::Plain, cells.chain(errors).collect::<Vec<_>>());
    }
    match frame.series.len() {
        1 => table,
        _ => table.caption(format!("Times are those of the series {}.", series.id)),
    }
}

/// The losses of each model, a line for each of the latest folds.
fn losses(material: &Folds) -> ChartGrid {
    let first = material.folds.len().saturating_sub(FOLDS_MAX);
    let validated = material.folds.iter().flatten().any(|split| !split.validation.is_empty());
    let panel = |contender: &Contender| {
        let name = contender.model.name();
        let line = |fold: usize| {
            let metrics = read_metrics(&material.run.join(format!("fold-{}/{name}", fold + 1))).ok()?;
            let points = metrics.iter().filter_map(|metric| {
                let loss = if validated { metric.validation_loss } else { metric.loss };
                Some((metric.step as f64, loss?))
            });
            Some(Line::new(format!("fold {}", fold + 1), LineStyle::Curve(fold - first), points))
        };
        let lines: Vec<Line> = (first..material.folds.len()).filter_map(line).collect();
        let chart = LineChart {
            title: name.into(),
            x_label: "step".into(),
            lines,
            log_y: true,
            ..LineChart::default()
        };
        (!chart.lines.is_empty()).then_some(chart)
    };
    let caption = match validated {
        true => "Loss of the validation windows, of which the lowest is kept.",
        false => "Loss of each batch, of the values as the network sees them.",
    };
    let caption = match first {
        0 => caption.to_string(),
        _ => format!("{caption} The latest {FOLDS_MAX} of {} folds.", material.folds.len()),
    };
    let charts = material.contenders.iter().filter_map(panel).collect();
    let title = if validated { "Validation loss by step" } else { "Training loss by step" };
    ChartGrid { title: title.into(), charts, same_y: false, caption }
}

fn facts(material: &Folds) -> Block {
    let Folds { validated, contenders, frame, folds, .. } = material;
    let rows = |fold: &[Split], of: fn(&Split) -> usize| number::count(fold.iter().map(of).sum());
    let (first, last) = (&folds[0], &folds[folds.len() - 1]);
    let training = [first, last].map(|fold| rows(fold, |split| split.train.len()));
    let training = match training {
        [first, last] if first == last => first,
        [first, last] => format!("{first} in the first fold, {last} in the last"),
    };
    let mut entries = vec![
        ("data", validated.data.clone()),
        ("series", number::count(frame.series.len())),
        ("horizon", number::counted(validated.horizon, "step")),
        ("lookback", number::counted(validated.lookback, "step")),
        ("folds", number::count(folds.len())),
        ("training rows", training),
        ("validation rows, each fold", rows(last, |split| split.validation.len())),
        ("test rows, each fold", rows(last, |split| split.test.len())),
        ("rows from fold to fold", number::count(validated.step)),
        ("gap", number::counted(validated.gap, "row")),
        ("seed", validated.seed.to_string()),
    ];
    entries.extend(
        contenders.first().into_iter().flat_map(|contender| settings::of_training(&contender.options)),
    );
    Block::key_values("Setting", entries)
}
