//! Samples as a graph takes them.

/// Samples with their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// Levels of a sample.
    pub features: usize,
    /// `[samples, features]`, 0 to 255.
    pub levels: Vec<u8>,
    /// The class of each, counted from 0.
    pub labels: Vec<u16>,
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The levels of one.
    pub fn sample(&self, number: usize) -> &[u8] {
        &self.levels[number * self.features..][..self.features]
    }
}
