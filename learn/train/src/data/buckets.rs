//! Batches of sequences of like length.

use std::ops::Range;

use super::padding::{Padding, padded_len};
use super::permutation::Permutation;
use super::random::seed_of;
use super::source::Source;
use crate::error::TrainError;

/// The most tokens of which a sequence is padded to a multiple.
const MAX_MULTIPLE: usize = 1 << 16;

/// How large a batch of sequences is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// So many sequences.
    Samples(usize),
    /// As many sequences as keep their tokens, padding included, within a number.
    Tokens(usize),
}

/// How batches of sequences are formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketOptions {
    /// How large a batch is.
    pub size: BatchSize,
    /// Items of neighbouring length that are shuffled together. The more there are, the more padding, and
    /// the freer the choice of what meets in a batch; of all items together, lengths have no part in it.
    pub window: usize,
    /// Lengths are padded to a multiple of this.
    pub multiple: usize,
    /// Of the shuffling.
    pub seed: u64,
}

/// Batches of items of like length, every item once an epoch: which items meet, and which batch comes when, is
/// a function of the seed and the batch's number.
///
/// Items are put in order of length once and cut into windows. In every epoch each window is shuffled and
/// cut into batches, and these come in random order, so that every epoch has the same number of batches. The
/// last one of a window may be smaller than others; with [`BatchSize::Samples`] that is only the very last.
///
/// ```
/// use bessemer_train::TrainError;
/// use bessemer_train::data::{BatchSize, BucketOptions, LengthBuckets, Source};
///
/// struct Texts;
///
/// impl Source for Texts {
///     type Item<'a> = ();
///     fn len(&self) -> usize {
///         1000
///     }
///     fn item(&self, _: usize) -> Result<(), TrainError> {
///         Ok(())
///     }
///     fn tokens(&self, number: usize) -> usize {
///         3 + number % 58
///     }
/// }
///
/// let options = BucketOptions { size: BatchSize::Samples(10), window: 50, multiple: 1, seed: 42 };
/// let batches = LengthBuckets::new(&Texts, options)?;
/// let mut items = Vec::new();
/// batches.items(0, &mut items);
/// assert_eq!((batches.epoch(), items.len()), (100, 10));
/// let shuffled = LengthBuckets::new(&Texts, BucketOptions { window: 1000, ..options })?;
/// assert!(batches.padding(0).share() < 0.04 && shuffled.padding(0).share() > 0.3);
/// # Ok::<(), TrainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LengthBuckets {
    /// Items and their lengths, the shortest first.
    items: Vec<(usize, usize)>,
    buckets: Vec<Bucket>,
    options: BucketOptions,
    batches: u64,
}

/// A window of the items.
#[derive(Clone, Debug)]
struct Bucket {
    places: Range<usize>,
    /// In each batch.
    samples: usize,
    /// The number of its first batch, before batches are shuffled.
    first: u64,
}

impl LengthBuckets {
    /// Of the items of a source, by their length in tokens.
    ///
    /// # Errors
    /// If there are no items, a setting is 0, or one item has more tokens than a batch may have.
    pub fn new<S: Source + ?Sized>(source: &S, options: BucketOptions) -> Result<LengthBuckets, TrainError> {
        let BucketOptions { size, window, multiple, seed: _ } = options;
        let (BatchSize::Samples(most) | BatchSize::Tokens(most)) = size;
        for (name, value) in [("batch size", most), ("window", window)] {
            if value == 0 {
                return Err(TrainError::Setting { name, value: "0".into(), remedy: "it must be at least 1" });
            }
        }
        if !(1..=MAX_MULTIPLE).contains(&multiple) {
            let (name, remedy) = ("multiple", "it must be from 1 to 65,536");
            return Err(TrainError::Setting { name, value: multiple.to_string(), remedy });
        }
        if source.is_empty() {
            let problem = "there is no item to make batches of";
            return Err(TrainError::Data { place: "sequences".into(), problem: problem.into() });
        }
        let mut items: Vec<(usize, usize)> =
            (0..source.len()).map(|item| (item, source.tokens(item).min(usize::MAX / 2))).collect();
        // Items of the same length stay in order, whatever the sorting does.
        items.sort_unstable_by_key(|&(item, tokens)| (tokens, item));
        let window = match size {
            BatchSize::Samples(samples) => (window / samples).max(1).saturating_mul(samples),
            BatchSize::Tokens(_) => window,
        };
        let mut buckets = Vec::with_capacity(items.len().div_ceil(window));
        let mut first = 0;
        let mut start = 0;
        while start < items.len() {
            let places = start..start.saturating_add(window).min(items.len());
            let (item, longest) = items[places.end - 1];
            let samples = match size {
                BatchSize::Samples(samples) => samples,
                BatchSize::Tokens(budget) => budget / padded_len(longest, multiple),
            };
            if samples == 0 {
                let problem = format!(
                    "it has {longest} tokens, {} with padding, but a batch may have {most}; \
                     shorten it or allow more",
                    padded_len(longest, multiple)
                );
                return Err(TrainError::Data { place: format!("item {item}"), problem });
            }
            start = places.end;
            let batches = places.len().div_ceil(samples) as u64;
            buckets.push(Bucket { places, samples, first });
            first += batches;
        }
        Ok(LengthBuckets { items, buckets, options, batches: first })
    }

    /// Batches in an epoch.
    pub fn epoch(&self) -> u64 {
        self.batches
    }

    /// The items of a batch, counted from 0 over all epochs.
    pub fn items(&self, batch: u64, items: &mut Vec<usize>) {
        items.clear();
        items.extend(self.batch(batch).map(|(item, _)| item));
    }

    /// How much padding an epoch has if each batch is padded to its longest sequence or the next multiple.
    pub fn padding(&self, epoch: u64) -> Padding {
        let mut padding = Padding::default();
        for batch in epoch * self.batches..(epoch + 1) * self.batches {
            let (mut count, mut longest) = (0, 0);
            for (_, tokens) in self.batch(batch) {
                count += 1;
                longest = longest.max(tokens);
                padding.tokens += tokens as u64;
            }
            padding.padded += count * padded_len(longest, self.options.multiple) as u64;
        }
        padding
    }

    /// The items of a batch and their lengths.
    fn batch(&self, number: u64) -> impl Iterator<Item = (usize, usize)> + '_ {
        let (epoch, place) = (number / self.batches, number % self.batches);
        let seed = self.options.seed;
        let batch = Permutation::new(self.batches as usize, seed, epoch).get(place as usize) as u64;
        let which = self.buckets.partition_point(|bucket| bucket.first <= batch) - 1;
        let Bucket { places, samples, first } = &self.buckets[which];
        let order = Permutation::new(places.len(), seed_of(seed, which), epoch);
        let start = (batch - first) as usize * samples;
        let end = (start + samples).min(places.len());
        (start..end).map(move |place| self.items[places.start + order.get(place)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sequences of these lengths.
    struct Lengths(Vec<usize>);

    impl Source for Lengths {
        type Item<'a> = ();

        fn len(&self) -> usize {
            self.0.len()
        }

        fn item(&self, _: usize) -> Result<(), TrainError> {
            Ok(())
        }

        fn tokens(&self, number: usize) -> usize {
            self.0[number]
        }
    }

    fn sizes() -> impl Strategy<Value = BatchSize> {
        prop_oneof![(1..40usize).prop_map(BatchSize::Samples), (64..512usize).prop_map(BatchSize::Tokens)]
    }

    proptest! {
        #[test]
        fn every_item_comes_once_an_epoch_in_batches_of_the_size(
            lengths in proptest::collection::vec(0..60usize, 1..400),
            size in sizes(),
            window in 1..500usize,
            multiple in 1..5usize,
            seed in any::<u64>(),
            epoch in 0..1000u64,
        ) {
            let options = BucketOptions { size, window, multiple, seed };
            let source = Lengths(lengths);
            let batches = LengthBuckets::new(&source, options).unwrap();
            let (mut seen, mut items) = (vec![false; source.len()], Vec::new());
            let (mut tokens, mut padded, mut partial) = (0, 0, 0);
            for number in epoch * batches.epoch()..(epoch + 1) * batches.epoch() {
                batches.items(number, &mut items);
                prop_assert!(!items.is_empty());
                let longest = items.iter().map(|item| source.0[*item]).max().unwrap();
                let space = items.len() * padded_len(longest, multiple);
                match size {
                    BatchSize::Samples(samples) => {
                        prop_assert!(items.len() <= samples);
                        partial += u32::from(items.len() < samples);
                    }
                    BatchSize::Tokens(budget) => prop_assert!(space <= budget),
                }
                padded += space as u64;
                for &item in &items {
                    prop_assert!(!std::mem::replace(&mut seen[item], true), "{item} came twice");
                    tokens += source.0[item] as u64;
                }
            }
            prop_assert!(seen.iter().all(|seen| *seen));
            prop_assert!(partial <= 1);
            prop_assert_eq!(batches.padding(epoch), Padding { tokens, padded });
        }
    }

    #[test]
    fn a_batch_depends_on_the_seed_and_its_number_alone() {
        let source = Lengths((0..500).map(|item| 3 + item * 7 % 58).collect());
        let options = BucketOptions { size: BatchSize::Samples(8), window: 64, multiple: 1, seed: 1 };
        let made = |seed, epoch: u64| {
            let batches = LengthBuckets::new(&source, BucketOptions { seed, ..options }).unwrap();
            let mut items = Vec::new();
            let numbers = epoch * batches.epoch()..(epoch + 1) * batches.epoch();
            let all = numbers.map(|number| {
                batches.items(number, &mut items);
                items.clone()
            });
            all.collect::<Vec<_>>()
        };
        assert_eq!(made(1, 4), made(1, 4));
        assert_ne!(made(1, 0), made(1, 1));
        assert_ne!(made(1, 0), made(2, 0));
        // Not only the order of batches is another, but also what meets in them.
        let contents = |mut batches: Vec<Vec<usize>>| {
            batches.iter_mut().for_each(|batch| batch.sort_unstable());
            batches.sort_unstable();
            batches
        };
        assert_ne!(contents(made(1, 0)), contents(made(1, 1)));
    }

    #[test]
    fn what_fits_no_batch_is_refused_by_name() {
        let options = BucketOptions { size: BatchSize::Tokens(10), window: 2, multiple: 4, seed: 1 };
        for (lengths, options, expected) in [
            (
                vec![3, 9, 2],
                options,
                "item 1: it has 9 tokens, 12 with padding, but a batch may have 10; shorten it or allow more",
            ),
            (vec![], options, "sequences: there is no item to make batches of"),
            (vec![1], BucketOptions { window: 0, ..options }, "window is 0: it must be at least 1"),
            (
                vec![1],
                BucketOptions { size: BatchSize::Samples(0), ..options },
                "batch size is 0: it must be at least 1",
            ),
            (
                vec![1],
                BucketOptions { multiple: 1 << 20, ..options },
                "multiple is 1048576: it must be from 1 to 65,536",
            ),
        ] {
            assert_eq!(LengthBuckets::new(&Lengths(lengths), options).unwrap_err().to_string(), expected);
        }
    }
}
