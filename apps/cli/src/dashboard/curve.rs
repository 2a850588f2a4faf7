//! A course over the steps of a training, in bounded memory however many there are.

/// More points than a wide terminal has columns.
const POINTS_MAX: usize = 512;

/// Means of a value over equal stretches of steps, which get longer as there are more.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Steps in a stretch.
    stride: u64,
    stretches: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    number: u64,
    count: f64,
    /// Sums.
    step: f64,
    value: f64,
}

impl Curve {
    /// A curve without points.
    pub fn new() -> Curve {
        Curve { stride: 1, stretches: Vec::new() }
    }

    /// Takes the value at a step, which comes after those before; what is not finite has no place.
    pub fn push(&mut self, step: u64, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.add(Stretch { number: step / self.stride, count: 1.0, step: step as f64, value });
        if self.stretches.len() > POINTS_MAX {
            self.stride *= 2;
            for stretch in std::mem::take(&mut self.stretches) {
                self.add(Stretch { number: stretch.number / 2, ..stretch });
            }
        }
    }

    fn add(&mut self, next: Stretch) {
        match self.stretches.last_mut() {
            Some(last) if last.number == next.number => {
                last.count += next.count;
                last.step += next.step;
                last.value += next.value;
            }
            _ => self.stretches.push(next),
        }
    }

    /// Step and value of each point, in the order of the steps.
    pub fn points(&self) -> Vec<(f64, f64)> {
        let mean = |s: &Stretch| (s.step / s.count, s.value / s.count);
        self.stretches.iter().map(mean).filter(|(_, value)| value.is_finite()).collect()
    }
}

/// Means over `columns` equal parts of the steps from `first` to `last`; a part without a point is as the
/// one before it.
pub fn columns(points: &[(f64, f64)], (first, last): (f64, f64), columns: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0.0); columns];
    for (step, value) in points {
        let place = (step - first) / (last - first).max(1.0) * columns as f64;
        if let Some(sum) = sums.get_mut((place as usize).min(columns.saturating_sub(1))) {
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
    }
    let mut before = None;
    let mean = |(sum, count): (f64, f64)| {
        before = if count > 0.0 { Some(sum / count) } else { before };
        before
    };
    sums.into_iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(steps: u64, value: impl Fn(u64) -> f64) -> Curve {
        let mut curve = Curve::new();
        (1..=steps).for_each(|step| curve.push(step, value(step)));
        curve
    }

    #[test]
    fn a_short_curve_has_every_value() {
        let points = curve(100, |step| (step * step) as f64).points();
        assert_eq!(points, (1..=100).map(|x| (x as f64, (x * x) as f64)).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_curve_stays_short_and_true() {
        for steps in [512, 513, 1000, 4096, 100_000] {
            let points = curve(steps, |step| 3.0 * step as f64 + 1.0).points();
            assert!((POINTS_MAX / 2..=POINTS_MAX).contains(&points.len()), "{steps}: {}", points.len());
            assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "{steps}");
            // Means of a line lie on it.
            assert!(points.iter().all(|(x, y)| (y - 3.0 * x - 1.0).abs() < 1e-6 * y), "{steps}");
        }
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let points = curve(9, |step| [f64::NAN, 1.0, f64::INFINITY][step as usize % 3]).points();
        assert_eq!(points, [(1.0, 1.0), (4.0, 1.0), (7.0, 1.0)]);
    }

    #[test]
    fn columns_without_points_are_as_the_one_before() {
        let points = [(2.0, 4.0), (2.5, 6.0), (8.0, 1.0)];
        assert_eq!(
            columns(&points, (0.0, 10.0), 5),
            [None, Some(5.0), Some(5.0), Some(5.0), Some(1.0)],
            "five parts of two steps"
        );
        assert_eq!(columns(&points, (0.0, 10.0), 0), []);
        assert_eq!(columns(&[(7.0, 3.0)], (7.0, 7.0), 2), [Some(3.0), Some(3.0)]);
    }
}
