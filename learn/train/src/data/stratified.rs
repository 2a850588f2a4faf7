//! Batches that hold every class in proportion.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::permutation::Permutation;
use super::random::seed_of;
use crate::error::TrainError;

/// An order of items in which every stretch from the start holds each class in its proportion, to less than
/// one item; so a batch, wherever it begins, has less than two items of a class too many or too few. Within
/// its class an item's turn is a function of seed and epoch.
///
/// The turns of classes are those of Tijdeman, "The chairman assignment problem", 1980: each item of a class
/// has a first and a last place where it keeps the proportion, and places are given to what must come soonest.
///
/// ```
/// use bessemer_train::data::StratifiedOrder;
///
/// let classes = [0, 1, 0, 0, 0, 1, 0, 0]; // a quarter is of class 1
/// let order = StratifiedOrder::new(&classes, 42)?;
/// for batch in 0..2 {
///     let ones = (4 * batch..4 * batch + 4).filter(|&place| classes[order.item(0, place)] == 1).count();
///     assert_eq!(ones, 1);
/// }
/// # Ok::<(), bessemer_train::TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StratifiedOrder {
    /// Items, class after class.
    members: Vec<usize>,
    /// Where each class begins in them, and where the last ends.
    starts: Vec<usize>,
    /// Of every place, a position in `members`, before classes are shuffled.
    places: Vec<usize>,
    seed: u64,
}

impl StratifiedOrder {
    /// By the class of each item, any numbers.
    ///
    /// # Errors
    /// If there are no items.
    pub fn new(classes: &[u32], seed: u64) -> Result<StratifiedOrder, TrainError> {
        if classes.is_empty() {
            let problem = "there are none to order; give at least one";
            return Err(TrainError::Data { place: "items by class".into(), problem: problem.into() });
        }
        let mut members: Vec<usize> = (0..classes.len()).collect();
        members.sort_by_key(|&item| classes[item]);
        let is_first = |&i: &usize| i == 0 || classes[members[i]] != classes[members[i - 1]];
        let starts: Vec<usize> = (0..members.len()).filter(is_first).chain([members.len()]).collect();
        let places = turns(&starts);
        Ok(StratifiedOrder { members, starts, places, seed })
    }

    /// How many items there are: at least one.
    #[allow(clippy::len_without_is_empty)] // there is at least one
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The item at a place in the order of an epoch.
    ///
    /// # Panics
    /// Where `place` is not below the length.
    pub fn item(&self, epoch: u64, place: usize) -> usize {
        let position = self.places[place];
        let class = self.starts.partition_point(|start| *start <= position) - 1;
        let (start, end) = (self.starts[class], self.starts[class + 1]);
        let order = Permutation::new(end - start, seed_of(self.seed, class), epoch);
        self.members[start + order.get(position - start)]
    }
}

/// For each place, which item of which class has its turn, as a position among the items by class.
///
/// With k classes and D = 2k - 2, item j of a class of n in N may come at place t (counted from 1) once
/// t n / N - j is 1 / D, and must come before it is more than 1 - 1 / D.
fn turns(starts: &[usize]) -> Vec<usize> {
    let all = *starts.last().unwrap_or(&0) as u128;
    let classes = starts.len() - 1;
    let fine = (2 * classes as u128 - 2).max(2);
    let size = |class: usize| (starts[class + 1] - starts[class]) as u128;
    let release = |class: usize, j: u128| ((j * fine + 1) * all).div_ceil(fine * size(class));
    let deadline = |class: usize, j: u128| ((j + 1) * fine - 1) * all / (fine * size(class));
    let mut waiting: BinaryHeap<_> =
        (0..classes).map(|class| Reverse((release(class, 0), class, 0))).collect();
    let mut ready = BinaryHeap::new();
    let mut places = Vec::with_capacity(all as usize);
    for place in 1..=all {
        while let Some(&Reverse((first, class, j))) = waiting.peek()
            && first <= place
        {
            waiting.pop();
            ready.push(Reverse((deadline(class, j), class, j)));
        }
        let Some(Reverse((_, class, j))) = ready.pop() else {
            unreachable!("at every place some class lags behind its proportion")
        };
        places.push(starts[class] + j as usize);
        if j + 1 < size(class) {
            waiting.push(Reverse((release(class, j + 1), class, j + 1)));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Classes of the sizes given, an item of each in turn.
    fn classes(sizes: &[usize]) -> Vec<u32> {
        let longest = sizes.iter().max().copied().unwrap_or(0);
        (0..longest)
            .flat_map(|j| {
                sizes.iter().enumerate().filter(move |(_, n)| j < **n).map(|(class, _)| class as u32)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn every_stretch_holds_each_class_in_proportion(
            sizes in proptest::collection::vec(prop_oneof![1..4usize, 1..200usize], 1..20),
            seed in any::<u64>(),
            epoch in any::<u64>(),
        ) {
            let classes = classes(&sizes);
            let order = StratifiedOrder::new(&classes, seed).unwrap();
            let mut seen = vec![false; classes.len()];
            let mut counts = vec![0usize; sizes.len()];
            for place in 0..order.len() {
                let item = order.item(epoch, place);
                prop_assert!(!std::mem::replace(&mut seen[item], true), "{item} came twice");
                counts[classes[item] as usize] += 1;
                for (count, size) in counts.iter().zip(&sizes) {
                    let fair = (place + 1) as f64 * *size as f64 / classes.len() as f64;
                    prop_assert!((*count as f64 - fair).abs() < 1.0, "{count}, not {fair}, at {place}");
                }
            }
        }
    }

    #[test]
    fn items_of_a_class_take_turns() {
        let classes = classes(&[30, 90]);
        let order = |seed, epoch| {
            let order = StratifiedOrder::new(&classes, seed).unwrap();
            (0..order.len()).map(|place| order.item(epoch, place)).collect::<Vec<_>>()
        };
        assert_eq!(order(1, 3), order(1, 3));
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
        let class = |items: Vec<usize>| items.iter().map(|item| classes[*item]).collect::<Vec<_>>();
        assert_eq!(class(order(1, 0)), class(order(2, 5)), "but classes don't");
    }

    #[test]
    fn nothing_cannot_be_ordered() {
        let refused = StratifiedOrder::new(&[], 1).unwrap_err().to_string();
        assert_eq!(refused, "items by class: there are none to order; give at least one");
    }
}
