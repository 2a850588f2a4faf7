//! The report of `bessemer bench ladder`.

use std::path::Path;

use bessemer::train::report::{Bar, BarChart, Block, Column, Report, RowKind, Table};

use super::{command_line, footer, settings, write};
use crate::bench::ladder::Ladder;
use crate::error::Result;
use crate::number;

/// Writes the report.
pub fn ladder(ladder: &Ladder, path: &Path) -> Result<()> {
    let best = |a: &usize, b: &usize| ladder.rungs[*a].total_gain.total_cmp(&ladder.rungs[*b].total_gain);
    let best = (0..ladder.rungs.len()).max_by(best).unwrap_or(0);
    let kind = |i: usize| match i {
        0 => RowKind::Baseline,
        i if i == best => RowKind::Best,
        _ => RowKind::Plain,
    };
    let chart = |title: &str, caption: &str, gain: fn(&crate::bench::ladder::Measured) -> f64| BarChart {
        title: title.into(),
        unit: "×".into(),
        bars: ladder.rungs.iter().enumerate().map(|(i, r)| Bar::new(r.name, gain(r), kind(i))).collect(),
        origin: 1.0,
        log: true,
        caption: caption.into(),
    };
    let columns = [
        Column::text("rung"),
        Column::number("step", "ms"),
        Column::number("samples", "1/s"),
        Column::number("over the rung below", "×"),
        Column::number("over the first", "×"),
        Column::number("peak memory", "MB"),
        Column::number("deviation", ""),
    ];
    let table = ladder.rungs.iter().enumerate().fold(Table::new(columns), |table, (i, rung)| {
        let cells = [
            rung.name.to_string(),
            format!("{:.3}", rung.step_ms),
            number::digits(rung.samples_per_s),
            format!("{:.2}", rung.gain),
            format!("{:.1}", rung.total_gain),
            rung.peak_memory_mb.map_or("n/a".into(), |memory| format!("{memory:.0}")),
            format!("{:.1e}", rung.deviation),
        ];
        table.row(kind(i), cells)
    });
    let (fastest, gain) = ladder.rungs.get(best).map_or(("", 1.0), |rung| (rung.name, rung.total_gain));
    let report = Report::new(format!("From plain loops to all of it: {}", ladder.model))
        .subtitle(format!(
            "A training step of {} samples, on rung `{fastest}` {gain:.0} times as fast as one float and one \
             sample at a time.",
            number::count(ladder.batch),
        ))
        .section(
            "What each step up is worth",
            [
                Block::from(chart("Over the first rung", "Logarithmic.", |rung| rung.total_gain)),
                chart("Over the rung below", "To the left: slower than the rung below.", |rung| rung.gain)
                    .into(),
                table
                    .caption(
                        "The deviation is the largest relative one of the loss and of any weight's gradient \
                         from an evaluation of the batch, or of 256 samples of it, in double precision. Memory is \
                         the process's.",
                    )
                    .into(),
            ],
        )
        .section(
            "How this was made",
            [settings::machine(ladder.threads), Block::code("To make it again", command_line())],
        )
        .footer(footer());
    write(&report, path)
}
