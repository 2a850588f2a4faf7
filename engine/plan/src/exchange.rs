//! What micro-batches tell each other between two segments.

use std::ops::Range;

/// One value that every micro-batch gives, and what all of them get for it. Ranges are those of the
/// memory that a micro-batch keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// The sum.
    Sum {
        /// Given.
        from: Range<usize>,
        /// Received.
        to: Range<usize>,
    },
    /// Mean and variance of channels.
    Moments {
        /// Given: the means of the micro-batch, then its squared distances from them.
        from: Range<usize>,
        /// Values of a channel in the micro-batch.
        values: usize,
        /// Received.
        mean: Range<usize>,
        /// Received.
        variance: Range<usize>,
    },
}

impl Exchange {
    /// Numbers that a total takes.
    pub fn len(&self) -> usize {
        match self {
            Exchange::Sum { from, .. } | Exchange::Moments { from, .. } => from.len(),
        }
    }

    /// Adds what a micro-batch gives to the total, in the first of the sweeps over all of them.
    pub fn add(&self, kept: &[f32], total: &mut [f64]) {
        match self {
            Exchange::Sum { from, .. } => {
                total.iter_mut().zip(&kept[from.clone()]).for_each(|(t, x)| *t += f64::from(*x));
            }
            Exchange::Moments { from, values, .. } => {
                let means = from.start..from.start + from.len() / 2;
                total.iter_mut().zip(&kept[means]).for_each(|(t, x)| *t += *values as f64 * f64::from(*x));
            }
        }
    }

    /// The second sweep, if there is one: distances from the mean of all. `count` is the number of
    /// values in all micro-batches.
    pub fn add_distances(&self, kept: &[f32], count: f64, total: &mut [f64]) {
        let Exchange::Moments { from, values, .. } = self else { return };
        let (sums, distances) = total.split_at_mut(from.len() / 2);
        let (means, squares) = kept[from.clone()].split_at(from.len() / 2);
        for (c, distance) in distances.iter_mut().enumerate() {
            let shift = f64::from(means[c]) - sums[c] / count;
            *distance += f64::from(squares[c]) + *values as f64 * shift * shift;
        }
    }

    /// Gives a micro-batch what it gets.
    pub fn give(&self, total: &[f64], count: f64, kept: &mut [f32]) {
        let write = |to: &mut [f32], from: &[f64], share: f64| {
            to.iter_mut().zip(from).for_each(|(to, x)| *to = (x * share) as f32);
        };
        match self {
            Exchange::Sum { to, .. } => write(&mut kept[to.clone()], total, 1.0),
            Exchange::Moments { mean, variance, .. } => {
                let (sums, distances) = total.split_at(total.len() / 2);
                write(&mut kept[mean.clone()], sums, 1.0 / count);
                write(&mut kept[variance.clone()], distances, 1.0 / count);
            }
        }
    }

    /// Values of a channel that the micro-batch holds; 0 for sums.
    pub fn values(&self) -> usize {
        match self {
            Exchange::Sum { .. } => 0,
            Exchange::Moments { values, .. } => *values,
        }
    }
}
