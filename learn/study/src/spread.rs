//! How widely results vary.

use serde::Serialize;

/// Mean and standard deviation of a figure over folds, seeds or trials.
///
/// ```
/// use bessemer_study::Spread;
///
/// assert_eq!(Spread::of(&[1.0, 3.0, 5.0]), Spread { mean: 3.0, deviation: Some(2.0) });
/// assert_eq!(Spread::of(&[7.0]), Spread { mean: 7.0, deviation: None });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean, each counting the same; NaN of none.
    pub mean: f64,
    /// The sample standard deviation; none of a single figure.
    pub deviation: Option<f64>,
}

/// Student's t for 95 %, two-sided, for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same for so many that they are as good as endless.
const NORMAL: f64 = 1.960;

impl Spread {
    /// How far the mean may lie from that of endlessly many figures, in either direction, with 95 % probability if
    /// they are normal: t s / √n (Student 1908), of `count` figures; none of a single one. Beyond 31 figures, t is
    /// that of the normal distribution.
    ///
    /// ```
    /// use bessemer_study::Spread;
    ///
    /// let spread = Spread::of(&[1.0, 3.0, 5.0]);
    /// assert!((spread.half_interval(3).unwrap() - 4.303 * 2.0 / 3f64.sqrt()).abs() < 1e-12);
    /// ```
    pub fn half_interval(&self, count: usize) -> Option<f64> {
        let t = STUDENT.get(count.checked_sub(2)?).copied().unwrap_or(NORMAL);
        Some(t * self.deviation? / (count as f64).sqrt())
    }

    /// Of some figures.
    pub fn of(values: &[f64]) -> Spread {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Spread { mean, deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()) }
    }
}
