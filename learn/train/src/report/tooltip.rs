//! Tooltips of a line chart: one column per position, naming every line's value there.

use super::axis::is_drawable;
use super::chart::{Line, LineChart};
use super::number::{coordinate, value_text};
use super::plan::Frame;
use maud::{Markup, html};

/// More columns than this are too narrow to point at, and make large files.
const COLUMNS_MAX: usize = 160;

/// More values than this in one column are not read.
const NAMED_MAX: usize = 12;

/// A position and the lines that have a value there.
struct Column<'a> {
    x: f64,
    values: Vec<(&'a Line, f64)>,
}

/// Invisible columns over the chart. The browser shows the `<title>` of the one pointed at, and the style
/// sheet its rule and dots.
pub(super) fn columns(chart: &LineChart, frame: &Frame) -> Markup {
    let columns = gather(chart);
    let spacing = columns.windows(2).map(|pair| pair[1].x - pair[0].x).fold(f64::INFINITY, f64::min);
    let every = columns.len().div_ceil(COLUMNS_MAX).max(1);
    let shown: Vec<&Column<'_>> = columns.iter().step_by(every).collect();
    let centres: Vec<f64> = shown.iter().map(|column| frame.x.place(column.x)).collect();
    let (top, height) = (coordinate(frame.y.end), coordinate(frame.y.start - frame.y.end));
    html! {
        g.tooltips {
            @for (index, column) in shown.iter().enumerate() {
                @let x = centres[index];
                @let from = if index == 0 { frame.x.start } else { (centres[index - 1] + x) / 2.0 };
                @let to = centres.get(index + 1).map_or(frame.x.end, |next| (next + x) / 2.0);
                g {
                    title { (text(column, chart, spacing)) }
                    rect x=(coordinate(from)) y=(top) width=(coordinate(to - from)) height=(height) {}
                    path d={ "M" (coordinate(x)) " " (top) "v" (height) } {}
                    @for (line, y) in &column.values {
                        circle.dot class=(line.style.classes()) cx=(coordinate(x)) cy=(coordinate(frame.y.place(*y))) r="3.5" {}
                    }
                }
            }
        }
    }
}

fn gather(chart: &LineChart) -> Vec<Column<'_>> {
    let mut values: Vec<(f64, &Line, f64)> = Vec::new();
    for line in &chart.lines {
        let drawable =
            line.points.iter().filter(|p| is_drawable(p.0, chart.log_x) && is_drawable(p.1, chart.log_y));
        values.extend(drawable.map(|(x, y)| (*x, line, *y)));
    }
    // Stable, so that lines keep the chart's order within a column.
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let groups = values.chunk_by(|a, b| a.0 == b.0);
    groups
        .map(|group| Column { x: group[0].0, values: group.iter().map(|(_, line, y)| (*line, *y)).collect() })
        .collect()
}

fn text(column: &Column<'_>, chart: &LineChart, spacing: f64) -> String {
    let mut text = chart.x_axis.describe(column.x, spacing);
    if !chart.x_label.is_empty() {
        text = format!("{} {text}", chart.x_label);
    }
    for (line, y) in column.values.iter().take(NAMED_MAX) {
        text.push_str(&format!("\n{}: {}", line.name, value_text(*y)));
    }
    if let Some(more) = column.values.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} more"));
    }
    text
}
