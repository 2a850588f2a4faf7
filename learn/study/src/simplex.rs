//! Least squares over weights that are not negative and add up to one.

/// The weights w of the simplex for which wᵀGw is least, where `gram` is G, symmetric and positive
/// semi-definite, `[members, members]` by rows.
///
/// With the inner products of error vectors as G this is the point of their convex hull that is nearest to
/// zero. It is found by adding and dropping one member at a time (Wolfe, "Finding the nearest point in a
/// polytope", 1976), which ends after finitely many steps. Where several points are nearest, as with members
/// that are the same, those that come first have the weight.
pub(crate) fn least_squares(gram: &[f64], members: usize) -> Vec<f64> {
    let size = (0..members).map(|i| gram[i * members + i]).fold(0.0, f64::max);
    let size = if size > 0.0 { size } else { 1.0 };
    let mut g: Vec<f64> = gram.iter().map(|x| x / size).collect();
    (0..members).for_each(|i| g[i * members + i] += RIDGE);

    let best = (0..members).min_by(|a, b| g[a * members + a].total_cmp(&g[b * members + b])).unwrap_or(0);
    let mut weights = vec![0.0; members];
    weights[best] = 1.0;
    let mut chosen = vec![best];
    // Each round ends with a lower objective than the one before, so none comes twice; the bound is for
    // rounding.
    for _ in 0..100 * members {
        let slope = |i: usize| (0..members).map(|j| g[i * members + j] * weights[j]).sum::<f64>();
        let value: f64 = (0..members).map(|i| weights[i] * slope(i)).sum();
        let steepest =
            (0..members).filter(|i| !chosen.contains(i)).min_by(|a, b| slope(*a).total_cmp(&slope(*b)));
        match steepest {
            Some(i) if slope(i) < value - LEAST_GAIN => chosen.push(i),
            _ => break,
        }
        while let Some(target) = on_plane(&g, members, &chosen) {
            if target.iter().all(|w| *w > 0.0) {
                chosen.iter().zip(&target).for_each(|(i, w)| weights[*i] = *w);
                break;
            }
            // As far towards it as no weight becomes negative; whichever comes to nothing is dropped.
            let limits = chosen.iter().zip(&target).filter(|(_, t)| **t <= 0.0);
            let limit = |(i, t): (&usize, &f64)| (weights[*i] / (weights[*i] - t), *i);
            let Some((share, dropped)) = limits.map(limit).min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
            for (i, t) in chosen.iter().zip(&target) {
                weights[*i] += share * (t - weights[*i]);
            }
            weights[dropped] = 0.0;
            chosen.retain(|i| *i != dropped);
        }
    }
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Added to the diagonal, whose largest element is 1, so that members that are the same can be told apart.
const RIDGE: f64 = 1e-12;
/// What a member must promise, in the same measure, to be added.
const LEAST_GAIN: f64 = 1e-11;

/// The weights of the chosen members, of any sign, that add up to one and for which the objective is least:
/// proportional to the solution of G x = 1, by Cholesky's method. `None` if rounding makes G singular.
fn on_plane(g: &[f64], members: usize, chosen: &[usize]) -> Option<Vec<f64>> {
    let n = chosen.len();
    let mut l = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| l[row * n + k] * l[column * n + k]).sum();
            let rest = g[chosen[row] * members + chosen[column]] - done;
            l[row * n + column] = match row == column {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / l[column * n + column],
            };
        }
    }
    let mut x = vec![1.0; n];
    for row in 0..n {
        let done: f64 = (0..row).map(|k| l[row * n + k] * x[k]).sum();
        x[row] = (x[row] - done) / l[row * n + row];
    }
    for row in (0..n).rev() {
        let done: f64 = (row + 1..n).map(|k| l[k * n + row] * x[k]).sum();
        x[row] = (x[row] - done) / l[row * n + row];
    }
    let sum: f64 = x.iter().sum();
    Some(x.iter().map(|x| x / sum).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gram(errors: &[Vec<f64>]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        errors.iter().flat_map(|a| errors.iter().map(move |b| dot(a, b))).collect()
    }

    fn objective(gram: &[f64], w: &[f64]) -> f64 {
        let n = w.len();
        (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| w[i] * gram[i * n + j] * w[j]).sum()
    }

    /// The least objective of all points whose weights are multiples of 1 / `parts`.
    fn brute_force(gram: &[f64], members: usize, parts: usize) -> f64 {
        fn visit(
            gram: &[f64],
            weights: &mut Vec<f64>,
            members: usize,
            left: usize,
            parts: usize,
            best: &mut f64,
        ) {
            if weights.len() + 1 == members {
                weights.push(left as f64 / parts as f64);
                *best = best.min(objective(gram, weights));
                weights.pop();
                return;
            }
            for part in 0..=left {
                weights.push(part as f64 / parts as f64);
                visit(gram, weights, members, left - part, parts, best);
                weights.pop();
            }
        }
        let mut best = f64::INFINITY;
        visit(gram, &mut Vec::new(), members, parts, parts, &mut best);
        best
    }

    proptest! {
        /// No point of a fine grid is better, and the point found is hardly better than the nearest of them.
        #[test]
        fn no_other_weights_are_better(
            members in 1..5usize,
            rows in 1..6usize,
            errors in proptest::collection::vec(-3.0..3.0f64, 24),
            scale in -4..5i32,
        ) {
            let scale = 10f64.powi(scale);
            let errors: Vec<Vec<f64>> =
                (0..members).map(|m| (0..rows).map(|r| scale * errors[m * 6 + r]).collect()).collect();
            let gram = gram(&errors);
            let size = (0..members).map(|i| gram[i * members + i]).fold(0.0, f64::max);
            let weights = least_squares(&gram, members);
            prop_assert!(weights.iter().all(|w| *w >= 0.0), "{weights:?}");
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let found = objective(&gram, &weights);
            let best = brute_force(&gram, members, 40);
            prop_assert!(found <= best + 1e-10 * size, "{found}, but {best} can be had");
            // Rounding every weight to a fortieth moves the point by at most 4 / 40 of the largest error.
            prop_assert!(found.max(0.0).sqrt() >= best.sqrt() - 0.1 * size.sqrt());
        }
    }

    #[test]
    fn known_solutions() {
        let cases: [(&[&[f64]], &[f64]); 6] = [
            (&[&[5.0]], &[1.0]),
            // Errors of equal size at right angles.
            (&[&[1.0, 0.0], &[0.0, 1.0]], &[0.5, 0.5]),
            // Errors that cancel out exactly.
            (&[&[1.0], &[-3.0]], &[0.75, 0.25]),
            // The second is worse in every way.
            (&[&[1.0, 1.0], &[2.0, 2.0]], &[1.0, 0.0]),
            // Of twins the first.
            (&[&[1.0, 0.0], &[0.0, 1.0], &[0.0, 1.0]], &[0.5, 0.5, 0.0]),
            // No errors at all.
            (&[&[0.0], &[0.0]], &[1.0, 0.0]),
        ];
        for (errors, expected) in cases {
            let errors: Vec<Vec<f64>> = errors.iter().map(|e| e.to_vec()).collect();
            let weights = least_squares(&gram(&errors), errors.len());
            let off = weights.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-3, "{errors:?}: {weights:?}");
        }
    }
}
