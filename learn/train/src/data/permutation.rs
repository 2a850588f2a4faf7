//! Visiting items in random order without storing the order.

use super::random::{GOLDEN, mix};

/// A permutation of `0..len` that is a function of the length, a seed and an epoch only: the same on every
/// machine, for any number of threads, and after a resumed run, at no memory.
///
/// A six-round Feistel network of the smallest even number of bits that holds `len`, walked along its
/// cycle until it lands below `len` (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
/// At most four times as many numbers as `len` are in its domain, so few steps are walked.
///
/// ```
/// use bessemer_train::data::Permutation;
///
/// let order = Permutation::new(5, 42, 0);
/// let mut seen: Vec<usize> = order.iter().collect();
/// seen.sort();
/// assert_eq!(seen, [0, 1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Permutation {
    len: usize,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

// Four rounds are a pseudo-random permutation where the round function is one (Luby and Rackoff, 1988);
// two more make up for the few bits of a short domain.
const ROUNDS: usize = 6;

impl Permutation {
    /// The order of `len` items in an epoch.
    pub fn new(len: usize, seed: u64, epoch: u64) -> Permutation {
        let bits = usize::BITS - len.saturating_sub(1).leading_zeros();
        let mut state = mix(mix(seed).wrapping_add(epoch));
        let keys = std::array::from_fn(|_| {
            state = state.wrapping_add(GOLDEN);
            mix(state)
        });
        Permutation { len, half_bits: bits.div_ceil(2).max(1), keys }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at a place in the order.
    ///
    /// # Panics
    /// Where `place` is not below the length.
    pub fn get(&self, place: usize) -> usize {
        assert!(place < self.len, "place {place} of {} items", self.len);
        let mut item = self.encrypt(place as u64);
        while item >= self.len as u64 {
            item = self.encrypt(item);
        }
        item as usize
    }

    /// All items in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        (0..self.len).map(|place| self.get(place))
    }

    fn encrypt(&self, number: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (number >> self.half_bits, number & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_item_comes_once(len in 0..3000usize, seed in any::<u64>(), epoch in any::<u64>()) {
            let mut seen = vec![false; len];
            for item in Permutation::new(len, seed, epoch).iter() {
                prop_assert!(!std::mem::replace(&mut seen[item], true), "{item} came twice");
            }
        }
    }

    #[test]
    fn the_order_is_the_same_for_ever() {
        let order: Vec<usize> = Permutation::new(10, 1, 0).iter().collect();
        assert_eq!(order, [1, 4, 7, 2, 8, 5, 3, 6, 9, 0]);
    }

    #[test]
    fn seeds_and_epochs_give_different_orders() {
        let order = |seed, epoch| Permutation::new(1000, seed, epoch).iter().collect::<Vec<_>>();
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
        assert_ne!(order(1, 2), order(2, 1));
    }

    /// Each of 8 items in each of 8 places over 8,000 epochs: 64 cells of 1,000 expected. The statistic is
    /// chi-squared with 49 degrees of freedom, above 85.4 once in a thousand such tests.
    #[test]
    fn items_are_spread_evenly_over_places() {
        let mut counts = [[0f64; 8]; 8];
        for epoch in 0..8000 {
            for (place, item) in Permutation::new(8, 7, epoch).iter().enumerate() {
                counts[place][item] += 1.0;
            }
        }
        let statistic: f64 = counts.iter().flatten().map(|count| (count - 1000.0).powi(2) / 1000.0).sum();
        assert!(statistic < 85.4, "{statistic}");
    }
}
