//! Pictures side by side, within the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::chart::{caption, heading};

/// Pictures side by side, such as an image and what a model made of it.
///
/// ```
/// use bessemer_train::report::{Picture, Pictures, Report};
///
/// # let png = vec![];
/// let pictures = Pictures {
///     title: "Energy by time and frequency".into(),
///     pictures: vec![Picture { title: "signal".into(), png, width: 400, height: 200 }],
///     caption: "Time runs to the right, frequency upwards.".into(),
/// };
/// assert!(Report::new("Chirp").section("Spectrum", [pictures]).render().contains("data:image/png;base64,"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    /// What they show together.
    pub title: String,
    /// The pictures, from left to right.
    pub pictures: Vec<Picture>,
    /// A sentence below them.
    pub caption: String,
}

/// A picture in a page.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// What it shows; also said to those who cannot see it.
    pub title: String,
    /// The picture, as a PNG file.
    pub png: Vec<u8>,
    /// Its width in pixels.
    pub width: usize,
    /// Its height in pixels.
    pub height: usize,
}

impl Pictures {
    pub(super) fn figure(&self) -> Markup {
        html! {
            figure.chart {
                (heading(&self.title))
                div.pictures {
                    @for picture in &self.pictures {
                        div.panel {
                            @if !picture.title.is_empty() { h4 { (picture.title) } }
                            img src=(format!("data:image/png;base64,{}", STANDARD.encode(&picture.png)))
                                width=(picture.width) height=(picture.height) alt=(picture.title);
                        }
                    }
                }
                (caption(&self.caption))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn a_picture_is_within_the_page_and_has_its_title_for_those_who_cannot_see_it() {
        let picture = Picture { title: "a <bee>".into(), png: b"\x89PNG".to_vec(), width: 7, height: 5 };
        let pictures = Pictures { pictures: vec![picture], ..Pictures::default() };
        let page = Report::new("Bees").section("One", [pictures]).render();
        let expected =
            r#"<img src="data:image/png;base64,iVBORw==" width="7" height="5" alt="a &lt;bee&gt;">"#;
        assert!(page.contains(expected), "{page}");
    }
}
