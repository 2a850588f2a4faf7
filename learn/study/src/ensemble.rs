//! One forecast made of several.

use serde::Serialize;

use crate::error::{Result, StudyError};
use crate::simplex::least_squares;

/// How members are combined, before weights are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// The mean.
    Mean,
    /// The median; of an even number of members the mean of the middle two.
    Median,
    /// Weights that are not negative and add up to one, fitted where the truth is known.
    Weights,
}

/// Members combined to one.
///
/// ```
/// use bessemer_study::{Combination, Ensemble};
///
/// // Where the truth is known, one member is too low by 1, and another too high by 3.
/// let ensemble = Ensemble::fit(Combination::Weights, &[&[1.0, 2.0], &[5.0, 6.0]], &[2.0, 3.0], None)?;
/// assert!(matches!(&ensemble, Ensemble::Weights(weights) if (weights[0] - 0.75).abs() < 1e-9));
/// assert_eq!(ensemble.combine(&[&[10.0], &[14.0]])?, [11.0]);
/// assert_eq!(Ensemble::Median.combine(&[&[1.0], &[9.0], &[2.0]])?, [2.0]);
/// # Ok::<(), bessemer_study::StudyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ensemble {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// A weight for each member.
    Weights(Vec<f64>),
}

impl Ensemble {
    /// An ensemble of members: for weights, those with the least squared error on `actual`, where `mask`, if
    /// given, is not 0. They must be fitted on values that neither a member was fitted to nor the ensemble is
    /// judged by.
    ///
    /// # Errors
    /// Where there is no member, lengths differ, or, for weights, nothing is observed or a value that counts
    /// is not finite.
    pub fn fit(
        combination: Combination,
        members: &[&[f32]],
        actual: &[f32],
        mask: Option<&[f32]>,
    ) -> Result<Ensemble> {
        let values = check(members)?;
        for (member, other) in [Some(actual), mask].into_iter().flatten().enumerate() {
            if other.len() != values {
                return Err(StudyError::Lengths { member, found: values, expected: other.len() });
            }
        }
        match combination {
            Combination::Mean => Ok(Ensemble::Mean),
            Combination::Median => Ok(Ensemble::Median),
            Combination::Weights => fit_weights(members, actual, mask),
        }
    }

    /// Combines the members' values, place by place.
    ///
    /// # Errors
    /// Where there is no member, lengths differ, or there are more or fewer weights than members.
    pub fn combine(&self, members: &[&[f32]]) -> Result<Vec<f32>> {
        let values = check(members)?;
        if let Ensemble::Weights(weights) = self
            && weights.len() != members.len()
        {
            return Err(StudyError::WeightCount { found: weights.len(), members: members.len() });
        }
        let mut at = vec![0.0; members.len()];
        let mut combined = Vec::with_capacity(values);
        for place in 0..values {
            at.iter_mut().zip(members).for_each(|(at, member)| *at = f64::from(member[place]));
            combined.push(self.of(&mut at) as f32);
        }
        Ok(combined)
    }

    /// Of one value from each member.
    fn of(&self, values: &mut [f64]) -> f64 {
        match self {
            Ensemble::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Ensemble::Median => {
                values.sort_by(f64::total_cmp);
                let middle = values.len() / 2;
                match values.len().is_multiple_of(2) {
                    true => (values[middle - 1] + values[middle]) / 2.0,
                    false => values[middle],
                }
            }
            // A member that doesn't count may forecast anything, even no number.
            Ensemble::Weights(weights) => {
                weights.iter().zip(values).filter(|(w, _)| **w != 0.0).map(|(w, v)| w * *v).sum()
            }
        }
    }
}

/// Values of each member.
fn check(members: &[&[f32]]) -> Result<usize> {
    let Some(first) = members.first() else { return Err(StudyError::NoMembers) };
    let expected = first.len();
    match members.iter().position(|member| member.len() != expected) {
        Some(member) => Err(StudyError::Lengths { member, found: members[member].len(), expected }),
        None => Ok(expected),
    }
}

/// As weights add up to one, the error of the sum is the sum of the errors, and all that is needed of these
/// is their inner products.
fn fit_weights(members: &[&[f32]], actual: &[f32], mask: Option<&[f32]>) -> Result<Ensemble> {
    let count = members.len();
    let mut gram = vec![0.0; count * count];
    let mut errors = vec![0.0; count];
    let mut seen = false;
    for (place, actual) in
        actual.iter().enumerate().filter(|(place, _)| mask.is_none_or(|m| m[*place] != 0.0))
    {
        seen = true;
        for (member, (error, values)) in errors.iter_mut().zip(members).enumerate() {
            let value = values[place];
            if !value.is_finite() {
                return Err(StudyError::NotFinite { member, place, value });
            }
            *error = f64::from(value) - f64::from(*actual);
        }
        for (row, a) in errors.iter().enumerate() {
            errors.iter().enumerate().for_each(|(column, b)| gram[row * count + column] += a * b);
        }
    }
    match seen {
        true => Ok(Ensemble::Weights(least_squares(&gram, count))),
        false => Err(StudyError::NothingObserved { values: actual.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_combined_place_by_place() {
        let members: [&[f32]; 4] = [&[1.0, 10.0], &[2.0, 20.0], &[4.0, 0.0], &[9.0, 30.0]];
        assert_eq!(Ensemble::Mean.combine(&members).unwrap(), [4.0, 15.0]);
        assert_eq!(Ensemble::Median.combine(&members).unwrap(), [3.0, 15.0]);
        assert_eq!(Ensemble::Median.combine(&members[..3]).unwrap(), [2.0, 10.0]);
        let weights = Ensemble::Weights(vec![0.5, 0.5, 0.0, 0.0]);
        assert_eq!(weights.combine(&members).unwrap(), [1.5, 15.0]);
        let broken: [&[f32]; 4] = [&[1.0], &[2.0], &[f32::NAN], &[f32::INFINITY]];
        assert_eq!(weights.combine(&broken).unwrap(), [1.5]);
    }

    #[test]
    fn what_is_masked_has_no_say_in_the_weights() {
        let members: [&[f32]; 2] = [&[1.0, f32::NAN], &[5.0, 70.0]];
        let fitted = Ensemble::fit(Combination::Weights, &members, &[2.0, 0.0], Some(&[1.0, 0.0])).unwrap();
        let Ensemble::Weights(weights) = fitted else { panic!("{fitted:?}") };
        assert!((weights[0] - 0.75).abs() < 1e-9 && (weights[1] - 0.25).abs() < 1e-9, "{weights:?}");
    }

    #[test]
    fn members_that_do_not_fit_are_refused() {
        let two: [&[f32]; 2] = [&[1.0, 2.0], &[1.0]];
        let fit = |members: &[&[f32]], actual: &[f32], mask: Option<&[f32]>| {
            Ensemble::fit(Combination::Weights, members, actual, mask).unwrap_err().to_string()
        };
        assert!(fit(&[], &[], None).contains("no members"));
        assert!(fit(&two, &[1.0], None).contains("member 1 has 1 values where 2 were expected"));
        assert!(fit(&two[..1], &[1.0], None).contains("values where 1 were expected"));
        assert!(fit(&two[..1], &[1.0, 2.0], Some(&[0.0, 0.0])).contains("none of the 2 values is observed"));
        assert!(fit(&[&[f32::NAN]], &[1.0], None).contains("member 0: value 0 is NaN"));
        let one = Ensemble::Weights(vec![1.0]);
        assert!(one.combine(&[&[1.0], &[2.0]]).unwrap_err().to_string().contains("1 weights for 2 members"));
    }
}
