//! Names of lines at their right ends, so that a reader need not look colours up in a legend.

use super::axis::is_drawable;
use super::chart::{Line, LineChart};
use super::plan::{Frame, text_width};

/// Names wider than this (pixels) would squeeze the chart.
pub(super) const WIDEST: f64 = 190.0;
/// Room between the frame and the names, for the lines that lead to them (pixels).
pub(super) const LEADER: f64 = 40.0;
/// Length of the piece of line drawn before a name (pixels).
pub(super) const SWATCH: f64 = 18.0;

/// A name and where it is written.
pub(super) struct EndLabel<'a> {
    pub line: &'a Line,
    /// The line's last point, in pixels.
    pub end: (f64, f64),
    pub x: f64,
    pub y: f64,
}

/// A label for every line, or none at all: where a line ends early or is none, a name is too wide or there are
/// too many, the legend does the whole work.
pub(super) fn place<'a>(chart: &'a LineChart, frame: &Frame, text: f64) -> Option<Vec<EndLabel<'a>>> {
    let named: Vec<&Line> = chart.lines.iter().filter(|line| line.style.is_named()).collect();
    if named.len() < 2
        || named.iter().any(|line| line.style.is_points())
        || named.iter().any(|line| text_width(&line.name, text) > WIDEST)
    {
        return None;
    }
    let ends = named.iter().map(|line| last_point(line, frame)).collect::<Option<Vec<_>>>()?;
    let near = 0.04 * (frame.x.end - frame.x.start);
    if ends.iter().any(|(x, _)| frame.x.end - x > near) {
        return None;
    }
    let wanted: Vec<f64> = ends.iter().map(|(_, y)| *y).collect();
    let placed = spread(&wanted, text + 4.0, frame.y.end, frame.y.start)?;
    let labelled = named.into_iter().zip(ends).zip(placed);
    Some(labelled.map(|((line, end), y)| EndLabel { line, end, x: frame.x.end + LEADER, y }).collect())
}

fn last_point(line: &Line, frame: &Frame) -> Option<(f64, f64)> {
    let drawable =
        |point: &&(f64, f64)| is_drawable(point.0, frame.x.log) && is_drawable(point.1, frame.y.log);
    line.points.iter().rev().find(drawable).map(|point| frame.point(*point))
}

/// Moves `wanted` positions apart to at least `gap`, each group staying centred on what it wanted, all
/// inside `top..=bottom`. `None` where they cannot fit.
fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Option<Vec<f64>> {
    if wanted.len().saturating_sub(1) as f64 * gap > bottom - top {
        return None;
    }
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Groups of touching labels: (members, centre). A new label joins those that it would overlap.
    let mut groups: Vec<(Vec<usize>, f64)> = Vec::new();
    for index in order {
        let mut members = vec![index];
        loop {
            let half = (members.len() - 1) as f64 * gap / 2.0;
            let mean = members.iter().map(|i| wanted[*i]).sum::<f64>() / members.len() as f64;
            let centre = mean.max(top + half).min(bottom - half);
            let touches = groups.last().is_some_and(|(above, above_centre)| {
                above_centre + (above.len() as f64 * gap + half * 2.0 + gap) / 2.0 > centre + 1e-9
            });
            match groups.pop() {
                Some((mut above, _)) if touches => {
                    above.extend(members);
                    members = above;
                }
                Some(group) => {
                    groups.push(group);
                    groups.push((members, centre));
                    break;
                }
                None => {
                    groups.push((members, centre));
                    break;
                }
            }
        }
    }
    let mut placed = vec![0.0; wanted.len()];
    for (members, centre) in groups {
        let first = centre - (members.len() - 1) as f64 * gap / 2.0;
        for (rank, index) in members.into_iter().enumerate() {
            placed[index] = first + rank as f64 * gap;
        }
    }
    Some(placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_move_no_further_than_they_must() {
        let cases: [(&[f64], Option<&[f64]>); 5] = [
            (&[10.0, 50.0], Some(&[10.0, 50.0])),
            (&[50.0, 50.0], Some(&[45.0, 55.0])),
            (&[51.0, 49.0], Some(&[55.0, 45.0])),
            (&[0.0, 0.0, 100.0], Some(&[0.0, 10.0, 100.0])),
            (&[0.0; 12], None),
        ];
        for (wanted, expected) in cases {
            assert_eq!(spread(wanted, 10.0, 0.0, 100.0).as_deref(), expected, "{wanted:?}");
        }
    }

    proptest! {
        #[test]
        fn labels_never_overlap(wanted in prop::collection::vec(0f64..100.0, 0..10)) {
            let mut placed = spread(&wanted, 10.0, 0.0, 100.0).unwrap();
            placed.sort_by(f64::total_cmp);
            prop_assert!(placed.windows(2).all(|pair| pair[1] - pair[0] >= 10.0 - 1e-6));
            prop_assert!(placed.iter().all(|y| (-1e-6..=100.0 + 1e-6).contains(y)));
        }
    }
}
