//! What there is to learn from: items that can be had by number.

use crate::error::TrainError;

/// Items by number.
///
/// ```
/// use bessemer_train::data::{Source, Subset};
///
/// let words = ["one", "two", "three"];
/// let last = Subset::new(&words[..], vec![2]);
/// assert_eq!((last.len(), *last.item(0)?), (1, "three"));
/// # Ok::<(), bessemer_train::TrainError>(())
/// ```
pub trait Source {
    /// An item, or a view of one.
    type Item<'a>
    where
        Self: 'a;

    /// How many items there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item of a number, which is below the length.
    ///
    /// # Errors
    /// If it cannot be read.
    fn item(&self, number: usize) -> Result<Self::Item<'_>, TrainError>;

    /// The item's length in tokens, by which batches of sequences are formed.
    fn tokens(&self, _number: usize) -> usize {
        1
    }
}

impl<T> Source for [T] {
    type Item<'a>
        = &'a T
    where
        T: 'a;

    fn len(&self) -> usize {
        self.len()
    }

    fn item(&self, number: usize) -> Result<&T, TrainError> {
        Ok(&self[number])
    }
}

/// Some items of a source, such as those that train.
#[derive(Debug)]
pub struct Subset<'a, S: ?Sized> {
    source: &'a S,
    numbers: Vec<usize>,
}

impl<'a, S: Source + ?Sized> Subset<'a, S> {
    /// Items by their numbers in the source.
    pub fn new(source: &'a S, numbers: Vec<usize>) -> Subset<'a, S> {
        Subset { source, numbers }
    }
}

impl<S: Source + ?Sized> Source for Subset<'_, S> {
    type Item<'b>
        = S::Item<'b>
    where
        Self: 'b;

    fn len(&self) -> usize {
        self.numbers.len()
    }

    fn item(&self, number: usize) -> Result<S::Item<'_>, TrainError> {
        self.source.item(self.numbers[number])
    }

    fn tokens(&self, number: usize) -> usize {
        self.source.tokens(self.numbers[number])
    }
}
