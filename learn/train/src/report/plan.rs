//! Where the parts of a line chart go: margins, ticks and names follow from each other.

use super::axis::{Scale, Tick, extent, is_drawable, linear_ticks, log_ticks, rounded_range};
use super::chart::{Line, LineChart, LineStyle};
use super::labels::{self, EndLabel};

/// How large a drawing is, in units of its `viewBox`, and what it has room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub class: &'static str,
    pub width: f64,
    pub height: f64,
    /// Size of the text, which the style sheet must set alike.
    pub text: f64,
    pub tooltips: bool,
    y_ticks: usize,
    end_labels: bool,
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
    points.filter(|(x, _)| is_drawable(*x, chart.log_x)).map(|(_, y)| *y)
}

fn xs(chart: &LineChart) -> impl Iterator<Item = f64> {
    let points = chart.lines.iter().flat_map(|line| &line.points);
    let drawn = points.filter(|(_, y)| is_drawable(*y, chart.log_y)).map(|(x, _)| *x);
    drawn.chain(chart.shade.iter().flat_map(|shade| [shade.from, shade.to]))
}

/// Where the lines are drawn, and what is written around them.
pub(super) struct Plan<'a> {
    pub frame: Frame,
    pub x_ticks: Vec<Tick>,
    pub y_ticks: Vec<Tick>,
    /// A name for every line, or none at all.
    pub end_labels: Vec<EndLabel<'a>>,
}

impl<'a> Plan<'a> {
    /// Plans a chart; `None` where it has nothing to draw. `y_range` replaces the chart's own range of y.
    pub(super) fn of(chart: &'a LineChart, size: &Size, y_range: Option<(f64, f64)>) -> Option<Plan<'a>> {
        let x_range = aired(extent(xs(chart), chart.log_x)?, chart);
        let y_range = y_range.or_else(|| extent(ys(chart), chart.log_y))?;
        if size.end_labels {
            // Names of forecasts are bold, and so wider.
            let width = |line: &Line| match line.style {
                LineStyle::Forecast(_) => 1.2 * text_width(&line.name, size.text),
                _ => text_width(&line.name, size.text),
            };
            let names = chart.lines.iter().map(width).fold(0.0, f64::max);
            let right = names.min(labels::WIDEST) + labels::LEADER + 6.0;
            let mut plan = Plan::with_margin(right, chart, size, x_range, y_range);
            if let Some(placed) = labels::place(chart, &plan.frame, size.text) {
                plan.end_labels = placed;
                return Some(plan);
            }
        }
        // Enough for half of the last tick's label.
        Some(Plan::with_margin(20.0, chart, size, x_range, y_range))
    }

    /// The other margins follow from what is written in them: tick labels on the left, the name of the
    /// marked stretch above, one or two lines of text below.
    fn with_margin(
        right: f64,
        chart: &LineChart,
        size: &Size,
        x_range: (f64, f64),
        y_range: (f64, f64),
    ) -> Plan<'a> {
        let log = chart.log_y;
        let (low, high) = padded(y_range, log, size.y_ticks);
        let y_ticks = if log { log_ticks } else { linear_ticks }(low, high, size.y_ticks);
        let widest = y_ticks.iter().map(|tick| text_width(&tick.label, size.text)).fold(0.0, f64::max);
        let (start, end) = (widest + 10.0, size.width - right);
        let x = Scale { low: x_range.0, high: x_range.1, start, end, log: chart.log_x };
        let x_ticks = match chart.log_x {
            true => log_ticks(x.low, x.high, ((end - start) / 60.0) as usize),
            false => chart.x_axis.ticks(x.low, x.high, end - start),
        };
        let has_second_line = !chart.x_label.is_empty() || x_ticks.iter().any(|tick| tick.context.is_some());
        let below = size.text + 12.0 + if has_second_line { size.text + 5.0 } else { 0.0 };
        let is_marked = chart.shade.as_ref().is_some_and(|shade| !shade.label.is_empty());
        let above = if is_marked { size.text + 8.0 } else { 9.0 };
        let y = Scale { low, high, start: size.height - below, end: above, log };
        Plan { frame: Frame { x, y }, x_ticks, y_ticks, end_labels: Vec::new() }
    }
}

/// Dots at the ends of x would lie on the frame.
fn aired((low, high): (f64, f64), chart: &LineChart) -> (f64, f64) {
    const SHARE: f64 = 0.03;
    if !chart.lines.iter().any(|line| line.style.is_points()) {
        return (low, high);
    }
    match chart.log_x {
        true => (low / (high / low).powf(SHARE), high * (high / low).powf(SHARE)),
        false => (low - SHARE * (high - low), high + SHARE * (high - low)),
    }
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
