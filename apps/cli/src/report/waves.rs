//! The reports of `waves fit` and `waves compare`.

use bessemer::plan::Pool;
use bessemer::train::Metric;
use bessemer::train::report::{
    Bar, BarChart, Block, Column, Line, LineChart, LineStyle, Pictures, Report, RowKind, Shade, Table,
};
use bessemer::waves::{Signal, Split, WaveFitter};

use super::picture::{heat, picture};
use super::spectrum::{greatest, spectrogram};
use super::{command_line, course, footer, settings};
use crate::number;
use crate::waves::{Compared, Scored, packet_numbers};

/// Points of a line, at most: more can't be told apart.
const LINE_MAX: usize = 2000;
/// Packets that are shown.
const PACKETS_MAX: usize = 40;
/// Decibels from the brightest to the darkest.
const DEPTH: f32 = 60.0;
/// Pixels along an image, at most.
const PIXELS_MAX: usize = 512;

/// The report of a fit. `again` is the signal as the model has it.
pub fn waves(
    scored: &Scored,
    signal: &Signal,
    split: &Split,
    again: &Signal,
    fitted: &WaveFitter,
    metrics: &[Metric],
    pool: &Pool,
) -> Report {
    let held_out = scored.scores.iter().find(|score| score.part == "interleaved");
    let shown = held_out.unwrap_or(&scored.scores[0]);
    let subtitle = format!(
        "MSE {} on points {}, beside {} of predicting their mean. {}.",
        number::digits(shown.mse),
        if held_out.is_some() { "held out" } else { "it learned from" },
        number::digits(shown.mean_mse),
        scored.size()
    );
    let history = &fitted.history;
    let facts = [
        ("signal", scored.signal.clone()),
        ("points", number::count(scored.points)),
        ("axes", scored.axes.join(", ")),
        ("channels", scored.channels.join(", ")),
        ("points trained on", number::count(split.train.len())),
        ("steps taken", number::count(history.losses.len())),
        ("best step", history.best_step.map_or("last".into(), |step| number::count(step as usize))),
        ("time", number::seconds(history.elapsed.as_secs_f64())),
        ("seed", fitted.options().train.seed.to_string()),
    ];
    let losses = LineChart {
        title: "Loss by step".into(),
        x_label: "step".into(),
        y_label: "of the scaled values".into(),
        lines: loss_lines(metrics),
        log_y: true,
        ..LineChart::default()
    };
    let mut accuracy: Vec<Block> = vec![scores(scored).into()];
    accuracy.extend(scored.notes.iter().map(Block::note));
    let mut report = Report::new(format!("{} of {}", scored.model, scored.signal))
        .subtitle(subtitle)
        .section("The signal and the model", views(signal, split, again))
        .section("Accuracy", accuracy);
    if !scored.packets.is_empty() {
        report = report.section("Packets", [packets(scored)]);
    }
    report
        .section("Training", [Block::from(losses), course::course(0, scored.model, metrics).into()])
        .section(
            "How this was made",
            [
                Block::key_values("Fit", facts),
                settings::machine(pool.threads()),
                Block::code("To make it again", command_line()),
            ],
        )
        .footer(footer())
}

/// The report of a comparison.
pub fn waves_compared(compared: &Compared, threads: usize) -> Report {
    let best = &compared.models[0];
    let part = best.held_out();
    let bars = compared.models.iter().map(|model| {
        let part = model.held_out();
        let bar = Bar::new(&model.name, part.mse.mean, RowKind::Plain);
        Bar { parts: part.each.clone(), deviation: part.mse.deviation, ..bar }
    });
    let chart = BarChart {
        title: format!("Mean squared error on {} points", part.part),
        bars: bars.chain([Bar::new("the mean", part.mean_mse, RowKind::Baseline)]).collect(),
        caption: "A dot for each seed.".into(),
        unit: String::new(),
        origin: 0.0,
        log: false,
    };
    let mut blocks: Vec<Block> = vec![chart.into()];
    for (place, part) in best.parts.iter().enumerate() {
        let columns = [
            Column::text("model"),
            Column::number("MSE", "mean"),
            Column::number("deviation", ""),
            Column::number("interval", "of the mean, 95 %"),
            Column::number("ratio", "to the mean's"),
        ];
        let title = format!("{}, {}", part.part, number::counted(part.points, "point"));
        let table = compared.models.iter().fold(Table::new(columns).title(title), |table, model| {
            let part = &model.parts[place];
            let interval = part.interval.map_or("n/a".into(), |[low, high]| {
                format!("{} to {}", number::digits(low), number::digits(high))
            });
            let cells = [
                model.name.clone(),
                number::digits(part.mse.mean),
                part.mse.deviation.map_or("n/a".into(), number::digits),
                interval,
                number::digits(part.mse.mean / part.mean_mse),
            ];
            table.row(RowKind::Plain, cells)
        });
        blocks.push(table.into());
    }
    let columns = [
        Column::text("model"),
        Column::number("parameters", ""),
        Column::number("steps", "each fit"),
        Column::number("time", "each fit"),
    ];
    let models = compared.models.iter().fold(Table::new(columns).title("Models"), |table, model| {
        let cells = [
            model.name.clone(),
            number::count(model.parameters),
            number::count(model.steps),
            number::seconds(model.seconds_fit),
        ];
        table.row(RowKind::Plain, cells)
    });
    blocks.push(models.into());
    let facts = [
        ("signal", compared.signal.clone()),
        ("points", number::count(compared.points)),
        ("seeds", format!("{:?}", compared.seeds)),
    ];
    Report::new(format!(
        "{} compared on {}",
        number::counted(compared.models.len(), "model"),
        compared.signal
    ))
    .subtitle(format!(
        "{} has the lowest error, {} on points {}; predicting their mean has {}.",
        best.name,
        number::digits(part.mse.mean),
        part.part,
        number::digits(part.mean_mse)
    ))
    .section("Accuracy", blocks)
    .section(
        "How this was made",
        [
            Block::key_values("Comparison", facts),
            settings::machine(threads),
            Block::code("To make it again", command_line()),
        ],
    )
    .footer(footer())
}

fn loss_lines(metrics: &[Metric]) -> Vec<Line> {
    let of = |value: fn(&Metric) -> Option<f64>| -> Vec<(f64, f64)> {
        let points: Vec<(f64, f64)> =
            metrics.iter().filter_map(|metric| Some((metric.step as f64, value(metric)?))).collect();
        thinned(&points)
    };
    let mut lines = vec![Line::new("training", LineStyle::Curve(0), of(|metric| metric.loss))];
    let validation = of(|metric| metric.validation_loss);
    if !validation.is_empty() {
        lines.push(Line::new("validation", LineStyle::Curve(1), validation));
    }
    lines
}

/// As many points as can be told apart, evenly taken.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(LINE_MAX).max(1);
    points.iter().step_by(every).copied().collect()
}

fn scores(scored: &Scored) -> Table {
    let columns = [
        Column::text("points"),
        Column::number("number", ""),
        Column::number("MSE", ""),
        Column::number("MSE of the mean", ""),
        Column::number("MAE", ""),
        Column::number("PSNR", "dB"),
    ];
    scored.scores.iter().fold(Table::new(columns).title("Errors"), |table, score| {
        let cells = [
            score.part.clone(),
            number::count(score.points),
            number::digits(score.mse),
            number::digits(score.mean_mse),
            number::digits(score.mae),
            score.psnr.map_or("n/a".into(), |psnr| format!("{psnr:.1}")),
        ];
        table.row(RowKind::Plain, cells)
    })
}

fn packets(scored: &Scored) -> Block {
    let several = scored.axes.len() > 1;
    let mut columns = vec![Column::text("packet")];
    for what in ["centre", "width", "frequency"] {
        for axis in &scored.axes {
            columns.push(Column::number(what, if several { axis.as_str() } else { "" }));
        }
    }
    columns.extend([Column::number("phase", "periods"), Column::number("energy", "%")]);
    let shown = scored.packets.iter().take(PACKETS_MAX);
    let title = match scored.packets.len() {
        all if all > PACKETS_MAX => format!("The {PACKETS_MAX} strongest of {}", number::count(all)),
        all => number::counted(all, "packet"),
    };
    let caption = "Frequencies are in periods per unit of an axis, widths are deviations of the bell.";
    let table = Table::new(columns).title(title).caption(caption);
    shown
        .enumerate()
        .fold(table, |table, (place, packet)| {
            let mut cells = vec![(place + 1).to_string()];
            cells.extend(packet_numbers(packet));
            cells.extend([format!("{:.2}", packet.phase), format!("{:.1}", 100.0 * packet.energy_share)]);
            table.row(RowKind::Plain, cells)
        })
        .into()
}

/// What can be seen of a signal: lines and spectra along one axis, pictures over two, predictions beside values
/// over more.
fn views(signal: &Signal, split: &Split, again: &Signal) -> Vec<Block> {
    match (signal.axes().len(), signal.origin.grid.as_slice()) {
        (1, grid) => along_one_axis(signal, again, !grid.is_empty()),
        (2, [rows, columns]) => vec![images(signal, again, *rows, *columns).into()],
        _ => vec![predicted(signal, split, again).into()],
    }
}

/// The name of an axis whose numbers are less an offset.
fn from(name: &str, offset: f64) -> String {
    if offset == 0.0 { name.to_string() } else { format!("{name}, counted from {offset}") }
}

fn along_one_axis(signal: &Signal, again: &Signal, is_even: bool) -> Vec<Block> {
    let channels = signal.channels().len();
    let mut blocks = Vec::new();
    for (channel, name) in signal.channels().iter().enumerate() {
        let of = |signal: &Signal| -> Vec<(f64, f64)> {
            let mut points: Vec<(f64, f64)> = (0..signal.len())
                .map(|n| (f64::from(signal.point(n)[0]), f64::from(signal.value(n)[channel])))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            thinned(&points)
        };
        let (actual, model) = (of(signal), of(again));
        let errors = actual.iter().zip(&model).map(|((x, y), (_, found))| (*x, found - y));
        let shade = signal.origin.window.as_ref().and_then(|window| {
            let at = |number: usize| (number < signal.len()).then(|| f64::from(signal.point(number)[0]));
            Some(Shade { from: at(window.start)?, to: at(window.end - 1)?, label: "glitch".into() })
        });
        let dense = signal.len() > LINE_MAX;
        let thin = if dense {
            format!("One in {} points, the model behind the signal.", signal.len().div_ceil(LINE_MAX))
        } else {
            String::new()
        };
        let error = LineChart {
            title: format!("{name}: the model's error"),
            x_label: from(&signal.axes()[0], signal.axis_offset(0)),
            lines: vec![Line::new("error", LineStyle::Curve(1), errors)],
            shade: shade.clone(),
            ..LineChart::default()
        };
        blocks.push(
            LineChart {
                title: name.clone(),
                x_label: from(&signal.axes()[0], signal.axis_offset(0)),
                y_label: match signal.channel_offset(channel) {
                    0.0 => String::new(),
                    offset => from(name, offset),
                },
                lines: vec![
                    Line::new("signal", LineStyle::Actual, actual),
                    // In front it would hide a signal that is dense.
                    Line::new(
                        "model",
                        if dense { LineStyle::Baseline(0) } else { LineStyle::Forecast(0) },
                        model,
                    ),
                ],
                shade,
                caption: thin,
                ..LineChart::default()
            }
            .into(),
        );
        blocks.push(error.into());
        if is_even && signal.len() >= 64 {
            let values = |signal: &Signal| -> Vec<f32> {
                signal.values().iter().skip(channel).step_by(channels).copied().collect()
            };
            let (actual, model) = (values(signal), values(again));
            let most = greatest(&actual);
            let spectrum = |title: &str, values: &[f32]| heat(title, &spectrogram(values, most), -DEPTH, 0.0);
            blocks.push(
                Pictures {
                    title: format!("{name}: energy by {} and frequency", signal.axes()[0]),
                    pictures: vec![spectrum("signal", &actual), spectrum("model", &model)],
                    caption: format!(
                        "{} runs to the right, frequency upwards to half a period a point; {DEPTH} decibels from dark to \
                         bright.",
                        signal.axes()[0]
                    ),
                }
                .into(),
            );
        }
    }
    blocks
}

/// The signal, the model and the error as pictures, the first axis downwards.
fn images(signal: &Signal, again: &Signal, rows: usize, columns: usize) -> Pictures {
    let channels = signal.channels().len();
    let every = rows.max(columns).div_ceil(PIXELS_MAX).max(1);
    let places = |len: usize| (0..len).step_by(every);
    let (high, wide) = (rows.div_ceil(every), columns.div_ceil(every));
    let ends =
        signal.values().iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
    let (least, most) = signal.origin.range.map_or(ends, |range| (0.0, range));
    let span = if most > least { most - least } else { 1.0 };
    let at =
        |of: &Signal, row: usize, column: usize, channel: usize| of.value(row * columns + column)[channel];
    let drawn = |title: &str, of: &Signal| {
        if channels == 3 {
            let rgb: Vec<u8> = places(rows)
                .flat_map(|row| places(columns).map(move |column| (row, column)))
                .flat_map(|(row, column)| {
                    [0, 1, 2]
                        .map(|c| (255.0 * ((at(of, row, column, c) - least) / span).clamp(0.0, 1.0)) as u8)
                })
                .collect();
            picture(title, wide, high, &rgb)
        } else if signal.origin.range.is_some() {
            let grey: Vec<u8> = places(rows)
                .flat_map(|row| places(columns).map(move |column| (row, column)))
                .flat_map(|(row, column)| [(255.0 * at(of, row, column, 0).clamp(0.0, 1.0)) as u8; 3])
                .collect();
            picture(title, wide, high, &grey)
        } else {
            let lines: Vec<Vec<f32>> = places(rows)
                .map(|row| places(columns).map(|column| at(of, row, column, 0)).collect())
                .collect();
            heat(title, &lines, least, most)
        }
    };
    let error: Vec<Vec<f32>> = places(rows)
        .map(|row| {
            let of = |column: usize| {
                let each =
                    (0..channels).map(|c| (at(signal, row, column, c) - at(again, row, column, c)).abs());
                each.fold(0.0, f32::max)
            };
            places(columns).map(of).collect()
        })
        .collect();
    Pictures {
        title: format!("By {} downwards and {} to the right", signal.axes()[0], signal.axes()[1]),
        pictures: vec![
            drawn("signal", signal),
            drawn("model", again),
            heat("size of the error, bright from a quarter of the range on", &error, 0.0, 0.25 * span),
        ],
        caption: if every > 1 { format!("One in {every} points along each axis.") } else { String::new() },
    }
}

/// What the model says at some of the points, against what is there.
fn predicted(signal: &Signal, split: &Split, again: &Signal) -> LineChart {
    let held = if split.interleaved.is_empty() { &split.train } else { &split.interleaved };
    let every = held.len().div_ceil(LINE_MAX / 2).max(1);
    let points =
        held.iter().step_by(every).map(|n| (f64::from(signal.value(*n)[0]), f64::from(again.value(*n)[0])));
    let points: Vec<(f64, f64)> = points.collect();
    let ends =
        points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (x, _)| (a.min(*x), b.max(*x)));
    LineChart {
        title: format!("{}: the model's values beside the signal's", signal.channels()[0]),
        x_label: from("signal", signal.channel_offset(0)),
        y_label: from("model", signal.channel_offset(0)),
        lines: vec![
            Line::new("equal", LineStyle::Baseline(0), [(ends.0, ends.0), (ends.1, ends.1)]),
            Line::new("points", LineStyle::Points(0), points),
        ],
        caption: if split.interleaved.is_empty() {
            "Points that it learned from.".into()
        } else {
            "Points held out.".into()
        },
        ..LineChart::default()
    }
}
