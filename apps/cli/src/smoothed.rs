//! Courses that are seen through their noise.

/// An exponential moving average over about a twentieth of the points, without a bias towards 0 at the
/// beginning (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, section 3).
pub fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let window = (points.len() as f64 / 20.0).max(3.0);
    let decay = 1.0 - 2.0 / (window + 1.0);
    let (mut average, mut weight) = (0.0, 0.0);
    let smooth = |&(step, value): &(f64, f64)| {
        average = decay * average + (1.0 - decay) * value;
        weight = decay * weight + (1.0 - decay);
        (step, average / weight)
    };
    points.iter().map(smooth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_level_and_follows_slowly() {
        let points: Vec<_> = (0..400).map(|x| (x as f64, if x < 200 { 5.0 } else { 1.0 })).collect();
        let smooth = smoothed(&points);
        assert!(smooth[..200].iter().all(|(_, y)| (y - 5.0).abs() < 1e-12));
        assert!(smooth[200..].windows(2).all(|pair| pair[1].1 < pair[0].1));
        assert!(smooth[205].1 > 2.0 && smooth[399].1 < 1.001);
        assert!(smoothed(&[]).is_empty());
    }
}
