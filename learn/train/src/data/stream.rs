//! Sources that are read in order, shuffled within a buffer.

use std::ops::Range;

use super::permutation::Permutation;
use super::random::{seed_of, word};
use crate::error::TrainError;

/// The most items of a pass, more than any has: for a stream without end.
const MAX_LEN: u64 = 1 << 62;
/// The most items of a stream that are held.
const MAX_BUFFER: u64 = 1 << 32;

/// A source that can only be read in order, pass after pass, of which a buffer is held and shuffled. Which item
/// comes at a position is a function of seed and position, so a training that goes on asks for the position it
/// had come to, and only the part around it is read.
///
/// Each pass is cut into blocks of the buffer's length, and each block is permuted. Where the first cut lies
/// is drawn for every pass, so that neighbours don't stay together for ever.
///
/// ```
/// use bessemer_train::data::ShuffledStream;
///
/// let open = |from: u64| Ok((from..1000).map(Ok)); // or a file, from its line `from` on
/// let mut stream = ShuffledStream::new(open, 1000, 64, 42)?;
/// let third = *stream.item(2)?;
/// let mut resumed = ShuffledStream::new(open, 1000, 64, 42)?;
/// assert_eq!(*resumed.item(2)?, third);
/// # Ok::<(), bessemer_train::TrainError>(())
/// ```
pub struct ShuffledStream<T, I, O> {
    open: O,
    len: u64,
    buffer: u64,
    seed: u64,
    /// Where the reading is, within its pass.
    reading: Option<(u64, I)>,
    held: Option<Block>,
    items: Vec<T>,
}

/// A stretch of a pass.
#[derive(Clone, Debug)]
struct Block {
    epoch: u64,
    places: Range<u64>,
    order: Permutation,
}

impl<T, I, O> ShuffledStream<T, I, O>
where
    I: Iterator<Item = Result<T, TrainError>>,
    O: FnMut(u64) -> Result<I, TrainError>,
{
    /// Of `len` items a pass (2^62 where it never ends), of which up to `buffer` are held; `open` begins to read
    /// at an item.
    ///
    /// # Errors
    /// If there are no items, or none may be held.
    pub fn new(open: O, len: u64, buffer: u64, seed: u64) -> Result<ShuffledStream<T, I, O>, TrainError> {
        if !(1..=MAX_LEN).contains(&len) {
            let (name, remedy) = ("length of the stream", "it must be from 1 to 2^62 items");
            return Err(TrainError::Setting { name, value: len.to_string(), remedy });
        }
        if !(1..=MAX_BUFFER).contains(&buffer) {
            let (name, remedy) = ("shuffle buffer", "it must hold from 1 to 4,294,967,296 items");
            return Err(TrainError::Setting { name, value: buffer.to_string(), remedy });
        }
        Ok(ShuffledStream { open, len, buffer, seed, reading: None, held: None, items: Vec::new() })
    }

    /// The item at a position, counted over all passes.
    ///
    /// # Errors
    /// Those of reading, and if the stream ends before its length.
    pub fn item(&mut self, position: u64) -> Result<&T, TrainError> {
        let (epoch, place) = (position / self.len, position % self.len);
        let held = self.held.take().filter(|held| held.epoch == epoch && held.places.contains(&place));
        let block = match held {
            Some(block) => block,
            None => self.load(epoch, place)?,
        };
        let index = block.order.get((place - block.places.start) as usize);
        self.held = Some(block);
        Ok(&self.items[index])
    }

    /// Reads the block of a place.
    fn load(&mut self, epoch: u64, place: u64) -> Result<Block, TrainError> {
        let offset = word(self.seed, epoch, 0) % self.buffer;
        let number = (place + offset) / self.buffer;
        let start = (number * self.buffer).saturating_sub(offset);
        let end = ((number + 1) * self.buffer - offset).min(self.len);
        let mut reading = match self.reading.take() {
            Some((at, reading)) if at == start => reading,
            _ => (self.open)(start)?,
        };
        self.items.clear();
        for at in start..end {
            let item = reading.next().unwrap_or_else(|| {
                let problem = format!("it ends after {at} items, but was said to have {}", self.len);
                Err(TrainError::Data { place: "stream".into(), problem })
            });
            self.items.push(item?);
        }
        self.reading = Some((end, reading));
        let order = Permutation::new((end - start) as usize, seed_of(self.seed, number as usize), epoch);
        Ok(Block { epoch, places: start..end, order })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_item_comes_once_a_pass_and_not_far_from_its_place(
            len in 1..300u64,
            buffer in 1..400u64,
            seed in any::<u64>(),
            epoch in 0..1000u64,
        ) {
            let open = |from: u64| Ok((from..len).map(Ok));
            let mut stream = ShuffledStream::new(open, len, buffer, seed).unwrap();
            let mut seen = vec![false; len as usize];
            for place in 0..len {
                let item = *stream.item(epoch * len + place).unwrap();
                prop_assert!(!std::mem::replace(&mut seen[item as usize], true), "{item} came twice");
                prop_assert!(item.abs_diff(place) < buffer);
                prop_assert!(stream.items.len() as u64 <= buffer);
            }
        }

        #[test]
        fn a_position_is_skipped_to_exactly(start in 0..1000u64, seed in any::<u64>()) {
            let open = |from: u64| Ok((from..300).map(Ok));
            let mut whole = ShuffledStream::new(open, 300, 40, seed).unwrap();
            let mut resumed = ShuffledStream::new(open, 300, 40, seed).unwrap();
            let all: Vec<u64> = (0..1100).map(|position| *whole.item(position).unwrap()).collect();
            for position in start..start + 100 {
                prop_assert_eq!(*resumed.item(position).unwrap(), all[position as usize]);
            }
        }
    }

    #[test]
    fn what_lies_before_a_position_is_not_read() {
        let read = Cell::new(0);
        let open = |from: u64| {
            Ok((from..1 << 62).map(|item| {
                read.set(read.get() + 1);
                Ok(item)
            }))
        };
        let mut stream = ShuffledStream::new(open, 1 << 62, 100, 5).unwrap();
        for position in 1_000_000..1_000_200 {
            stream.item(position).unwrap();
        }
        assert!((200..=300).contains(&read.get()), "{}", read.get());
    }

    #[test]
    fn passes_are_cut_differently() {
        let open = |from: u64| Ok((from..1000).map(Ok));
        let mut stream = ShuffledStream::new(open, 1000, 10, 3).unwrap();
        // With cuts at the same places, two items of different blocks would keep their order in every pass.
        // For ten items and 20 passes, neighbours share a block in some and not in others.
        let mut orders = std::collections::HashSet::new();
        for epoch in 0..20 {
            let at = |item: u64, stream: &mut ShuffledStream<_, _, _>| {
                (0..1000).position(|place| *stream.item(epoch * 1000 + place).unwrap() == item)
            };
            orders.insert(at(499, &mut stream) < at(500, &mut stream));
        }
        assert_eq!(orders.len(), 2);
    }

    #[test]
    fn errors_of_reading_arrive_and_an_early_end_is_one() {
        let broken = |from: u64| {
            Ok((from..50).map(|item| match item {
                42 => Err(TrainError::Data { place: "line 43".into(), problem: "is empty".into() }),
                item => Ok(item),
            }))
        };
        let mut stream = ShuffledStream::new(broken, 50, 8, 1).unwrap();
        let first = (0..50).find_map(|position| stream.item(position).err()).unwrap();
        assert_eq!(first.to_string(), "line 43: is empty");
        assert!(stream.item(0).is_ok(), "other parts can still be read");

        let mut short = ShuffledStream::new(|from: u64| Ok((from..50).map(Ok)), 60, 8, 1).unwrap();
        let first = (0..60).find_map(|position| short.item(position).err()).unwrap();
        assert_eq!(first.to_string(), "stream: it ends after 50 items, but was said to have 60");
        for (len, buffer, expected) in [
            (0, 1, "length of the stream is 0: it must be from 1 to 2^62 items"),
            (1, 0, "shuffle buffer is 0: it must hold from 1 to 4,294,967,296 items"),
        ] {
            let refused = ShuffledStream::new(|from: u64| Ok((from..50).map(Ok)), len, buffer, 1);
            assert_eq!(refused.err().unwrap().to_string(), expected);
        }
    }
}
