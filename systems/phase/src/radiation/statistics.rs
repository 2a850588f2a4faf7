//! What caches of radiation did.

use std::ops::Add;

use serde::Serialize;

/// What one level of a cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LevelStatistics {
    /// Questions that it answered.
    pub hits: u64,
    /// Questions that it did not; each leaves an entry.
    pub misses: u64,
    /// Entries that made room for others: those that were not asked for the longest.
    pub evictions: u64,
    /// Entries that were dropped because they may have become wrong.
    pub invalidations: u64,
}

impl LevelStatistics {
    /// The part of its questions that it answered; 0 if there were none.
    pub fn hit_rate(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses).max(1) as f64
    }
}

/// What the levels of a cache did. A question goes to patterns first; what these cannot answer goes to candidates,
/// and what is new to these to neighbours. A level that is off is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheStatistics {
    /// Answers, by sender and context.
    pub patterns: LevelStatistics,
    /// Senders' neighbours.
    pub neighbours: LevelStatistics,
    /// Nodes that senders may radiate to.
    pub candidates: LevelStatistics,
}

impl CacheStatistics {
    /// The part of all questions, to any level, that was answered there.
    pub fn hit_rate(&self) -> f64 {
        (self.patterns + self.neighbours + self.candidates).hit_rate()
    }
}

impl Add for LevelStatistics {
    type Output = LevelStatistics;

    fn add(self, other: LevelStatistics) -> LevelStatistics {
        LevelStatistics {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            evictions: self.evictions + other.evictions,
            invalidations: self.invalidations + other.invalidations,
        }
    }
}

impl Add for CacheStatistics {
    type Output = CacheStatistics;

    fn add(self, other: CacheStatistics) -> CacheStatistics {
        CacheStatistics {
            patterns: self.patterns + other.patterns,
            neighbours: self.neighbours + other.neighbours,
            candidates: self.candidates + other.candidates,
        }
    }
}
