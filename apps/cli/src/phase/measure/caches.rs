//! What caches of radiation hit, and whether they pay.

use bessemer::phase::radiation::{CacheStatistics, Finder, Index, LevelStatistics, Radiation};
use bessemer::phase::reader::{Model, Radiate, State, propagate};
use bessemer::phase::{Classifier, FitOptions, Network, Settings};
use comfy_table::Table;
use serde::Serialize;

use super::trained;
use crate::error::Result;
use crate::number;
use crate::table::words;

/// Samples that a lane of a training has.
const LANE: usize = 8;
/// Answers that a cache keeps.
const ANSWERS: usize = 4096;
/// Times that trainings are repeated.
const TURNS: usize = 2;

/// A training with some levels of the cache.
#[derive(Debug, Serialize)]
pub struct Cached {
    /// Which levels are on.
    pub levels: &'static str,
    /// A training sample on one thread.
    pub training_us: f64,
    /// What each level did, of all lanes together.
    pub statistics: CacheStatistics,
    /// The part of all questions to any level that it answered.
    pub hit_rate: f64,
}

/// What comes of taking contexts that are near for the same.
#[derive(Debug, Serialize)]
pub struct Floored {
    /// Indices that make no difference.
    pub pattern_width: usize,
    /// Answers in all.
    pub answers: u64,
    /// Those that the cache gave.
    pub hits: u64,
    /// Those that are not the best nodes.
    pub wrong: u64,
}

/// Trains with one level of the cache after another, in turns, so that what else runs slows all of them. The first
/// is without any.
pub fn caches(settings: &Settings) -> Result<(Classifier, Vec<Cached>)> {
    let options = |patterns, neighbours, candidates| FitOptions {
        cache: ANSWERS * patterns,
        cache_neighbours: settings.nodes() * neighbours,
        cache_candidates: settings.nodes() * candidates,
        ..FitOptions::default()
    };
    let all = [
        ("none", options(0, 0, 0)),
        ("patterns", options(1, 0, 0)),
        ("neighbours", options(0, 1, 0)),
        ("candidates", options(0, 0, 1)),
        ("all three", options(1, 1, 1)),
        ("patterns, floored", FitOptions { pattern_width: width(settings), ..options(1, 0, 0) }),
    ];
    let (classifier, ..) = trained(settings, &all[0].1)?;
    let mut caches: Vec<Cached> = Vec::new();
    for turn in 0..TURNS {
        for (place, (levels, options)) in all.iter().enumerate() {
            let (_, training_us, statistics) = trained(settings, options)?;
            if turn == 0 {
                caches.push(Cached { levels, training_us, statistics, hit_rate: statistics.hit_rate() });
            }
            caches[place].training_us = caches[place].training_us.min(training_us);
        }
    }
    Ok((classifier, caches))
}

/// Of floored contexts: a circle has 128 of them.
fn width(settings: &Settings) -> usize {
    (settings.phases / 128).max(1)
}

/// Holds answers of a cache with floored contexts against the best nodes.
struct Check<'a> {
    floored: Radiation<'a>,
    exact: Radiation<'a>,
    answers: u64,
    wrong: u64,
}

impl Radiate for Check<'_> {
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]) {
        let mut best = vec![0; reached.len()];
        self.floored.radiate(model, sources, context, reached);
        self.exact.radiate(model, sources, context, &mut best);
        let k = model.shape.radiation;
        let answers = reached.chunks_exact(k).zip(best.chunks_exact(k));
        self.answers += sources.len() as u64;
        self.wrong += answers.filter(|(found, best)| found != best).count() as u64;
    }
}

/// Lets samples spread with such a cache, as many after one another as a lane of a training has.
pub fn floored(network: &Network, index: &Index, first: &[Vec<i16>], state: &mut State) -> Floored {
    let pattern_width = width(&network.settings);
    let options = FitOptions { cache: ANSWERS, pattern_width, ..FitOptions::default() };
    let nodes = network.settings.nodes();
    let mut finder = Finder::new(nodes, &options);
    let mut plain = Finder::new(nodes, &FitOptions::default());
    let (mut answers, mut wrong) = (0, 0);
    for lane in first.chunks(LANE) {
        finder.begin(index, false);
        for first in lane {
            let mut check = Check { floored: finder.on(index), exact: plain.on(index), answers, wrong };
            propagate(&network.view(), first, state, &mut check, &mut ());
            (answers, wrong) = (check.answers, check.wrong);
        }
    }
    Floored { pattern_width, answers, hits: finder.statistics().patterns.hits, wrong }
}

/// A row for each level of each training.
pub fn render(caches: &[Cached]) -> Table {
    let header = vec!["on", "training sample", "level", "asked", "hits", "rate", "made room", "dropped"];
    let rows = caches.iter().flat_map(|cached| {
        let CacheStatistics { patterns, neighbours, candidates } = cached.statistics;
        let levels = [("patterns", patterns), ("neighbours", neighbours), ("candidates", candidates)];
        let asked = |level: &LevelStatistics| level.hits + level.misses;
        let mut levels: Vec<_> = levels.into_iter().filter(|(_, level)| asked(level) > 0).collect();
        if levels.len() > 1 {
            levels.push(("together", patterns + neighbours + candidates));
        }
        let mut on = Some((cached.levels.to_string(), number::seconds(cached.training_us / 1e6)));
        let mut row = |name: &str, cells: [String; 5]| {
            let (on, time) = on.take().unwrap_or_default();
            [&[on, name.to_string(), time][..], &cells[..]].concat()
        };
        if levels.is_empty() {
            return vec![row("", Default::default())];
        }
        let count = |value: u64| number::count(value as usize);
        let cells = |(name, level): (&str, LevelStatistics)| {
            let rate = format!("{:.1} %", 100.0 * level.hit_rate());
            let (room, dropped) = (count(level.evictions), count(level.invalidations));
            row(name, [count(asked(&level)), count(level.hits), rate, room, dropped])
        };
        levels.into_iter().map(cells).collect()
    });
    words(header, 2, rows)
}
