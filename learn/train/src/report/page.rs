//! The page: a title, sections, and the file that they end up in.

use super::block::Block;
use super::palette;
use crate::whole::write_whole;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::io;
use std::path::Path;

const STYLE: &str = include_str!("style.css");

/// A report under construction.
///
/// ```
/// use bessemer_train::report::{Block, Report};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.html");
/// Report::new("Passengers")
///     .subtitle("Forecasts of one year of airline traffic")
///     .section("Result", [Block::paragraph("The linear model halves the error of repeating last year.")])
///     .write(&path)?;
/// assert!(std::fs::read_to_string(&path)?.starts_with("<!DOCTYPE html>"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Report {
    title: String,
    subtitle: String,
    sections: Vec<(String, Vec<Block>)>,
    footer: String,
}

impl Report {
    /// A report without sections.
    pub fn new(title: impl Into<String>) -> Report {
        Report { title: title.into(), ..Report::default() }
    }

    /// A sentence below the title: the finding, or what was done.
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Report {
        self.subtitle = subtitle.into();
        self
    }

    /// Adds a section.
    pub fn section<B: Into<Block>>(
        mut self,
        heading: impl Into<String>,
        blocks: impl IntoIterator<Item = B>,
    ) -> Report {
        self.sections.push((heading.into(), blocks.into_iter().map(Into::into).collect()));
        self
    }

    /// A small line at the end: versions, a date.
    pub fn footer(mut self, footer: impl Into<String>) -> Report {
        self.footer = footer.into();
        self
    }

    /// The page as HTML. The same report gives the same text, byte for byte.
    pub fn render(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(palette::css())) (PreEscaped(STYLE)) }
                }
                body { (self.body()) }
            }
        };
        page.into_string()
    }

    fn body(&self) -> Markup {
        html! {
            header.top {
                h1 { (self.title) }
                @if !self.subtitle.is_empty() { p.subtitle { (self.subtitle) } }
            }
            main {
                @for (heading, blocks) in &self.sections {
                    section {
                        @if !heading.is_empty() { h2 { (heading) } }
                        @for block in blocks { (block.markup()) }
                    }
                }
            }
            @if !self.footer.is_empty() { footer { (self.footer) } }
        }
    }

    /// Writes the page to a file, whole or not at all: a reader of `path` sees the old page or the new
    /// one, never a part of it.
    ///
    /// # Errors
    /// If the folder does not exist or cannot be written to. The message names the path.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let explained =
            |error: io::Error| io::Error::new(error.kind(), format!("report `{}`: {error}", path.display()));
        write_whole(path, |file| file.write_all(self.render().as_bytes())).map_err(explained)
    }
}
