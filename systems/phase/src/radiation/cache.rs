//! What radiation found before, kept for as long as no phase changes.

use std::num::NonZeroUsize;
use std::ops::Add;

use bessemer_phase_reader::{Model, Radiate};
use lru::LruCache;
use serde::Serialize;

/// How often something was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheStatistics {
    /// Questions that were answered from the cache.
    pub hits: u64,
    /// Questions that were not.
    pub misses: u64,
    /// Times that all was forgotten, as phases had changed.
    pub invalidations: u64,
}

impl CacheStatistics {
    /// The part of all questions that were answered from the cache.
    pub fn hit_rate(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses).max(1) as f64
    }
}

impl Add for CacheStatistics {
    type Output = CacheStatistics;

    fn add(self, other: CacheStatistics) -> CacheStatistics {
        CacheStatistics {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            invalidations: self.invalidations + other.invalidations,
        }
    }
}

/// Answers by sender and exact context; of more than fit, the one that was not asked for the longest goes.
///
/// Static neighbours need no cache, as they are a slice of the graph, and neither do lists of candidates, as
/// none are made: whoever searches leaves out neighbours where it meets them.
pub(super) struct Cache {
    answers: LruCache<(u16, Vec<i16>), Vec<u16>>,
    statistics: CacheStatistics,
    unknown: Vec<u16>,
    places: Vec<usize>,
    found: Vec<u16>,
}

impl Cache {
    pub fn new(entries: NonZeroUsize) -> Cache {
        Cache {
            answers: LruCache::new(entries),
            statistics: CacheStatistics::default(),
            unknown: Vec::new(),
            places: Vec::new(),
            found: Vec::new(),
        }
    }

    pub fn invalidate(&mut self) {
        self.answers.clear();
        self.statistics.invalidations += 1;
    }

    pub fn statistics(&self) -> CacheStatistics {
        self.statistics
    }

    pub fn radiate(
        &mut self,
        search: &mut impl Radiate,
        model: &Model,
        sources: &[u16],
        context: &[i16],
        reached: &mut [u16],
    ) {
        let (d, k) = (model.shape.dimensions, model.shape.radiation);
        let key = |source: u16| (source, context[source as usize * d..][..d].to_vec());
        self.unknown.clear();
        self.places.clear();
        for (place, &source) in sources.iter().enumerate() {
            match self.answers.get(&key(source)) {
                Some(answer) => reached[place * k..][..k].copy_from_slice(answer),
                None => {
                    self.unknown.push(source);
                    self.places.push(place);
                }
            }
        }
        self.statistics.hits += (sources.len() - self.unknown.len()) as u64;
        self.statistics.misses += self.unknown.len() as u64;
        if self.unknown.is_empty() {
            return;
        }
        self.found.resize(self.unknown.len() * k, 0);
        search.radiate(model, &self.unknown, context, &mut self.found);
        for ((&source, &place), answer) in
            self.unknown.iter().zip(&self.places).zip(self.found.chunks_exact(k))
        {
            reached[place * k..][..k].copy_from_slice(answer);
            self.answers.put(key(source), answer.to_vec());
        }
    }
}
