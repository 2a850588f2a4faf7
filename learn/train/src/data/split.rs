//! Which items train, validate and test.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::permutation::Permutation;
use super::source::Source;
use crate::error::TrainError;

/// Leaks that an error names.
const NAMED: usize = 3;

/// Three disjoint parts of a source, as numbers of items.
///
/// ```
/// use bessemer_train::data::{Duplicates, Split};
///
/// let texts = ["a", "b", "c", "d", "a"];
/// let split = Split::by_fraction(texts.len(), 0.2, 0.2, 42)?;
/// assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (3, 1, 1));
///
/// let split = Split::by_time(&[1, 2, 3, 4, 5], 4, 5)?; // rows up to time 3 train, time 4 validates
/// assert_eq!((&split.train[..], &split.validation[..], &split.test[..]), (&[0, 1, 2][..], &[3][..], &[4][..]));
/// assert!(split.check(&texts[..], Duplicates::Refuse).is_err());
/// assert_eq!(split.check(&texts[..], Duplicates::Allow)?, 1);
/// # Ok::<(), bessemer_train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What weights are fitted to.
    pub train: Vec<usize>,
    /// What chooses among them.
    pub validation: Vec<usize>,
    /// What they are scored on.
    pub test: Vec<usize>,
}

/// What becomes of items that are in two parts of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// They are an error.
    Refuse,
    /// They are counted.
    Allow,
}

impl Split {
    /// Items drawn at random: a fraction of them validates and another one tests, both rounded down.
    ///
    /// # Errors
    /// If a fraction is out of bounds, a part that is asked for would be empty, or none is left to train on.
    pub fn by_fraction(items: usize, validation: f64, test: f64, seed: u64) -> Result<Split, TrainError> {
        let groups: Vec<usize> = (0..items).collect();
        Split::by_group(&groups, validation, test, seed)
    }

    /// Whole groups drawn at random, such as all items of a customer, until no other fits into the fraction of
    /// the items that validates, then the one that tests; no group is in two parts.
    ///
    /// # Errors
    /// If a fraction is out of bounds, a part that is asked for would be empty, or none is left to train on.
    pub fn by_group<G: Hash + Eq>(
        groups: &[G],
        validation: f64,
        test: f64,
        seed: u64,
    ) -> Result<Split, TrainError> {
        for (name, fraction) in [("validation fraction", validation), ("test fraction", test)] {
            if !(0.0..1.0).contains(&fraction) {
                let remedy = "it must be at least 0 and less than 1";
                return Err(TrainError::Setting { name, value: fraction.to_string(), remedy });
            }
        }
        // Groups are numbered in order of appearance, so that nothing depends on how they are hashed.
        let mut numbers = HashMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (item, group) in groups.iter().enumerate() {
            let number = *numbers.entry(group).or_insert(members.len());
            if number == members.len() {
                members.push(Vec::new());
            }
            members[number].push(item);
        }
        let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
        let room = |fraction: f64| (groups.len() as f64 * fraction) as usize;
        for group in Permutation::new(members.len(), seed, 0).iter() {
            let group = &members[group];
            let fits = |part: &Vec<usize>, fraction| part.len() + group.len() <= room(fraction);
            let part = match () {
                () if fits(&split.validation, validation) => &mut split.validation,
                () if fits(&split.test, test) => &mut split.test,
                () => &mut split.train,
            };
            part.extend(group);
        }
        // In order of number, what is near in memory is read together.
        for part in [&mut split.train, &mut split.validation, &mut split.test] {
            part.sort_unstable();
        }
        let asked = [("training", true), ("validation", validation > 0.0), ("test", test > 0.0)];
        split.refuse_empty(asked, || format!("{} items in {} groups", groups.len(), members.len()))?;
        Ok(split)
    }

    /// By the time of each item: what is earlier than `validation` trains, what is earlier than `test`
    /// validates, the rest tests. Times need not be in order.
    ///
    /// # Errors
    /// If a part would be empty, unless both cuts are the same and there is no validation.
    pub fn by_time<T: PartialOrd>(times: &[T], validation: T, test: T) -> Result<Split, TrainError> {
        let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
        for (item, time) in times.iter().enumerate() {
            let part = match () {
                () if *time < validation => &mut split.train,
                () if *time < test => &mut split.validation,
                () => &mut split.test,
            };
            part.push(item);
        }
        let asked = [("training", true), ("validation", validation != test), ("test", true)];
        split.refuse_empty(asked, || format!("{} items by time", times.len()))?;
        Ok(split)
    }

    fn refuse_empty(&self, asked: [(&str, bool); 3], place: impl Fn() -> String) -> Result<(), TrainError> {
        let parts = [&self.train, &self.validation, &self.test];
        match asked.iter().zip(parts).find(|((_, asked), part)| *asked && part.is_empty()) {
            None => Ok(()),
            Some(((name, _), _)) => {
                let problem = format!("none is left for {name}; move the cuts, or have more items or groups");
                Err(TrainError::Data { place: place(), problem })
            }
        }
    }

    /// Looks for items that are in two parts, be it under different numbers: what was learned by heart would
    /// look like skill. Gives how many of the later parts are in an earlier one.
    ///
    /// # Errors
    /// If there are any, unless they are allowed, or an item cannot be read.
    pub fn check<'a, S>(&self, source: &'a S, duplicates: Duplicates) -> Result<usize, TrainError>
    where
        S: Source + ?Sized,
        S::Item<'a>: Hash + Eq,
    {
        let parts = [("training", &self.train), ("validation", &self.validation), ("test", &self.test)];
        let mut first: HashMap<S::Item<'a>, (&str, usize)> = HashMap::new();
        let (mut count, mut named) = (0, Vec::new());
        for (part, items) in parts {
            for &item in items {
                match first.entry(source.item(item)?) {
                    Entry::Vacant(place) => _ = place.insert((part, item)),
                    Entry::Occupied(place) if place.get().0 != part => {
                        count += 1;
                        if named.len() < NAMED {
                            let (earlier, same) = place.get();
                            named.push(format!("item {item} of {part} is item {same} of {earlier}"));
                        }
                    }
                    Entry::Occupied(_) => {}
                }
            }
        }
        if count == 0 || duplicates == Duplicates::Allow {
            return Ok(count);
        }
        let more =
            if count > named.len() { format!(" and {} more", count - named.len()) } else { String::new() };
        let problem = format!("{}{more}; remove them, split by group, or allow duplicates", named.join(", "));
        Err(TrainError::Data { place: "split".into(), problem })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_group_is_in_two_parts(
            groups in proptest::collection::vec(0..40u32, 60..300),
            seed in any::<u64>(),
        ) {
            // Some draws leave a part without a group that fits.
            let Ok(split) = Split::by_group(&groups, 0.2, 0.3, seed) else { return Ok(()) };
            let mut part_of = HashMap::new();
            let mut seen = vec![false; groups.len()];
            for (part, items) in [&split.train, &split.validation, &split.test].into_iter().enumerate() {
                for &item in items {
                    prop_assert!(!std::mem::replace(&mut seen[item], true));
                    prop_assert_eq!(*part_of.entry(groups[item]).or_insert(part), part);
                }
            }
            prop_assert!(seen.iter().all(|seen| *seen));
            prop_assert!(split.validation.len() <= groups.len() / 5);
            prop_assert!(split.test.len() * 10 <= groups.len() * 3);
            prop_assert_eq!(Split::by_group(&groups, 0.2, 0.3, seed).unwrap(), split);
        }

        #[test]
        fn fractions_are_those_of_the_items(items in 10..2000usize, seed in any::<u64>()) {
            let split = Split::by_fraction(items, 0.1, 0.25, seed).unwrap();
            prop_assert_eq!(split.validation.len(), (items as f64 * 0.1) as usize);
            prop_assert_eq!(split.test.len(), (items as f64 * 0.25) as usize);
            let mut all = [split.train, split.validation, split.test].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..items).collect::<Vec<_>>());
        }

        #[test]
        fn everything_before_a_cut_trains(times in proptest::collection::vec(0..100i64, 50..200)) {
            let Ok(split) = Split::by_time(&times, 60, 80) else { return Ok(()) };
            let latest = |part: &[usize]| part.iter().map(|item| times[*item]).max().unwrap();
            let earliest = |part: &[usize]| part.iter().map(|item| times[*item]).min().unwrap();
            prop_assert!(latest(&split.train) < 60 && 60 <= earliest(&split.validation));
            prop_assert!(latest(&split.validation) < 80 && 80 <= earliest(&split.test));
        }
    }

    #[test]
    fn seeds_give_different_parts() {
        let part = |seed| Split::by_fraction(100, 0.2, 0.0, seed).unwrap().validation;
        assert_ne!(part(1), part(2));
    }

    #[test]
    fn parts_that_are_empty_are_refused() {
        let group = |groups: &[u32], validation, test| Split::by_group(groups, validation, test, 1);
        for (split, expected) in [
            (group(&[7; 10], 0.1, 0.0), "10 items in 1 groups: none is left for validation"),
            (group(&[1, 2], 0.5, 0.5), "2 items in 2 groups: none is left for training"),
            (group(&[], 0.0, 0.0), "0 items in 0 groups: none is left for training"),
            (group(&[1, 2], 1.5, 0.5), "validation fraction is 1.5: it must be at least 0 and less than 1"),
            (group(&[1, 2], 0.5, f64::NAN), "test fraction is NaN: it must be at least 0 and less than 1"),
            (Split::by_time(&[1, 2, 3], 2, 2), ""),
            (Split::by_time(&[1, 2, 3], 3, 4), "3 items by time: none is left for test"),
            (Split::by_time(&[f64::NAN], 3.0, 4.0), "1 items by time: none is left for training"),
        ] {
            let said = split.err().map_or(String::new(), |error| error.to_string());
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{said}");
        }
    }

    #[test]
    fn duplicates_across_parts_are_named_and_within_parts_are_not() {
        let texts = ["a", "a", "b", "b", "c", "a", "b", "c", "c"];
        let split = Split { train: vec![0, 1, 2], validation: vec![3, 4], test: vec![5, 6, 7, 8] };
        let said = split.check(&texts[..], Duplicates::Refuse).unwrap_err().to_string();
        assert_eq!(
            said,
            "split: item 3 of validation is item 2 of training, item 5 of test is item 0 of training, \
             item 6 of test is item 2 of training and 2 more; remove them, split by group, or allow duplicates"
        );
        assert_eq!(split.check(&texts[..], Duplicates::Allow).unwrap(), 5);
        let clean = Split { train: vec![0, 1], validation: vec![2, 3], test: vec![4] };
        assert_eq!(clean.check(&texts[..], Duplicates::Refuse).unwrap(), 0);
    }
}
