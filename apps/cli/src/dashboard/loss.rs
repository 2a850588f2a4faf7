//! The curves of a model's losses.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType};

use super::state::Model;
use crate::number;
use crate::smoothed::smoothed;

const EACH: Style = Style::new().fg(Color::DarkGray);
const SMOOTH: Style = Style::new().fg(Color::Cyan);
const VALIDATION: Style = Style::new().fg(Color::Yellow);

/// From the least to the greatest, from which on an axis is logarithmic.
const DECADE: f64 = 10.0;
/// One in so many losses of a step may lie above the axis, and as many below.
const OUTLIERS: usize = 50;

/// An axis: its bounds as drawn, and whether those are logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    bounds: [f64; 2],
    logarithmic: bool,
}

impl Scale {
    /// The scale on which these values are seen best.
    fn of(values: impl Iterator<Item = f64>) -> Scale {
        let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        if least > most {
            return Scale { bounds: [0.0, 1.0], logarithmic: false };
        }
        let logarithmic = least > 0.0 && most >= DECADE * least;
        let (least, most) = if logarithmic { (least.log10(), most.log10()) } else { (least, most) };
        // Of values that are all the same, some distance to both sides.
        let margin = if most > least { (most - least) * 0.03 } else { (least.abs() * 0.1).max(1e-12) };
        Scale { bounds: [least - margin, most + margin], logarithmic }
    }

    /// Where a value is drawn.
    fn place(self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }

    /// So many values at equal distances.
    fn labels(self, count: usize) -> Vec<Span<'static>> {
        let [low, high] = self.bounds;
        let place = |i: usize| low + (high - low) * i as f64 / (count - 1).max(1) as f64;
        let value = |place: f64| if self.logarithmic { 10f64.powf(place) } else { place };
        (0..count).map(|i| Span::raw(number::digits(value(place(i))))).collect()
    }
}

/// The first and the last step that there is something to show of.
pub fn steps(model: &Model) -> (f64, f64) {
    let first = model.unseen as f64 + 1.0;
    (first, (model.step as f64).max(first + 1.0))
}

/// The values of all points but the highest and lowest few, which may be so far away that nothing else is seen.
fn usual(points: &[(f64, f64)]) -> impl Iterator<Item = f64> {
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let few = values.len() / OUTLIERS;
    let kept = values.len() - 2 * few;
    values.into_iter().skip(few).take(kept)
}

/// Draws the curves into an area.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model, framed: bool) {
    let (each, validations) = (model.losses.points(), model.validations.points());
    let smooth = smoothed(&each);
    let seen = smooth.iter().chain(&validations).map(|(_, value)| *value);
    let scale = Scale::of(seen.chain(usual(&each)));
    let placed = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
        points.into_iter().map(|(step, value)| (step, scale.place(value))).collect()
    };
    let (smooth, each, validations) = (placed(smooth), placed(each), placed(validations));
    let dataset = |points, style, graph| {
        Dataset::default().marker(Marker::Braille).graph_type(graph).style(style).data(points)
    };
    let datasets = vec![
        dataset(&each, EACH, GraphType::Line),
        dataset(&validations, VALIDATION, GraphType::Line),
        dataset(&smooth, SMOOTH, GraphType::Line),
    ];
    let (first, last) = steps(model);
    let ends = [first, last].map(|step| Span::raw(number::count(step as usize)));
    let rows = if area.height < 12 { 3 } else { 5 };
    let axis = |bounds| Axis::default().style(Style::new().fg(Color::Gray)).bounds(bounds);
    let mut chart = Chart::new(datasets)
        .x_axis(axis([first, last]).labels(ends))
        .y_axis(axis(scale.bounds).labels(scale.labels(rows)).labels_alignment(Alignment::Right))
        .legend_position(None);
    if framed {
        chart = chart.block(block(model, scale.logarithmic));
    }
    frame.render_widget(chart, area);
}

fn block(model: &Model, logarithmic: bool) -> Block<'static> {
    let mut legend = vec![Span::styled(" ─ steps", EACH), Span::styled(" ─ smoothed ", SMOOTH)];
    if model.best.is_some() {
        legend.push(Span::styled("─ validation ", VALIDATION));
    }
    let axis = if logarithmic { ", logarithmic" } else { "" };
    Block::bordered()
        .title(format!(" {}: loss{axis} ", model.name))
        .title_bottom(Line::from(legend).right_aligned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_is_logarithmic_where_values_span_a_decade() {
        let cases: [(&[f64], bool); 7] = [
            (&[], false),
            (&[2.0], false),
            (&[1.0, 9.9], false),
            (&[1.0, 10.0], true),
            (&[1e-5, 1e3, 0.1], true),
            (&[0.0, 100.0], false),
            (&[-1.0, 100.0], false),
        ];
        for (values, logarithmic) in cases {
            let scale = Scale::of(values.iter().copied());
            assert_eq!(scale.logarithmic, logarithmic, "{values:?}");
            let [low, high] = scale.bounds;
            assert!(low < high, "{values:?}");
            assert!(values.iter().all(|v| (low..=high).contains(&scale.place(*v))), "{values:?}");
        }
    }

    #[test]
    fn a_few_outliers_do_not_stretch_the_axis() {
        let value = |step: usize| if step.is_multiple_of(50) { 1e6 } else { 1.0 + step as f64 / 1e3 };
        let points: Vec<_> = (1..=100).map(|step| (step as f64, value(step))).collect();
        let usual: Vec<f64> = usual(&points).collect();
        assert_eq!((usual.len(), usual[0], usual[95]), (96, 1.003, 1.099));
        assert_eq!(super::usual(&points[..3]).count(), 3, "of a few points none is left out");
    }

    #[test]
    fn labels_are_values_also_of_logarithms() {
        let text = |scale: Scale| scale.labels(3).iter().map(|label| label.to_string()).collect::<Vec<_>>();
        assert_eq!(text(Scale { bounds: [0.0, 4.0], logarithmic: false }), ["0", "2.000", "4.000"]);
        assert_eq!(text(Scale { bounds: [-2.0, 2.0], logarithmic: true }), ["0.01000", "1.000", "100.0"]);
    }
}
