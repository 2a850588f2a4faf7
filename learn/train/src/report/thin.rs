//! Leaves out points that a drawing cannot show.

/// Keeps the first, lowest, highest and last point of each pixel column, in order: the drawing looks the
/// same, and a series of a million points takes no more room than the drawing is wide.
pub(super) fn thin(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = points.collect();
    let same_column = |a: &(f64, f64), b: &(f64, f64)| a.0.floor() == b.0.floor();
    points.chunk_by(same_column).flat_map(|column| extremes(column).into_iter()).collect()
}

fn extremes(column: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if column.len() <= 4 {
        return column.to_vec();
    }
    let by_y = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
    let lowest = (0..column.len()).min_by(by_y).unwrap_or(0);
    let highest = (0..column.len()).max_by(by_y).unwrap_or(0);
    let mut kept = vec![0, lowest, highest, column.len() - 1];
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|index| column[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_survive() {
        let wave = (0..100_000).map(|i| (f64::from(i) / 1_000.0, if i == 50_500 { 9.0 } else { 1.0 }));
        let thinned = thin(wave);
        assert!(thinned.len() <= 400);
        assert!(thinned.contains(&(50.5, 9.0)));
        assert_eq!(thinned[0], (0.0, 1.0));
    }

    #[test]
    fn short_lines_are_kept_whole() {
        let points = [(0.0, 1.0), (10.0, 2.0), (20.0, 3.0)];
        assert_eq!(thin(points.into_iter()), points);
    }
}
