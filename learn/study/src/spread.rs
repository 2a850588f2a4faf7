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

impl Spread {
    /// Of some figures.
    pub fn of(values: &[f64]) -> Spread {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Spread { mean, deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()) }
    }
}
