//! One level of a cache.

use std::borrow::Borrow;
use std::hash::Hash;
use std::num::NonZeroUsize;

use lru::LruCache;

use super::LevelStatistics;

/// Entries of which the one that was not asked for the longest makes room, and a count of all that happens.
pub(super) struct Level<K: Hash + Eq, V> {
    /// None if the level is off.
    entries: Option<LruCache<K, V>>,
    statistics: LevelStatistics,
}

impl<K: Hash + Eq, V> Level<K, V> {
    /// Of so many entries; 0 turns it off.
    pub fn new(entries: usize) -> Level<K, V> {
        let entries = NonZeroUsize::new(entries).map(LruCache::new);
        Level { entries, statistics: LevelStatistics::default() }
    }

    pub fn is_on(&self) -> bool {
        self.entries.is_some()
    }

    pub fn statistics(&self) -> LevelStatistics {
        self.statistics
    }

    /// A question.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let found = self.entries.as_mut()?.get(key);
        match found {
            Some(_) => self.statistics.hits += 1,
            None => self.statistics.misses += 1,
        }
        found
    }

    /// What is there, without a question.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.as_ref()?.peek(key)
    }

    /// Keeps the answer to a question that was missed.
    pub fn put(&mut self, key: K, value: V) {
        if let Some(entries) = &mut self.entries {
            self.statistics.evictions += u64::from(entries.len() == entries.cap().get());
            entries.push(key, value);
        }
    }

    /// Drops all entries.
    pub fn invalidate(&mut self) {
        if let Some(entries) = &mut self.entries {
            self.statistics.invalidations += entries.len() as u64;
            entries.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<K: Hash + Eq, V>(level: &Level<K, V>) -> [u64; 4] {
        let LevelStatistics { hits, misses, evictions, invalidations } = level.statistics();
        [hits, misses, evictions, invalidations]
    }

    /// In a queue, in order of arrival, 1 would go.
    #[test]
    fn what_was_not_asked_for_the_longest_goes() {
        let mut level = Level::new(3);
        for key in [1, 2, 3] {
            assert_eq!(level.get(&key), None);
            level.put(key, 10 * key);
        }
        assert_eq!(level.get(&1), Some(&10));
        // To look is not to ask.
        assert_eq!(level.peek(&2), Some(&20));
        assert_eq!(level.get(&4), None);
        level.put(4, 40);
        assert_eq!(counts(&level), [1, 4, 1, 0]);
        assert_eq!([1, 2, 3, 4].map(|key| level.peek(&key).copied()), [Some(10), None, Some(30), Some(40)]);
        assert_eq!(level.get(&3), Some(&30));
        assert_eq!(level.get(&2), None);
        level.put(2, 20);
        assert_eq!([1, 2, 3, 4].map(|key| level.peek(&key).is_some()), [false, true, true, true]);
        level.invalidate();
        level.invalidate();
        assert_eq!(level.get(&3), None);
        assert_eq!(counts(&level), [2, 6, 2, 3]);
        assert_eq!(level.statistics().hit_rate(), 0.25);
    }

    #[test]
    fn a_level_that_is_off_counts_nothing() {
        let mut level = Level::new(0);
        assert!(!level.is_on() && level.get(&1).is_none());
        level.put(1, 1);
        level.invalidate();
        assert_eq!(counts(&level), [0; 4]);
        assert_eq!(level.statistics().hit_rate(), 0.0);
    }
}
