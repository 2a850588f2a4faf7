//! Reports: one self-contained HTML page with text, tables and charts.
//!
//! A page has no scripts and loads nothing. It reads on a phone, in dark mode and on paper, and everything
//! in it that came from outside is escaped. Charts are SVG inside the page; pointing at one shows its values.
//!
//! [`Report`] holds sections, a section holds [`Block`]s, and tables and charts are blocks.

mod axis;
mod bars;
mod block;
mod calendar;
mod chart;
mod grid;
mod labels;
mod number;
mod page;
mod palette;
mod pictures;
mod plan;
mod plot;
mod table;
#[cfg(test)]
mod tests;
mod thin;
mod tooltip;

pub use axis::XAxis;
pub use bars::{Bar, BarChart};
pub use block::Block;
pub use calendar::date_seconds;
pub use chart::{Line, LineChart, LineStyle, Shade};
pub use grid::ChartGrid;
pub use page::Report;
pub use pictures::{Picture, Pictures};
pub use table::{Align, Column, RowKind, Table};
