//! Small multiples: the same kind of chart side by side, to be compared at a glance.

use super::chart::{LineChart, caption, heading, legend, y_name};
use super::plan::{Plan, Size, y_extent};
use super::plot;
use maud::{Markup, html};

/// Several small charts in a grid, with one legend for all of them.
///
/// ```
/// use bessemer_train::report::{ChartGrid, Line, LineChart, LineStyle, Report};
///
/// let panel = |name: &str, end: f64| LineChart {
///     title: name.into(),
///     lines: vec![Line::new("loss", LineStyle::Curve(0), [(0.0, 1.0), (1.0, end)])],
///     ..LineChart::default()
/// };
/// let grid = ChartGrid {
///     title: "Loss of each model".into(),
///     charts: vec![panel("linear", 0.4), panel("recurrent", 0.2)],
///     ..ChartGrid::default()
/// };
/// assert!(Report::new("Training").section("Curves", [grid]).render().contains("recurrent"));
/// ```
#[derive(Debug, Clone)]
pub struct ChartGrid {
    /// What the charts show together.
    pub title: String,
    /// The charts; each one's title names its panel.
    pub charts: Vec<LineChart>,
    /// Whether all panels have the same vertical axis, without which heights cannot be compared.
    pub same_y: bool,
    /// A sentence below the grid.
    pub caption: String,
}

impl Default for ChartGrid {
    /// No charts, and the same vertical axis for all.
    fn default() -> ChartGrid {
        ChartGrid { title: String::new(), charts: Vec::new(), same_y: true, caption: String::new() }
    }
}

impl ChartGrid {
    pub(super) fn figure(&self) -> Markup {
        // A linear and a logarithmic axis cannot be the same.
        let comparable = self.same_y && self.charts.windows(2).all(|pair| pair[0].log_y == pair[1].log_y);
        let y_range = if comparable { y_extent(self.charts.iter()) } else { None };
        let size = Size::panel();
        html! {
            figure.chart {
                (heading(&self.title))
                (legend(self.charts.iter().flat_map(|chart| &chart.lines)))
                div.grid {
                    @for chart in &self.charts {
                        div.panel {
                            @if !chart.title.is_empty() { h4 { (chart.title) } }
                            (y_name(chart))
                            (plot::draw(chart, &size, Plan::of(chart, &size, y_range).as_ref()))
                            (caption_of_panel(&chart.caption))
                        }
                    }
                }
                (caption(&self.caption))
            }
        }
    }
}

fn caption_of_panel(text: &str) -> Markup {
    html! { @if !text.is_empty() { p.panel-caption { (text) } } }
}
