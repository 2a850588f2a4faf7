//! Draws a [`LineChart`] as SVG, where its [`Plan`] says.

use super::axis::{Tick, is_drawable};
use super::chart::{Line, LineChart, LineStyle};
use super::labels::{self, EndLabel};
use super::number::{coordinate, value_text};
use super::plan::{Frame, Plan, Size, text_width};
use super::thin::thin;
use super::tooltip;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The drawing; without a plan, there is nothing to draw.
pub(super) fn draw(chart: &LineChart, size: &Size, plan: Option<&Plan<'_>>) -> Markup {
    let classes = format!("plot {}", size.class);
    let view_box = format!("0 0 {} {}", size.width, size.height);
    html! {
        svg class=(classes) viewBox=(view_box) role="img" aria-label=(description(chart)) {
            @if let Some(plan) = plan {
                (contents(chart, size, plan))
            } @else {
                text.quiet x=(size.width / 2.0) y=(size.height / 2.0) text-anchor="middle" { "no values to draw" }
            }
        }
    }
}

fn contents(chart: &LineChart, size: &Size, plan: &Plan<'_>) -> Markup {
    let Plan { frame, x_ticks, y_ticks, end_labels } = plan;
    let mut lines: Vec<&Line> = chart.lines.iter().collect();
    lines.sort_by_key(|line| layer(line.style));
    html! {
        (shade(chart, frame, size))
        (y_axis(y_ticks, frame, size))
        (x_axis(x_ticks, frame, chart, size))
        @for line in lines { (stroke(line, frame)) }
        @for label in end_labels { (end_label(label)) }
        @if size.tooltips { (tooltip::columns(chart, frame)) }
    }
}

/// Drawing order, lowest first. The first forecast is the one to see, so it comes last.
fn layer(style: LineStyle) -> (usize, std::cmp::Reverse<usize>) {
    let (layer, n) = match style {
        LineStyle::Faint(n) => (0, n),
        LineStyle::Baseline(n) => (1, n),
        LineStyle::Actual => (2, 0),
        LineStyle::Points(n) => (3, n),
        LineStyle::Curve(n) => (4, n),
        LineStyle::Forecast(n) => (5, n),
    };
    (layer, std::cmp::Reverse(n))
}

/// The marked stretch, with its name above it: inside, lines would run through the name.
fn shade(chart: &LineChart, frame: &Frame, size: &Size) -> Markup {
    let marked = chart.shade.as_ref().filter(|shade| (shade.to - shade.from).is_finite());
    html! {
        @if let Some(shade) = marked {
            @let [from, to] = [shade.from.min(shade.to), shade.from.max(shade.to)].map(|x| frame.x.place(x));
            @let (top, bottom) = (frame.y.end, frame.y.start);
            rect.shade x=(coordinate(from)) y=(coordinate(top)) width=(coordinate(to - from)) height=(coordinate(bottom - top)) {}
            @if !shade.label.is_empty() {
                @let fits = from + text_width(&shade.label, size.text) <= size.width;
                @let (x, anchor) = if fits { (from, "start") } else { (to, "end") };
                text.quiet x=(coordinate(x)) y=(coordinate(top - 6.0)) text-anchor=(anchor) { (shade.label) }
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
            @let texts = tick.context.iter().chain([&tick.label]);
            @let widest = texts.map(|text| text_width(text, size.text)).fold(0.0, f64::max);
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
    let segments = if line.style.is_points() { dots(line, frame) } else { segments(line, frame) };
    let path: String = segments.iter().filter(|segment| segment.len() > 1).map(|s| path_of(s)).collect();
    html! {
        g class=(line.style.classes()) {
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
    let runs = line.points.split(|point| !can_draw(point, frame)).filter(|run| !run.is_empty());
    runs.map(|run| thin(run.iter().map(|point| frame.point(*point)))).collect()
}

/// Each by itself; of those on the same pixel, the first.
fn dots(line: &Line, frame: &Frame) -> Vec<Vec<(f64, f64)>> {
    let mut taken = BTreeSet::new();
    let drawable = line.points.iter().filter(|point| can_draw(point, frame)).map(|point| frame.point(*point));
    let seen = drawable.filter(|(x, y)| taken.insert((x.round() as i64, y.round() as i64)));
    seen.map(|point| vec![point]).collect()
}

fn can_draw(point: &(f64, f64), frame: &Frame) -> bool {
    is_drawable(point.0, frame.x.log) && is_drawable(point.1, frame.y.log)
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
