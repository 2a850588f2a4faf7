//! Draws a [`LineChart`] as SVG, in one of two sizes.

use super::axis::{Scale, Tick, extent, is_drawable, linear_ticks, log_ticks, rounded_range};
use super::chart::{Line, LineChart, LineStyle};
use super::labels::{self, EndLabel};
use super::number::{coordinate, value_text};
use super::thin::thin;
use super::tooltip;
use maud::{Markup, html};

/// How large a drawing is, in units of its `viewBox`, and what it has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    class: &'static str,
    width: f64,
    height: f64,
    /// Size of the text, which the style sheet must set alike.
    text: f64,
    y_ticks: usize,
    end_labels: bool,
    tooltips: bool,
}

impl Size {
    /// For a column of at least 620 pixels.
    pub(super) fn wide() -> Size {
        Size {
            class: "wide",
            width: 860.0,
            height: 360.0,
            text: 13.0,
            y_ticks: 6,
            end_labels: true,
            tooltips: true,
        }
    }

    /// For a phone, where nothing hovers.
    pub(super) fn narrow() -> Size {
        Size {
            class: "narrow",
            width: 380.0,
            height: 250.0,
            text: 12.0,
            y_ticks: 5,
            end_labels: false,
            tooltips: false,
        }
    }

    /// For one of several small charts side by side.
    pub(super) fn panel() -> Size {
        Size { class: "panel", height: 196.0, y_ticks: 4, tooltips: true, ..Size::narrow() }
    }
}

/// The rectangle that the lines are drawn in.
pub(super) struct Frame {
    pub x: Scale,
    pub y: Scale,
}

impl Frame {
    pub(super) fn point(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.place(x), self.y.place(y))
    }
}

/// Smallest and largest y of all lines, so that small charts can share an axis.
pub(super) fn y_extent<'a>(charts: impl Iterator<Item = &'a LineChart>) -> Option<(f64, f64)> {
    let ranges = charts.filter_map(|chart| extent(ys(chart), chart.log_y));
    ranges.reduce(|a, b| (f64::min(a.0, b.0), f64::max(a.1, b.1)))
}

fn ys(chart: &LineChart) -> impl Iterator<Item = f64> {
    let points = chart.lines.iter().flat_map(|line| &line.points);
    points.filter(|(x, _)| is_drawable(*x, false)).map(|(_, y)| *y)
}

fn xs(chart: &LineChart) -> impl Iterator<Item = f64> {
    let points = chart.lines.iter().flat_map(|line| &line.points);
    let drawn = points.filter(|(_, y)| is_drawable(*y, chart.log_y)).map(|(x, _)| *x);
    drawn.chain(chart.shade.iter().flat_map(|shade| [shade.from, shade.to]))
}

/// The drawing. `y_range` replaces the chart's own range of y.
pub(super) fn draw(chart: &LineChart, size: &Size, y_range: Option<(f64, f64)>) -> Markup {
    let ranges = extent(xs(chart), false).zip(y_range.or_else(|| extent(ys(chart), chart.log_y)));
    let classes = format!("plot {}", size.class);
    let view_box = format!("0 0 {} {}", size.width, size.height);
    html! {
        svg class=(classes) viewBox=(view_box) role="img" aria-label=(description(chart)) {
            @if let Some((x_range, y_range)) = ranges {
                (contents(chart, size, x_range, y_range))
            } @else {
                text.quiet x=(size.width / 2.0) y=(size.height / 2.0) text-anchor="middle" { "no values to draw" }
            }
        }
    }
}

/// Whether every line can be named at its end, so that the legend is not needed.
pub(super) fn end_labels_fit(chart: &LineChart, size: &Size) -> bool {
    let ranges = extent(xs(chart), false).zip(extent(ys(chart), chart.log_y));
    let Some((x_range, y_range)) = ranges else { return false };
    let (frame, _, _) = layout(chart, size, x_range, y_range);
    size.end_labels && labels::place(chart, &frame, size.text).is_some()
}

/// Margins follow from what is written in them: tick labels on the left, names of lines on the right, one
/// or two lines of text below. Returns the frame and the ticks of x and y.
fn layout(
    chart: &LineChart,
    size: &Size,
    x_range: (f64, f64),
    y_range: (f64, f64),
) -> (Frame, Vec<Tick>, Vec<Tick>) {
    let y_range = padded(y_range, chart.log_y, size.y_ticks);
    let y_ticks = match chart.log_y {
        true => log_ticks(y_range.0, y_range.1, size.y_ticks),
        false => linear_ticks(y_range.0, y_range.1, size.y_ticks),
    };
    let widest = y_ticks.iter().map(|tick| text_width(&tick.label, size.text)).fold(0.0, f64::max);
    let names = chart.lines.iter().map(|line| text_width(&line.name, size.text)).fold(0.0, f64::max);
    let right = if size.end_labels && chart.lines.len() > 1 && names <= labels::WIDEST {
        names + labels::LEADER + 6.0
    } else {
        20.0
    };
    let (start, end) = (widest + 10.0, size.width - right);
    let x_ticks = chart.x_axis.ticks(x_range.0, x_range.1, end - start);
    let has_second_line = !chart.x_label.is_empty() || x_ticks.iter().any(|tick| tick.context.is_some());
    let below = size.text + 12.0 + if has_second_line { size.text + 5.0 } else { 0.0 };
    let x = Scale { low: x_range.0, high: x_range.1, start, end, log: false };
    let y = Scale { low: y_range.0, high: y_range.1, start: size.height - below, end: 9.0, log: chart.log_y };
    (Frame { x, y }, x_ticks, y_ticks)
}

fn padded((low, high): (f64, f64), log: bool, ticks: usize) -> (f64, f64) {
    if log {
        // A little air, so that the extremes do not lie on the frame.
        let air = (high / low).powf(0.04).max(1.02);
        (low / air, high * air)
    } else {
        // Zero is worth showing where it is near: a line far above zero would lose its shape.
        let low = if low > 0.0 && low < 0.35 * high { 0.0 } else { low };
        rounded_range(low, high, ticks)
    }
}

/// Near enough for margins: the true width depends on the reader's font.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    0.58 * size * text.chars().count() as f64
}

/// Text that fits into `width`, with an ellipsis in place of what does not.
pub(super) fn shortened(text: &str, width: f64, size: f64) -> String {
    if text_width(text, size) <= width {
        return text.into();
    }
    let room = (width / text_width("x", size)).floor().max(1.0) as usize;
    text.chars().take(room - 1).chain(['…']).collect()
}

fn contents(chart: &LineChart, size: &Size, x_range: (f64, f64), y_range: (f64, f64)) -> Markup {
    let (frame, x_ticks, y_ticks) = layout(chart, size, x_range, y_range);
    let labels = if size.end_labels { labels::place(chart, &frame, size.text) } else { None };
    let mut lines: Vec<&Line> = chart.lines.iter().collect();
    lines.sort_by_key(|line| layer(line.style));
    html! {
        (shade(chart, &frame, size))
        (y_axis(&y_ticks, &frame, size))
        (x_axis(&x_ticks, &frame, chart, size))
        @for line in lines { (stroke(line, &frame)) }
        @for label in labels.unwrap_or_default() { (end_label(&label)) }
        @if size.tooltips { (tooltip::columns(chart, &frame)) }
    }
}

/// Drawing order, lowest first. The first forecast is the one to see, so it comes last.
fn layer(style: LineStyle) -> (usize, std::cmp::Reverse<usize>) {
    let (layer, n) = match style {
        LineStyle::Baseline(n) => (0, n),
        LineStyle::Actual => (1, 0),
        LineStyle::Curve(n) => (2, n),
        LineStyle::Forecast(n) => (3, n),
    };
    (layer, std::cmp::Reverse(n))
}

fn shade(chart: &LineChart, frame: &Frame, size: &Size) -> Markup {
    let marked = chart.shade.as_ref().filter(|shade| (shade.to - shade.from).is_finite());
    html! {
        @if let Some(shade) = marked {
            @let (from, to) = (frame.x.place(shade.from.min(shade.to)), frame.x.place(shade.from.max(shade.to)));
            rect.shade x=(coordinate(from)) y=(coordinate(frame.y.end)) width=(coordinate(to - from))
                height=(coordinate(frame.y.start - frame.y.end)) {}
            @if !shade.label.is_empty() {
                @let fits = text_width(&shade.label, size.text) + 12.0 <= to - from;
                @let (at, anchor) = if fits { (from + 7.0, "start") } else { (from - 6.0, "end") };
                text.quiet x=(coordinate(at)) y=(coordinate(frame.y.end + size.text + 2.0)) text-anchor=(anchor) {
                    (shade.label)
                }
            }
        }
    }
}

fn y_axis(ticks: &[Tick], frame: &Frame, size: &Size) -> Markup {
    let (left, right) = (coordinate(frame.x.start), coordinate(frame.x.end));
    html! {
        @for tick in ticks {
            @let y = frame.y.place(tick.at);
            line.rule x1=(left) x2=(right) y1=(coordinate(y)) y2=(coordinate(y)) {}
            text.tick x=(coordinate(frame.x.start - 7.0)) y=(coordinate(y + 0.35 * size.text)) text-anchor="end" {
                (tick.label)
            }
        }
    }
}

fn x_axis(ticks: &[Tick], frame: &Frame, chart: &LineChart, size: &Size) -> Markup {
    let bottom = frame.y.start;
    html! {
        line.base x1=(coordinate(frame.x.start)) x2=(coordinate(frame.x.end)) y1=(coordinate(bottom)) y2=(coordinate(bottom)) {}
        @for tick in ticks {
            @let x = frame.x.place(tick.at);
            @let widest = tick.context.iter().chain([&tick.label]).map(|text| text_width(text, size.text)).fold(0.0, f64::max);
            @let anchor = anchor(x, widest, size.width);
            line.base x1=(coordinate(x)) x2=(coordinate(x)) y1=(coordinate(bottom)) y2=(coordinate(bottom + 5.0)) {}
            text.tick x=(coordinate(x)) y=(coordinate(bottom + size.text + 8.0)) text-anchor=(anchor) { (tick.label) }
            @if let Some(context) = &tick.context {
                text.quiet x=(coordinate(x)) y=(coordinate(bottom + 2.0 * size.text + 11.0)) text-anchor=(anchor) { (context) }
            }
        }
        @if !chart.x_label.is_empty() {
            text.axis-name x=(coordinate(frame.x.end)) y=(coordinate(size.height - 5.0)) text-anchor="end" { (chart.x_label) }
        }
    }
}

/// Text is centred on its tick, except where that would cross the edge of the drawing.
fn anchor(x: f64, text_width: f64, width: f64) -> &'static str {
    if x < text_width / 2.0 {
        "start"
    } else if x + text_width / 2.0 > width {
        "end"
    } else {
        "middle"
    }
}

fn stroke(line: &Line, frame: &Frame) -> Markup {
    let classes = line.style.classes();
    let segments = segments(line, frame);
    let path: String = segments.iter().filter(|segment| segment.len() > 1).map(|s| path_of(s)).collect();
    html! {
        g class=(classes) {
            title { (line.name) }
            @if !path.is_empty() { path.line d=(path) {} }
            // A value between two gaps has no neighbour to be joined to.
            @for lone in segments.iter().filter(|segment| segment.len() == 1) {
                circle.dot cx=(coordinate(lone[0].0)) cy=(coordinate(lone[0].1)) r="2.5" {}
            }
        }
    }
}

/// The line's runs of drawable points, in pixels.
fn segments(line: &Line, frame: &Frame) -> Vec<Vec<(f64, f64)>> {
    let can_draw = |point: &(f64, f64)| is_drawable(point.0, false) && is_drawable(point.1, frame.y.log);
    let runs = line.points.split(|point| !can_draw(point)).filter(|run| !run.is_empty());
    runs.map(|run| thin(run.iter().map(|point| frame.point(*point)))).collect()
}

fn path_of(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        path.push(if index == 0 { 'M' } else { 'L' });
        path.push_str(&coordinate(*x));
        path.push(' ');
        path.push_str(&coordinate(*y));
    }
    path
}

fn end_label(label: &EndLabel<'_>) -> Markup {
    let (x, y) = label.end;
    let (from, to) = (label.x - labels::SWATCH - 5.0, label.x - 5.0);
    html! {
        g class=(label.line.style.classes()) {
            path.leader d=(path_of(&[(x + 3.0, y), (from, label.y)])) {}
            path.line d=(path_of(&[(from, label.y), (to, label.y)])) {}
            circle.dot cx=(coordinate(x)) cy=(coordinate(y)) r="2.5" {}
            text.name x=(coordinate(label.x)) y=(coordinate(label.y + 4.5)) { (label.line.name) }
        }
    }
}

/// The chart in a sentence, for readers who listen to it.
fn description(chart: &LineChart) -> String {
    let lines = chart.lines.iter().map(|line| {
        let last = line.points.iter().rev().find(|(_, y)| is_drawable(*y, chart.log_y));
        last.map_or_else(|| line.name.clone(), |(_, y)| format!("{} ends at {}", line.name, value_text(*y)))
    });
    format!("{}: {}", chart.title, lines.collect::<Vec<_>>().join(", "))
}
