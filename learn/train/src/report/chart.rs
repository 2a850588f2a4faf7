//! A line chart: what it holds. [`plot`](super::plot) draws it.

use super::axis::XAxis;
use super::plan::{Plan, Size};
use super::plot;
use maud::{Markup, html};

/// One line of a [`LineChart`].
///
/// ```
/// use bessemer_train::report::{Line, LineStyle};
///
/// // A value that is not a number leaves a gap.
/// let line = Line::new("demand", LineStyle::Actual, [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]);
/// assert_eq!(line.points.len(), 3);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// The name in the legend, at the end of the line and in tooltips.
    pub name: String,
    /// The role of the line, which decides how it looks.
    pub style: LineStyle,
    /// Positions `(x, y)` in drawing order. Positions that are not finite, or not positive on a
    /// logarithmic axis, leave a gap.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A line through `points`.
    pub fn new(
        name: impl Into<String>,
        style: LineStyle,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Line {
        Line { name: name.into(), style, points: points.into_iter().collect() }
    }
}

/// The role of a [`Line`]. Numbers tell lines of the same role apart; the same number is the same
/// colour in every chart of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LineStyle {
    /// What was observed: the text's own colour.
    #[default]
    Actual,
    /// A model's forecast: a strong line in the n-th colour.
    Forecast(usize),
    /// A simple method to compare with: grey, in the n-th pattern of dashes.
    Baseline(usize),
    /// Any other line, such as a loss: a thin line in the n-th colour.
    Curve(usize),
    /// No line at all: a dot for each position, in the n-th colour.
    Points(usize),
    /// The values that the curve of the same number smooths: faint, behind everything and in no legend.
    Faint(usize),
}

impl LineStyle {
    /// Whether it is a cloud of dots.
    pub(super) fn is_points(self) -> bool {
        matches!(self, LineStyle::Points(_))
    }

    /// The classes that the style sheet colours. Beyond six colours, lines are dashed as well.
    pub(super) fn classes(self) -> String {
        let coloured = |role: &str, n: usize| {
            let again = if n < super::palette::COLOURS.len() { "" } else { " again" };
            format!("{role} c{}{again}", n % super::palette::COLOURS.len())
        };
        match self {
            LineStyle::Actual => "actual".into(),
            LineStyle::Forecast(n) => coloured("forecast", n),
            LineStyle::Baseline(n) => format!("baseline d{}", n % 3),
            LineStyle::Curve(n) => coloured("curve", n),
            LineStyle::Points(n) => coloured("points", n),
            LineStyle::Faint(n) => coloured("faint", n),
        }
    }

    /// Whether a line has its name in the legend or at its end.
    pub(super) fn is_named(self) -> bool {
        !matches!(self, LineStyle::Faint(_))
    }
}

/// A marked stretch of the horizontal axis, such as the window that was forecast.
#[derive(Debug, Clone, Default)]
pub struct Shade {
    /// Where it begins, in the units of x.
    pub from: f64,
    /// Where it ends, in the units of x.
    pub to: f64,
    /// What it is; may be empty.
    pub label: String,
}

/// Lines over a common horizontal axis.
///
/// ```
/// use bessemer_train::report::{Line, LineChart, LineStyle, Report};
///
/// let chart = LineChart {
///     title: "Loss".into(),
///     x_label: "step".into(),
///     y_label: "mean absolute error".into(),
///     lines: vec![Line::new("training", LineStyle::Curve(0), [(1.0, 0.9), (2.0, 0.4), (3.0, 0.3)])],
///     log_y: true,
///     ..LineChart::default()
/// };
/// let page = Report::new("Training").section("Curves", [chart]).render();
/// assert!(page.contains("mean absolute error"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct LineChart {
    /// What the chart shows, in a few words.
    pub title: String,
    /// What x counts, with its unit; may be empty where the labels say it, as years do.
    pub x_label: String,
    /// What y measures, with its unit.
    pub y_label: String,
    /// The lines; forecasts are drawn over observations, observations over baselines.
    pub lines: Vec<Line>,
    /// How x is labelled.
    pub x_axis: XAxis,
    /// Whether x is logarithmic; then it is labelled with numbers.
    pub log_x: bool,
    /// Whether y is logarithmic.
    pub log_y: bool,
    /// A stretch of x to mark.
    pub shade: Option<Shade>,
    /// A sentence below the chart: what to see in it.
    pub caption: String,
}

impl LineChart {
    /// The whole figure. It holds two drawings, one for wide and one for narrow columns, because text
    /// that scales with a drawing is unreadable on a phone; the style sheet shows the one that fits.
    pub(super) fn figure(&self) -> Markup {
        let wide = Size::wide();
        let narrow = Size::narrow();
        let plan = Plan::of(self, &wide, None);
        let has_end_labels = plan.as_ref().is_some_and(|plan| !plan.end_labels.is_empty());
        html! {
            figure class=(if has_end_labels { "chart labelled" } else { "chart" }) {
                (heading(&self.title))
                (legend(self.lines.iter()))
                (y_name(self))
                (plot::draw(self, &wide, plan.as_ref()))
                (plot::draw(self, &narrow, Plan::of(self, &narrow, None).as_ref()))
                (caption(&self.caption))
            }
        }
    }
}

/// The title above a figure, if it has one.
pub(super) fn heading(title: &str) -> Markup {
    html! { @if !title.is_empty() { h3 { (title) } } }
}

/// What y measures, written above the drawing: beside it, it would have to be read sideways.
pub(super) fn y_name(chart: &LineChart) -> Markup {
    html! {
        @if !chart.y_label.is_empty() {
            p.y-name { (chart.y_label) @if chart.log_y { span.quiet { " (log scale)" } } }
        }
    }
}

/// The sentence below a figure, if it has one.
pub(super) fn caption(text: &str) -> Markup {
    html! { @if !text.is_empty() { figcaption { (text) } } }
}

/// Name and look of each line, once; nothing for a single line, which the title names.
pub(super) fn legend<'a>(lines: impl Iterator<Item = &'a Line>) -> Markup {
    let mut entries: Vec<(&str, LineStyle)> = Vec::new();
    for line in lines.filter(|line| line.style.is_named()) {
        if !entries.contains(&(&line.name, line.style)) {
            entries.push((&line.name, line.style));
        }
    }
    html! {
        @if entries.len() > 1 {
            ul.legend {
                @for (name, style) in entries {
                    li {
                        svg.swatch viewBox="0 0 26 10" aria-hidden="true" {
                            @if style.is_points() {
                                circle class={ "dot " (style.classes()) } cx="13" cy="5" r="4" {}
                            } @else {
                                path class={ "line " (style.classes()) } d="M1 5H25" {}
                            }
                        }
                        (name)
                    }
                }
            }
        }
    }
}
