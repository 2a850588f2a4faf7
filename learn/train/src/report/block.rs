//! What a section of a report is made of.

use super::bars::BarChart;
use super::chart::LineChart;
use super::grid::ChartGrid;
use super::pictures::Pictures;
use super::table::Table;
use maud::{Markup, html};

/// One piece of a section, from top to bottom. Tables and charts turn into blocks by themselves
/// (`table.into()`).
///
/// ```
/// use bessemer_train::report::{Block, Report};
///
/// let page = Report::new("Passengers")
///     .section(
///         "Setting",
///         [
///             Block::paragraph("Twelve months are forecast from the ten years before them."),
///             Block::key_values("Configuration", [("lookback", "36 months"), ("horizon", "12 months")]),
///             Block::code("How to reproduce", "bessemer forecast passengers.csv --horizon 12"),
///             Block::warning("Two months are missing from the series."),
///         ],
///     )
///     .render();
/// assert!(page.contains("36 months"));
/// ```
#[derive(Debug, Clone)]
pub enum Block {
    /// Running text.
    Paragraph(String),
    /// A table.
    Table(Table),
    /// Lines over a common horizontal axis.
    LineChart(LineChart),
    /// Horizontal bars.
    BarChart(BarChart),
    /// Small charts side by side.
    ChartGrid(ChartGrid),
    /// Pictures side by side.
    Pictures(Pictures),
    /// Names with values, such as a configuration or a machine.
    KeyValues {
        /// What they describe; may be empty.
        title: String,
        /// The names and values, in order.
        entries: Vec<(String, String)>,
    },
    /// A command or file, kept as written.
    Code {
        /// What it is for; may be empty.
        title: String,
        /// The text.
        text: String,
    },
    /// Something worth knowing.
    Note(String),
    /// Something that casts doubt on what is shown.
    Warning(String),
}

impl Block {
    /// Running text. Blank lines separate paragraphs.
    pub fn paragraph(text: impl Into<String>) -> Block {
        Block::Paragraph(text.into())
    }

    /// Names with values.
    pub fn key_values<K: Into<String>, V: Into<String>>(
        title: impl Into<String>,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Block {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Block::KeyValues { title: title.into(), entries }
    }

    /// A command or file, kept as written.
    pub fn code(title: impl Into<String>, text: impl Into<String>) -> Block {
        Block::Code { title: title.into(), text: text.into() }
    }

    /// Something worth knowing.
    pub fn note(text: impl Into<String>) -> Block {
        Block::Note(text.into())
    }

    /// Something that casts doubt on what is shown.
    pub fn warning(text: impl Into<String>) -> Block {
        Block::Warning(text.into())
    }

    pub(super) fn markup(&self) -> Markup {
        match self {
            Block::Paragraph(text) => html! {
                @for paragraph in text.split("\n\n").filter(|part| !part.trim().is_empty()) { p { (paragraph) } }
            },
            Block::Table(table) => table.figure(),
            Block::LineChart(chart) => chart.figure(),
            Block::BarChart(chart) => chart.figure(),
            Block::ChartGrid(grid) => grid.figure(),
            Block::Pictures(pictures) => pictures.figure(),
            Block::KeyValues { title, entries } => html! {
                figure.facts {
                    (super::chart::heading(title))
                    dl { @for (key, value) in entries { div { dt { (key) } dd { (value) } } } }
                }
            },
            Block::Code { title, text } => html! {
                figure.code {
                    (super::chart::heading(title))
                    pre tabindex="0" { code { (text) } }
                }
            },
            Block::Note(text) => html! { aside.note { strong { "Note" } p { (text) } } },
            Block::Warning(text) => html! { aside.warning { strong { "Warning" } p { (text) } } },
        }
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Block {
        Block::Table(table)
    }
}

impl From<LineChart> for Block {
    fn from(chart: LineChart) -> Block {
        Block::LineChart(chart)
    }
}

impl From<BarChart> for Block {
    fn from(chart: BarChart) -> Block {
        Block::BarChart(chart)
    }
}

impl From<ChartGrid> for Block {
    fn from(grid: ChartGrid) -> Block {
        Block::ChartGrid(grid)
    }
}

impl From<Pictures> for Block {
    fn from(pictures: Pictures) -> Block {
        Block::Pictures(pictures)
    }
}
