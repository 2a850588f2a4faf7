//! Scales of coordinates and values, fitted on training points.

use serde::{Deserialize, Serialize};

/// What is done to each axis before a model sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AxisScale {
    /// The training points lie in -1 .. 1. A constant axis becomes 0.
    #[default]
    Unit,
    /// Coordinates as they are.
    None,
}

/// What is done to each channel before a model is fitted to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueScale {
    /// The training values have mean 0 and deviation 1. A constant channel becomes 0.
    #[default]
    Standard,
    /// Values as they are.
    None,
}

/// `(x - shift) / scale` of one axis or channel. The scale is positive.
///
/// ```
/// use bessemer_waves::{AxisScale, Scale};
///
/// let scale = Scale::of_axis(AxisScale::Unit, [3.0, 5.0, 4.0].iter());
/// assert_eq!((scale.apply(4.5), scale.undo(0.5)), (0.5, 4.5));
/// // Of a single coordinate there is no width.
/// assert_eq!(Scale::of_axis(AxisScale::Unit, [7.0].iter()).apply(7.0), 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Subtracted first.
    pub shift: f64,
    /// Divided by next.
    pub scale: f64,
}

impl Scale {
    /// Leaves numbers as they are.
    pub const IDENTITY: Scale = Scale { shift: 0.0, scale: 1.0 };

    /// Fitted on the coordinates of the training points along an axis.
    pub fn of_axis<'a>(kind: AxisScale, coordinates: impl Iterator<Item = &'a f32>) -> Scale {
        match kind {
            AxisScale::None => Scale::IDENTITY,
            AxisScale::Unit => {
                let (least, most) = crate::signal::bounds(coordinates);
                let (least, most) = (f64::from(least), f64::from(most));
                Scale::of((least + most) / 2.0, (most - least) / 2.0)
            }
        }
    }

    /// Fitted on the training values of a channel: mean and population standard deviation.
    pub fn of_channel<'a>(kind: ValueScale, values: impl Iterator<Item = &'a f32> + Clone) -> Scale {
        match kind {
            ValueScale::None => Scale::IDENTITY,
            ValueScale::Standard => {
                let mean = |squares: Option<f64>| {
                    let term = |x: &f32| squares.map_or(f64::from(*x), |mean| (f64::from(*x) - mean).powi(2));
                    values.clone().map(term).sum::<f64>() / values.clone().count().max(1) as f64
                };
                let shift = mean(None);
                Scale::of(shift, mean(Some(shift)).sqrt())
            }
        }
    }

    fn of(shift: f64, scale: f64) -> Scale {
        // What is constant but for rounding has no width to divide by, nor have subnormal differences.
        let is_constant = scale <= 1e-12 * shift.abs() || !(scale as f32).is_normal();
        Scale { shift, scale: if is_constant { 1.0 } else { scale } }
    }

    /// The number scaled.
    pub fn apply(&self, x: f32) -> f32 {
        ((f64::from(x) - self.shift) / self.scale) as f32
    }

    /// Undoes [`Scale::apply`], to single precision.
    pub fn undo(&self, x: f32) -> f32 {
        (f64::from(x) * self.scale + self.shift) as f32
    }

    /// Whether the numbers can be those of a scale that was fitted.
    pub(crate) fn is_sound(&self) -> bool {
        self.shift.is_finite() && self.scale.is_normal() && self.scale > 0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn training_points_lie_between_minus_one_and_one(x in prop::collection::vec(-1e6f32..1e6, 1..50)) {
            let scale = Scale::of_axis(AxisScale::Unit, x.iter());
            prop_assert!(scale.is_sound());
            for x in x {
                prop_assert!(scale.apply(x).abs() <= 1.0 + 1e-6, "{x} becomes {}", scale.apply(x));
                prop_assert!((scale.undo(scale.apply(x)) - x).abs() <= 1e-6 * 1e6);
            }
        }

        #[test]
        fn training_values_have_mean_0_and_deviation_1(x in prop::collection::vec(-1e3f32..1e3, 2..50)) {
            let scale = Scale::of_channel(ValueScale::Standard, x.iter());
            let scaled: Vec<f64> = x.iter().map(|x| f64::from(scale.apply(*x))).collect();
            let n = scaled.len() as f64;
            let mean = scaled.iter().sum::<f64>() / n;
            let square = scaled.iter().map(|x| x * x).sum::<f64>() / n;
            prop_assert!(mean.abs() < 1e-5, "{mean}");
            // All equal, there is nothing to stretch.
            let constant = x.iter().all(|other| *other == x[0]);
            prop_assert!((square - if constant { 0.0 } else { 1.0 }).abs() < 1e-5, "{square}");
        }
    }

    #[test]
    fn what_is_constant_becomes_0_and_comes_back() {
        for constant in [0.0, 3.5, -1e30, 0.1] {
            for scale in [
                Scale::of_axis(AxisScale::Unit, [constant; 3].iter()),
                Scale::of_channel(ValueScale::Standard, [constant; 3].iter()),
            ] {
                assert!(scale.apply(constant).abs() <= 1e-6 * constant.abs(), "{constant}: {scale:?}");
                assert_eq!((scale.undo(0.0), scale.scale), (constant, 1.0));
            }
        }
    }
}
