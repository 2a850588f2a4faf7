//! A chart of horizontal bars, for amounts and for ratios.

use super::axis::{Scale, extent, is_drawable};
use super::chart::{caption, heading};
use super::number::{coordinate, value_text};
use super::plan::{shortened, text_width};
use super::table::RowKind;
use maud::{Markup, html};

/// A bar of a [`BarChart`].
#[derive(Debug, Clone, Default)]
pub struct Bar {
    /// What the bar stands for.
    pub name: String,
    /// How long it is; "n/a" is written where this is not a finite number.
    pub value: f64,
    /// Whether it is a baseline or the best.
    pub kind: RowKind,
    /// The values that it is the mean of, if it is one: each is drawn as a dot.
    pub parts: Vec<f64>,
    /// Their standard deviation, written behind the value.
    pub deviation: Option<f64>,
}

impl Bar {
    /// A bar of the given kind.
    pub fn new(name: impl Into<String>, value: f64, kind: RowKind) -> Bar {
        Bar { name: name.into(), value, kind, ..Bar::default() }
    }

    /// The same as a mean over these values.
    pub fn over(self, parts: Vec<f64>, deviation: Option<f64>) -> Bar {
        Bar { parts, deviation, ..self }
    }

    /// The part that reaches furthest beyond the bar's end, or the end itself.
    fn furthest(&self, log: bool) -> f64 {
        let drawable = self.parts.iter().copied().filter(|part| is_drawable(*part, log));
        drawable.fold(self.value, f64::max)
    }
}

/// Horizontal bars with their values written out.
///
/// For ratios set `origin` to one: what is gained grows to the right and what is lost to the left. A
/// logarithmic scale then draws twice as fast and half as fast equally long.
///
/// ```
/// use bessemer_train::report::{Bar, BarChart, Report, RowKind};
///
/// let chart = BarChart {
///     title: "Speed of matrix multiplication".into(),
///     unit: "×".into(),
///     bars: vec![
///         Bar::new("naive", 1.0, RowKind::Baseline),
///         Bar::new("transposed", 0.8, RowKind::Plain),
///         Bar::new("blocked", 6.5, RowKind::Best),
///     ],
///     origin: 1.0,
///     log: true,
///     ..BarChart::default()
/// };
/// assert!(Report::new("Speed").section("Ladder", [chart]).render().contains("0.8×"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct BarChart {
    /// What the chart shows, in a few words.
    pub title: String,
    /// Written after every value, such as `×` or ` ms`; may be empty.
    pub unit: String,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
    /// Where bars begin: zero for amounts, one for ratios.
    pub origin: f64,
    /// Whether lengths are logarithmic; this needs a positive `origin`.
    pub log: bool,
    /// A sentence below the chart.
    pub caption: String,
}

/// Room for a drawing, in units of its `viewBox`.
struct Size {
    class: &'static str,
    width: f64,
    text: f64,
    /// From one bar to the next.
    pitch: f64,
    thickness: f64,
    /// Whether names stand above their bars rather than to the left.
    stacked: bool,
}

const WIDE: Size =
    Size { class: "wide", width: 860.0, text: 13.0, pitch: 32.0, thickness: 18.0, stacked: false };
const NARROW: Size =
    Size { class: "narrow", width: 380.0, text: 12.0, pitch: 42.0, thickness: 14.0, stacked: true };
/// For names that would leave too little room for the bars beside them.
const WIDE_STACKED: Size = Size { pitch: 48.0, stacked: true, ..WIDE };

impl BarChart {
    pub(super) fn figure(&self) -> Markup {
        let wide = if self.names_width(&WIDE) <= 0.4 * WIDE.width { WIDE } else { WIDE_STACKED };
        html! {
            figure.chart {
                (heading(&self.title))
                (self.draw(&wide))
                (self.draw(&NARROW))
                (caption(&self.caption))
            }
        }
    }

    fn draw(&self, size: &Size) -> Markup {
        let height = size.pitch * self.bars.len() as f64 + 4.0;
        let view_box = format!("0 0 {} {}", size.width, coordinate(height));
        let scale = self.scale(size);
        html! {
            svg class={ "plot " (size.class) } viewBox=(view_box) role="img" aria-label=(self.description()) {
                @for (index, bar) in self.bars.iter().enumerate() {
                    (self.bar(bar, index as f64 * size.pitch, &scale, size))
                }
            }
        }
    }

    /// A bar in the band of the drawing that begins at `top`, with its name, its value and a piece of the
    /// line at the origin; in pieces, because names may stand between the bars.
    fn bar(&self, bar: &Bar, top: f64, scale: &Scale, size: &Size) -> Markup {
        let drawable = is_drawable(bar.value, self.is_log());
        let origin = scale.place(self.start());
        let end = if drawable { scale.place(bar.value) } else { origin };
        let is_loss = end < origin;
        let bar_top = top + if size.stacked { size.text + 9.0 } else { (size.pitch - size.thickness) / 2.0 };
        let baseline = coordinate(bar_top + size.thickness / 2.0 + 0.35 * size.text);
        // A value just beside the origin is still a bar, if a thin one.
        let width = (end - origin).abs().max(if drawable { 1.5 } else { 0.0 });
        let left = if is_loss { origin - width } else { origin };
        let parts = bar.parts.iter().filter(|part| is_drawable(**part, self.is_log()));
        let parts: Vec<String> = parts.map(|part| coordinate(scale.place(*part))).collect();
        let beyond = if bar.parts.is_empty() { end } else { scale.place(bar.furthest(self.is_log())) + 4.0 };
        let (value_x, anchor) =
            if is_loss { (left - 6.0, "end") } else { ((left + width).max(beyond) + 6.0, "start") };
        let air = if size.stacked { 3.0 } else { (size.pitch - size.thickness) / 2.0 };
        let (line_top, line_height) = (bar_top - air, size.thickness + 2.0 * air);
        let (name_x, name_y, name_anchor) = match size.stacked {
            true => (0.0, coordinate(top + size.text), "start"),
            false => (self.names_width(size), baseline.clone(), "end"),
        };
        html! {
            g class={ "bar " (bar.kind.class()) @if is_loss { " loss" } } {
                title { (bar.name) ": " (self.written(bar)) }
                text.name x=(coordinate(name_x)) y=(name_y) text-anchor=(name_anchor) {
                    (shortened(&bar.name, size.width, size.text))
                }
                rect x=(coordinate(left)) y=(coordinate(bar_top)) width=(coordinate(width)) height=(size.thickness) rx="2" {}
                @for part in &parts {
                    circle.part cx=(part) cy=(coordinate(bar_top + size.thickness / 2.0)) r="3.5" {}
                }
                text.value x=(coordinate(value_x)) y=(baseline) text-anchor=(anchor) { (self.written(bar)) }
                path.base d={ "M" (coordinate(origin)) " " (coordinate(line_top)) "v" (coordinate(line_height)) } {}
            }
        }
    }

    /// From values to pixels, leaving room for the values written at either end.
    fn scale(&self, size: &Size) -> Scale {
        let start = self.start();
        let parts = self.bars.iter().flat_map(|bar| &bar.parts).copied();
        let values = self.bars.iter().map(|bar| bar.value).chain(parts).chain([start]);
        let (low, high) = extent(values, self.is_log()).unwrap_or((0.0, 1.0));
        let high = if low < high { high } else { low + 1.0 };
        // The best one's value is bold, and so wider.
        let widths = self.bars.iter().map(|bar| 1.2 * text_width(&self.written(bar), size.text));
        let dots = if self.bars.iter().all(|bar| bar.parts.is_empty()) { 0.0 } else { 4.0 };
        let value_width = widths.fold(0.0, f64::max) + 8.0 + dots;
        let left = if size.stacked { 1.0 } else { self.names_width(size) + 12.0 };
        let losses = if low < start { value_width } else { 0.0 };
        Scale { low, high, start: left + losses, end: size.width - value_width, log: self.is_log() }
    }

    fn names_width(&self, size: &Size) -> f64 {
        let widths = self.bars.iter().map(|bar| text_width(&bar.name, size.text));
        widths.fold(0.0, f64::max)
    }

    /// Bars on a logarithmic scale cannot begin at zero.
    fn is_log(&self) -> bool {
        self.log && self.origin > 0.0
    }

    fn start(&self) -> f64 {
        if is_drawable(self.origin, self.is_log()) { self.origin } else { 0.0 }
    }

    fn written(&self, bar: &Bar) -> String {
        let unit = if bar.value.is_finite() { self.unit.as_str() } else { "" };
        let spread = bar.deviation.filter(|deviation| deviation.is_finite());
        let spread = spread.map_or(String::new(), |deviation| format!(" ± {}", value_text(deviation)));
        format!("{}{spread}{unit}", value_text(bar.value))
    }

    fn description(&self) -> String {
        let bars: Vec<_> =
            self.bars.iter().map(|bar| format!("{} {}", bar.name, self.written(bar))).collect();
        format!("{}: {}", self.title, bars.join(", "))
    }
}
