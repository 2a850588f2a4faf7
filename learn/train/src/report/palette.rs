//! The colours of lines, one set for light pages and one for dark ones.

/// A colour on a light and on a dark page.
pub(super) struct Colour {
    pub light: &'static str,
    pub dark: &'static str,
}

/// The page behind the lines.
pub(super) const PAGE: Colour = Colour { light: "#fcfcfa", dark: "#15181c" };

/// Headings, and lines of what was observed.
pub(super) const INK: Colour = Colour { light: "#1a1d21", dark: "#f1f3f5" };

/// Found by a search that kept every pair, and every colour and the ink, apart for readers with normal
/// vision, protanopia and deuteranopia, and every colour readable against the page; the tests hold both.
pub(super) const COLOURS: [Colour; 6] = [
    Colour { light: "#1f7ef0", dark: "#3b93f7" },
    Colour { light: "#c08212", dark: "#dc7410" },
    Colour { light: "#037366", dark: "#25d6ae" },
    Colour { light: "#6512a8", dark: "#d4aafd" },
    Colour { light: "#7d1a08", dark: "#fcc93c" },
    Colour { light: "#e8079f", dark: "#fa3ea6" },
];

/// The style sheet's definitions of these colours, as custom properties that follow the page's mode.
pub(super) fn css() -> String {
    let define = |pick: fn(&Colour) -> &'static str| {
        let colours = COLOURS.iter().enumerate();
        let lines: String = colours.map(|(n, colour)| format!("--c{n}:{};", pick(colour))).collect();
        format!(":root{{--page:{};--ink:{};{lines}}}", pick(&PAGE), pick(&INK))
    };
    let classes: String = (0..COLOURS.len()).map(|n| format!(".c{n}{{--line:var(--c{n})}}")).collect();
    format!(
        "{}\n@media screen and (prefers-color-scheme:dark){{{}}}\n{classes}\n",
        define(|colour| colour.light),
        define(|colour| colour.dark)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matrix = [[f64; 3]; 3];

    /// How a reader sees linear RGB: Machado, Oliveira and Fernandes (2009), full severity.
    const VISION: [(&str, Matrix); 3] = [
        ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "protanopia",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
    ];

    fn linear(hex: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn times(matrix: &Matrix, v: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
    }

    /// WCAG 2: relative luminance, and the ratio of two.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |hex| times(&[[0.2126, 0.7152, 0.0722]; 3], linear(hex))[0] + 0.05;
        luminance(a).max(luminance(b)) / luminance(a).min(luminance(b))
    }

    /// Ottosson's Oklab, in which distance is close to perceived difference.
    fn oklab(rgb: [f64; 3]) -> [f64; 3] {
        let cones = times(
            &[
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ],
            rgb.map(|value| value.clamp(0.0, 1.0)),
        );
        times(
            &[
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ],
            cones.map(f64::cbrt),
        )
    }

    fn modes() -> [(&'static str, Vec<&'static str>); 2] {
        [
            (PAGE.light, COLOURS.iter().chain([&INK]).map(|colour| colour.light).collect()),
            (PAGE.dark, COLOURS.iter().chain([&INK]).map(|colour| colour.dark).collect()),
        ]
    }

    #[test]
    fn every_colour_is_visible_on_its_page() {
        for (page, colours) in modes() {
            for colour in colours {
                // WCAG 2.1, criterion 1.4.11: graphical objects need three to one.
                assert!(contrast(colour, page) >= 3.0, "{colour} on {page}: {}", contrast(colour, page));
            }
        }
    }

    #[test]
    fn every_pair_is_distinct_in_every_kind_of_vision() {
        for (_, colours) in modes() {
            for (vision, matrix) in &VISION {
                for (index, a) in colours.iter().enumerate() {
                    for b in &colours[..index] {
                        let [p, q] = [a, b].map(|hex| oklab(times(matrix, linear(hex))));
                        let distance = p.iter().zip(q).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
                        assert!(distance >= 0.1, "{a} and {b} are {distance:.3} apart in {vision} vision");
                    }
                }
            }
        }
    }
}
