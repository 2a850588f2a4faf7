//! Sampling with replacement, some items oftener than others.

use super::random::{mix, word};
use crate::error::TrainError;

/// Items drawn with replacement, each with the share that its weight has in the sum: a function of seed,
/// epoch and position, in a time that doesn't depend on the number of items.
///
/// The alias method (Walker, "An efficient method for generating discrete random variables with general
/// distributions", 1977), its table made in linear time (Vose, 1991).
///
/// ```
/// use bessemer_train::data::WeightedSampling;
///
/// let sampling = WeightedSampling::new(&[1.0, 0.0, 3.0], 42)?;
/// let drawn: Vec<usize> = (0..8000).map(|position| sampling.item(0, position)).collect();
/// let count = |item| drawn.iter().filter(|i| **i == item).count();
/// assert!(count(1) == 0 && (5900..6100).contains(&count(2)));
/// # Ok::<(), bessemer_train::TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WeightedSampling {
    /// Of each column, the probability of its own item, and the item that has the rest.
    columns: Vec<(f64, usize)>,
    seed: u64,
}

impl WeightedSampling {
    /// By one weight for each item; they need not sum to 1.
    ///
    /// # Errors
    /// If a weight is negative or no number, or all are 0.
    pub fn new(weights: &[f64], seed: u64) -> Result<WeightedSampling, TrainError> {
        if let Some((item, weight)) = weights.iter().enumerate().find(|(_, w)| !(w.is_finite() && **w >= 0.0))
        {
            let problem = format!("its weight is {weight}; weights are finite, and 0 or more");
            return Err(TrainError::Data { place: format!("item {item}"), problem });
        }
        // Divided by the largest first, weights near the largest number don't overflow their sum.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            let (place, problem) = (format!("{} weights", weights.len()), "none is above 0".to_string());
            return Err(TrainError::Data {
                place,
                problem: problem + "; give at least one item some weight",
            });
        }
        let sum: f64 = weights.iter().map(|w| w / largest).sum();
        let mut shares: Vec<f64> = weights.iter().map(|w| w / largest * weights.len() as f64 / sum).collect();
        let mut columns: Vec<(f64, usize)> = (0..weights.len()).map(|item| (1.0, item)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&item| shares[item] < 1.0);
        while let (Some(&from), Some(item)) = (large.last(), small.pop()) {
            columns[item] = (shares[item], from);
            shares[from] -= 1.0 - shares[item];
            if shares[from] < 1.0 {
                large.pop();
                small.push(from);
            }
        }
        // Columns that rounding leaves over are full: only what has a share of almost 1 can be among them.
        Ok(WeightedSampling { columns, seed })
    }

    /// The item drawn at a position of an epoch.
    pub fn item(&self, epoch: u64, position: u64) -> usize {
        let word = word(self.seed, epoch, position);
        let column = ((u128::from(word) * self.columns.len() as u128) >> 64) as usize;
        let (own, other) = self.columns[column];
        let fraction = (mix(word) >> 11) as f64 / (1u64 << 53) as f64;
        if fraction < own { column } else { other }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The probability of each item, summed over the table.
    fn probabilities(sampling: &WeightedSampling) -> Vec<f64> {
        let columns = &sampling.columns;
        let mut sums = vec![0.0; columns.len()];
        for (item, (own, other)) in columns.iter().enumerate() {
            sums[item] += own / columns.len() as f64;
            sums[*other] += (1.0 - own) / columns.len() as f64;
        }
        sums
    }

    proptest! {
        #[test]
        fn the_table_holds_the_shares(weights in proptest::collection::vec(
            prop_oneof![Just(0.0), 0.0..1.0, 1e3..1e6], 1..200,
        )) {
            let sum: f64 = weights.iter().sum();
            prop_assume!(sum > 0.0);
            let sampling = WeightedSampling::new(&weights, 1).unwrap();
            for (probability, weight) in probabilities(&sampling).iter().zip(&weights) {
                prop_assert!((probability - weight / sum).abs() < 1e-12, "{probability} of {weight}");
                prop_assert!(*weight > 0.0 || *probability == 0.0);
            }
        }
    }

    /// 64,000 draws of shares 1/8, 2/8, 5/8: chi-squared with 2 degrees of freedom, above 13.8 once in a
    /// thousand such tests.
    #[test]
    fn draws_have_the_shares() {
        for epoch in 0..3 {
            let sampling = WeightedSampling::new(&[1.0, 2.0, 5.0], 9).unwrap();
            let mut counts = [0.0; 3];
            (0..64_000).for_each(|position| counts[sampling.item(epoch, position)] += 1.0);
            let expected = [8_000.0, 16_000.0, 40_000.0f64];
            let statistic: f64 = counts.iter().zip(expected).map(|(c, e)| (c - e) * (c - e) / e).sum();
            assert!(statistic < 13.8, "{statistic}");
        }
    }

    #[test]
    fn a_draw_depends_on_seed_epoch_and_position_alone() {
        let draws = |seed, epoch| {
            let sampling = WeightedSampling::new(&[1.0; 1000], seed).unwrap();
            (0..50).map(|position| sampling.item(epoch, position)).collect::<Vec<_>>()
        };
        // The same for ever.
        assert_eq!(draws(1, 0)[..6], [693, 423, 83, 42, 140, 59]);
        let all = [draws(1, 0), draws(1, 1), draws(2, 0), draws(2, 1)];
        assert!((0..4).all(|a| (0..a).all(|b| all[a] != all[b])));
        let sampling = WeightedSampling::new(&[1.0; 1000], 1).unwrap();
        assert_eq!(sampling.item(0, 49), draws(1, 0)[49], "without those before it");
    }

    #[test]
    fn weights_that_make_no_sense_are_refused() {
        for (weights, expected) in [
            (vec![1.0, -1.0], "item 1: its weight is -1; weights are finite, and 0 or more"),
            (vec![f64::NAN], "item 0: its weight is NaN; weights are finite, and 0 or more"),
            (vec![0.0, 0.0], "2 weights: none is above 0; give at least one item some weight"),
            (vec![], "0 weights: none is above 0; give at least one item some weight"),
        ] {
            assert_eq!(WeightedSampling::new(&weights, 1).unwrap_err().to_string(), expected);
        }
    }
}
