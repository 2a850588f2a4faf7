//! A table of results.

use maud::{Markup, html};

/// A column of a [`Table`].
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// What the column holds.
    pub name: String,
    /// The unit of its numbers; may be empty.
    pub unit: String,
    /// On which side its cells line up.
    pub align: Align,
}

impl Column {
    /// A column of words, aligned left.
    pub fn text(name: impl Into<String>) -> Column {
        Column { name: name.into(), ..Column::default() }
    }

    /// A column of numbers, aligned right, with the unit that they are in (`""` for none).
    pub fn number(name: impl Into<String>, unit: impl Into<String>) -> Column {
        Column { name: name.into(), unit: unit.into(), align: Align::Right }
    }
}

/// The side on which a column's cells line up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Align {
    /// For words.
    #[default]
    Left,
    /// For numbers, so that their digits line up.
    Right,
}

/// What a row of a table, or a bar of a chart, stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowKind {
    /// One of several.
    #[default]
    Plain,
    /// A simple method that the others must beat: marked with a badge, in quiet text.
    Baseline,
    /// The best of all: marked with a badge, in strong text.
    Best,
}

impl RowKind {
    /// The class that the style sheet knows the kind by; also the word on its badge.
    pub(super) fn class(self) -> &'static str {
        match self {
            RowKind::Plain => "",
            RowKind::Baseline => "baseline",
            RowKind::Best => "best",
        }
    }
}

/// Rows of words and numbers under named columns.
///
/// ```
/// use bessemer_train::report::{Column, Report, RowKind, Table};
///
/// let table = Table::new([Column::text("model"), Column::number("error", "passengers")])
///     .row(RowKind::Best, ["linear", "12.1"])
///     .row(RowKind::Baseline, ["last value", "47.8"]);
/// let page = Report::new("Passengers").section("Accuracy", [table]).render();
/// assert!(page.contains("last value"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Table {
    title: String,
    columns: Vec<Column>,
    rows: Vec<(RowKind, Vec<String>)>,
    caption: String,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), ..Table::default() }
    }

    /// What the table shows, written above it.
    pub fn title(mut self, title: impl Into<String>) -> Table {
        self.title = title.into();
        self
    }

    /// A sentence below the table.
    pub fn caption(mut self, caption: impl Into<String>) -> Table {
        self.caption = caption.into();
        self
    }

    /// Adds a row. Missing cells stay empty; cells beyond the last column get a column without a name.
    pub fn row<C: Into<String>>(mut self, kind: RowKind, cells: impl IntoIterator<Item = C>) -> Table {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        while self.columns.len() < cells.len() {
            self.columns.push(Column::default());
        }
        self.rows.push((kind, cells));
        self
    }

    pub(super) fn figure(&self) -> Markup {
        html! {
            figure.table {
                (super::chart::heading(&self.title))
                // A keyboard must reach what scrolls.
                div.scroll tabindex="0" role="region" aria-label=(self.title) {
                    table {
                        thead {
                            tr {
                                @for column in &self.columns {
                                    th scope="col" class=[class(column.align)] {
                                        (column.name)
                                        @if !column.unit.is_empty() { span.unit { (column.unit) } }
                                    }
                                }
                            }
                        }
                        tbody { @for (kind, cells) in &self.rows { (self.body_row(*kind, cells)) } }
                    }
                }
                (super::chart::caption(&self.caption))
            }
        }
    }

    fn body_row(&self, kind: RowKind, cells: &[String]) -> Markup {
        let badge = kind.class();
        html! {
            tr class=[(!badge.is_empty()).then_some(badge)] {
                @for (index, column) in self.columns.iter().enumerate() {
                    @let text = cells.get(index).map_or("", String::as_str);
                    @if index == 0 {
                        th scope="row" class=[class(column.align)] {
                            (text) @if !badge.is_empty() { " " span.badge { (badge) } }
                        }
                    } @else {
                        td class=[class(column.align)] { (text) }
                    }
                }
            }
        }
    }
}

fn class(align: Align) -> Option<&'static str> {
    (align == Align::Right).then_some("number")
}
