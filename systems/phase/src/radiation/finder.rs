//! Questions of one thread: through the cache, and to an index where that has no answer.

use bessemer_phase_reader::{Model, Radiate};

use super::exclusion::Exclusions;
use super::level::Level;
use super::{CacheStatistics, Index, Work};
use crate::options::FitOptions;

/// What one thread finds nodes with: buffers, and the three levels of a cache.
///
/// 1. *Patterns*: answers, by sender and context. Any node whose phase has changed may have come among the best k
///    of any sender, so that a new version of the phases makes all of them doubtful, and all are dropped. Contexts
///    may be floored to multiples of [`FitOptions::pattern_width`]; an answer may then be that to another context
///    nearby. As it depends on what was asked before, all answers are then dropped at the beginning of every batch
///    as well.
/// 2. *Neighbours*: for a sender a bit for each node that it may not radiate to.
/// 3. *Candidates*: for a sender a list of all other nodes.
///
/// The latter two are what is read when patterns have no answer, and survive training.
pub struct Finder {
    width: i16,
    /// What contexts are floored to in this batch.
    floor: i16,
    /// The phases of which there are exact answers.
    known: Option<u64>,
    patterns: Level<Box<[i16]>, Box<[u16]>>,
    exclusions: Exclusions,
    key: Vec<i16>,
    unknown: Vec<u16>,
    places: Vec<usize>,
    found: Vec<u16>,
    work: Work,
}

impl Finder {
    /// With a cache as `options` say, for a graph of so many nodes.
    pub fn new(nodes: usize, options: &FitOptions) -> Finder {
        let senders = |entries: usize| entries.min(nodes);
        Finder {
            width: options.pattern_width as i16,
            floor: 1,
            known: None,
            patterns: Level::new(options.cache),
            exclusions: Exclusions::new(senders(options.cache_neighbours), senders(options.cache_candidates)),
            key: Vec::new(),
            unknown: Vec::new(),
            places: Vec::new(),
            found: Vec::new(),
            work: Work::default(),
        }
    }

    /// Begins a batch: drops the answers that may have become wrong. With `exact`, contexts are not floored
    /// whatever the options say.
    pub fn begin(&mut self, index: &Index, exact: bool) {
        self.floor = if exact { 1 } else { self.width };
        let known = (self.floor == 1 && index.is_exact()).then(|| index.version());
        if known.is_none() || known != self.known {
            self.patterns.invalidate();
        }
        self.known = known;
    }

    /// To find nodes in this index, which the batch has begun with.
    pub fn on<'a>(&'a mut self, index: &'a Index) -> Radiation<'a> {
        Radiation { index, finder: self }
    }

    /// What the cache did so far.
    pub fn statistics(&self) -> CacheStatistics {
        let mut statistics = CacheStatistics { patterns: self.patterns.statistics(), ..Default::default() };
        self.exclusions.statistics(&mut statistics);
        statistics
    }
}

/// Where nodes radiate to, by an index and what is remembered of it.
pub struct Radiation<'a> {
    index: &'a Index,
    finder: &'a mut Finder,
}

impl Radiate for Radiation<'_> {
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]) {
        let Finder { patterns, exclusions, floor, key, unknown, places, found, work, .. } = self.finder;
        if !patterns.is_on() {
            return self.index.find(work, model, sources, context, exclusions, reached);
        }
        let (d, k) = (model.shape.dimensions, model.shape.radiation);
        let own = |source: u16| &context[usize::from(source) * d..][..d];
        unknown.clear();
        places.clear();
        for (place, &source) in sources.iter().enumerate() {
            write_key(key, own(source), *floor, source);
            match patterns.get(&key[..]) {
                Some(answer) => reached[place * k..][..k].copy_from_slice(answer),
                None => {
                    unknown.push(source);
                    places.push(place);
                }
            }
        }
        if unknown.is_empty() {
            return;
        }
        found.resize(unknown.len() * k, 0);
        self.index.find(work, model, unknown, context, exclusions, found);
        for ((&source, &place), answer) in unknown.iter().zip(places.iter()).zip(found.chunks_exact(k)) {
            reached[place * k..][..k].copy_from_slice(answer);
            write_key(key, own(source), *floor, source);
            patterns.put(key[..].into(), answer.into());
        }
    }
}

/// A context, floored, and who sends it.
fn write_key(key: &mut Vec<i16>, context: &[i16], floor: i16, source: u16) {
    key.clear();
    key.extend(context.iter().map(|phase| phase - phase % floor));
    key.push(source as i16);
}
