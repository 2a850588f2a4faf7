//! Folds of samples whose order doesn't matter.

use crate::draw;
use crate::error::{Result, StudyError};

/// One division of the samples: each is in one of the two, both in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Samples to learn from.
    pub train: Vec<usize>,
    /// Samples to score on.
    pub test: Vec<usize>,
}

/// Cross-validation in `folds` folds: every sample is scored on once, by a model that hasn't seen it (Stone,
/// "Cross-validatory choice and assessment of statistical predictions", 1974).
///
/// For series, whose past must not be judged by their future, there is
/// [`TimeSeriesFolds`](crate::TimeSeriesFolds).
///
/// ```
/// use bessemer_study::KFold;
///
/// let folds = KFold { folds: 2, shuffle: None }.split(5)?;
/// assert_eq!((&folds[0].test[..], &folds[1].test[..]), (&[0, 1, 2][..], &[3, 4][..]));
///
/// // Each fold has as many of each class as can be.
/// let classes = [0, 0, 0, 0, 1, 1];
/// for fold in (KFold { folds: 2, shuffle: Some(7) }).split_stratified(&classes)? {
///     assert_eq!(fold.test.iter().filter(|sample| classes[**sample] == 1).count(), 1);
/// }
/// # Ok::<(), bessemer_study::StudyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KFold {
    /// How many folds there are, at least 2.
    pub folds: usize,
    /// The seed of the order in which samples are dealt out; `None` leaves them as they are.
    pub shuffle: Option<u64>,
}

impl KFold {
    /// Folds of neighbours in the order of dealing; the first ones have one more where they can't be equal.
    ///
    /// # Errors
    /// With fewer than two folds, or fewer samples than folds.
    pub fn split(&self, samples: usize) -> Result<Vec<Fold>> {
        self.check(samples)?;
        let mut fold_of = vec![0; samples];
        for (place, sample) in self.order(samples).into_iter().enumerate() {
            // The inverse of: fold f holds the places f·n/k .. (f + 1)·n/k, with the long folds first.
            let (short, long) = (samples / self.folds, samples % self.folds);
            fold_of[sample] = match place.checked_sub(long * (short + 1)) {
                None => place / (short + 1),
                Some(rest) => long + rest / short,
            };
        }
        Ok(self.folds_of(&fold_of))
    }

    /// Folds that have the same share of each class: `classes` holds the class of every sample. Samples of a
    /// class, and so the folds themselves, differ in number by one at most.
    ///
    /// # Errors
    /// As [`KFold::split`], and where a class has fewer samples than there are folds.
    pub fn split_stratified(&self, classes: &[usize]) -> Result<Vec<Fold>> {
        self.check(classes.len())?;
        let mut order = self.order(classes.len());
        order.sort_by_key(|sample| classes[*sample]); // a stable sort: within a class, as they were dealt
        for same in order.chunk_by(|a, b| classes[*a] == classes[*b]) {
            if same.len() < self.folds {
                let (class, samples) = (classes[same[0]], same.len());
                return Err(StudyError::TooFewOfClass { class, samples, folds: self.folds });
            }
        }
        let mut fold_of = vec![0; classes.len()];
        // Each class goes on at the fold where the one before it ended.
        order.into_iter().enumerate().for_each(|(place, sample)| fold_of[sample] = place % self.folds);
        Ok(self.folds_of(&fold_of))
    }

    fn check(&self, samples: usize) -> Result<()> {
        if self.folds < 2 {
            return Err(StudyError::TooSmall { what: "folds", value: self.folds, minimum: 2 });
        }
        if samples < self.folds {
            return Err(StudyError::TooFewSamples { samples, folds: self.folds });
        }
        Ok(())
    }

    fn order(&self, samples: usize) -> Vec<usize> {
        self.shuffle.map_or_else(|| (0..samples).collect(), |seed| draw::shuffled(samples, seed))
    }

    fn folds_of(&self, fold_of: &[usize]) -> Vec<Fold> {
        let fold = |number| {
            let (test, train) = (0..fold_of.len()).partition(|sample| fold_of[*sample] == number);
            Fold { train, test }
        };
        (0..self.folds).map(fold).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sample_is_scored_on_once(
            folds in 2..8usize,
            more in 0..60usize,
            shuffle in proptest::option::of(any::<u64>()),
            classes in 1..4usize,
        ) {
            let samples = folds * classes + more;
            let division = KFold { folds, shuffle };
            let classes: Vec<usize> = (0..samples).map(|sample| sample % classes).collect();
            for folds in [division.split(samples).unwrap(), division.split_stratified(&classes).unwrap()] {
                let mut scored = vec![0; samples];
                for fold in &folds {
                    prop_assert!((samples / folds.len()..=samples.div_ceil(folds.len())).contains(&fold.test.len()));
                    let mut all = [&fold.train[..], &fold.test[..]].concat();
                    fold.test.iter().for_each(|sample| scored[*sample] += 1);
                    prop_assert!(fold.train.is_sorted() && fold.test.is_sorted());
                    all.sort_unstable();
                    prop_assert!(all.into_iter().eq(0..samples));
                }
                prop_assert!(scored.iter().all(|times| *times == 1));
            }
            for class in 0..*classes.iter().max().unwrap() {
                let of_class = classes.iter().filter(|c| **c == class).count();
                for fold in division.split_stratified(&classes).unwrap() {
                    let count = fold.test.iter().filter(|sample| classes[**sample] == class).count();
                    prop_assert!((of_class / folds..=of_class.div_ceil(folds)).contains(&count));
                }
            }
        }
    }

    #[test]
    fn samples_keep_their_order_unless_a_seed_is_given() {
        let tests = |shuffle| -> Vec<Vec<usize>> {
            let folds = KFold { folds: 3, shuffle }.split(8).unwrap();
            folds.into_iter().map(|fold| fold.test).collect()
        };
        assert_eq!(tests(None), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
        assert_eq!(tests(Some(1)), tests(Some(1)));
        assert_ne!(tests(Some(1)), tests(Some(2)));
    }

    #[test]
    fn what_leaves_a_fold_empty_is_refused() {
        let refused = |folds, classes: &[usize]| {
            KFold { folds, shuffle: None }.split_stratified(classes).unwrap_err().to_string()
        };
        assert_eq!(refused(1, &[0; 9]), "folds is 1; it must be at least 2");
        assert!(refused(3, &[0, 1]).starts_with("2 samples don't fill 3 folds"));
        assert!(refused(3, &[0, 0, 0, 5, 5]).starts_with("class 5: 2 samples, but 3 folds need one each"));
        assert!(KFold { folds: 3, shuffle: Some(1) }.split(2).is_err());
    }
}
