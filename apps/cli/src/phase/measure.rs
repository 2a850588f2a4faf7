//! What propagation, credit and radiation cost.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use bessemer::kernels::random::{Stream, uniform_at};
use bessemer::phase::credit::{Chain, local_slopes, per_node};
use bessemer::phase::data::Table;
use bessemer::phase::radiation::{
    Approximate, CacheStatistics, Finder, Index, LevelStatistics, Radiation, Tree, score,
};
use bessemer::phase::reader::{Model, Needs, Radiate, Scan, State, adapt, propagate};
use bessemer::phase::{Classifier, FitOptions, Network, Route, Settings, Tables};
use bessemer::plan::Pool;
use bessemer::train::data::Split;
use serde::Serialize;

use crate::error::Result;

/// Samples that are made up.
const SAMPLES: usize = 256;
/// Features of each.
const FEATURES: usize = 64;
/// Times that all of them are learned from.
const EPOCHS: usize = 2;
/// Samples that a lane of a training has.
const LANE: usize = 8;
/// Answers that a cache keeps.
const ANSWERS: usize = 4096;
/// Times that trainings are repeated.
const TURNS: usize = 2;
/// Times that each measurement is repeated; the fastest counts, as other programs can only slow it down.
const REPEATS: usize = 5;

/// Times of one graph, in microseconds.
#[derive(Debug, Serialize)]
pub struct Costs {
    /// Nodes of the graph.
    pub nodes: usize,
    /// Messages that arrived for a sample.
    pub messages: f64,
    /// A sample's signals, radiating by a product of matrices.
    pub propagation_us: f64,
    /// The same, where every node is looked at for every sender.
    pub propagation_scan_us: f64,
    /// A training sample on one thread: propagation, credit, its part of a step.
    pub training_us: f64,
    /// Credit by the chain rule, in one sweep backwards.
    pub chain_us: f64,
    /// The same for one node after another.
    pub chain_per_node_us: f64,
    /// The largest difference between the two, as a part of the largest slope.
    pub chain_difference: f64,
    /// Local credit of all nodes together.
    pub local_us: f64,
    /// The same for one node after another.
    pub local_per_node_us: f64,
    /// The largest difference between the two.
    pub local_difference: f64,
    /// Radiation's caches while training.
    pub caches: Vec<Cached>,
    /// Answers that are kept by floored contexts.
    pub floored: Floored,
}

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

/// Times of finding where to radiate to among so many nodes, in microseconds for each sender.
#[derive(Debug, Serialize)]
pub struct Searches {
    /// Nodes.
    pub nodes: usize,
    /// Phases of each.
    pub dimensions: usize,
    /// Every node is looked at.
    pub scan_us: f64,
    /// The tree.
    pub tree_us: f64,
    /// Making it, which every change of a phase asks for.
    pub tree_build_us: f64,
    /// The part of the nodes it finds that the scan finds, too.
    pub tree_recall: f64,
    /// The approximate index, as it is by default.
    pub approximate_us: f64,
    /// Making it.
    pub approximate_build_us: f64,
    /// The part that it finds.
    pub approximate_recall: f64,
}

/// Nodes, and phases of each, that searches are measured with.
pub const SEARCHES: [(usize, usize); 5] = [(1_000, 5), (10_000, 5), (100_000, 5), (1_000, 16), (10_000, 16)];

/// The fastest of several runs, in microseconds for each of `count` things.
fn fastest(count: usize, mut work: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..REPEATS).map(time).fold(f64::INFINITY, f64::min) * 1e6 / count as f64
}

fn drawn(site: u32, count: usize, limit: usize) -> impl Iterator<Item = usize> {
    let stream = Stream { seed: 1, step: 0, site };
    (0..count).map(move |i| (f64::from(uniform_at(stream, i as u64)) * limit as f64) as usize)
}

/// Ten classes of blurred patterns.
fn made_up() -> Table {
    let noise: Vec<usize> = drawn(1, SAMPLES * FEATURES, 100).collect();
    let patterns: Vec<usize> = drawn(2, 10 * FEATURES, 2).collect();
    let value =
        |at: usize| patterns[at / FEATURES % 10 * FEATURES + at % FEATURES] as f32 + noise[at] as f32 / 60.0;
    Table {
        names: (0..FEATURES).map(|feature| feature.to_string()).collect(),
        values: (0..SAMPLES * FEATURES).map(value).collect(),
        classes: (0..10).map(|class| class.to_string()).collect(),
        labels: (0..SAMPLES).map(|sample| (sample % 10) as u16).collect(),
        is_image: false,
    }
}

/// Trains for a moment; gives the classifier, the time of a sample in microseconds and how caches did.
fn trained(settings: &Settings, options: &FitOptions) -> Result<(Classifier, f64, CacheStatistics)> {
    let table = made_up();
    let split = Split { train: (0..SAMPLES).collect(), validation: Vec::new(), test: Vec::new() };
    let options = FitOptions { epochs: EPOCHS, ..options.clone() };
    let pool = Pool::new(1);
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let (classifier, history) = Classifier::fit(&table, &split, settings, &options, &pool, go_on)?;
    let each = history.elapsed.as_secs_f64() * 1e6 / (EPOCHS * SAMPLES) as f64;
    Ok((classifier, each, history.cache))
}

/// Trains with one level of the cache after another, in turns, so that what else runs slows all of them. The first
/// is without any.
fn caches(settings: &Settings) -> Result<(Classifier, Vec<Cached>)> {
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
fn floored(network: &Network, index: &Index, first: &[Vec<i16>], state: &mut State) -> Floored {
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

/// Measures a graph of these settings.
pub fn costs(settings: &Settings) -> Result<Costs> {
    let (classifier, caches) = caches(settings)?;
    let training_us = caches[0].training_us;
    let network = &classifier.network;
    let table = made_up();
    let count = 32;
    let mut levels = Vec::new();
    let view = network.view();
    let shape = view.shape;
    let d = shape.dimensions;
    let indices: Vec<Vec<i16>> = (0..count)
        .map(|row| {
            levels.clear();
            classifier.scaler.levels(table.row(row), &mut levels);
            let mut indices = vec![0; shape.rows()];
            adapt(&view, &levels, &mut indices);
            indices
        })
        .collect();
    let needs = Needs::of(&shape);
    let (mut words, mut longs) = (vec![0; needs.indices], vec![0; needs.strengths]);
    let mut lists = vec![0; needs.lists];
    let index = Index::new(network, &FitOptions::default());
    let mut finder = Finder::new(shape.nodes, &FitOptions::default());
    let mut messages = 0;
    let mut spread_all = |radiate: &mut dyn FnMut(&[i16], &mut State) -> u64| {
        messages = 0;
        fastest(count, || {
            messages = 0;
            for first in &indices {
                let (mut state, _) = State::new(&shape, &mut words, &mut longs, &mut lists);
                messages += radiate(first, &mut state);
            }
        })
    };
    let propagation_us = spread_all(&mut |first, state| {
        propagate(&view, first, state, &mut finder.on(&index), &mut ()).messages
    });
    let propagation_scan_us =
        spread_all(&mut |first, state| propagate(&view, first, state, &mut Scan, &mut ()).messages);

    let mut route = Route::default();
    let (mut state, _) = State::new(&shape, &mut words, &mut longs, &mut lists);
    let spread = propagate(&view, &indices[0], &mut state, &mut finder.on(&index), &mut route);
    let active = &state.active[..spread.active];
    let outputs: Vec<u16> = active.iter().copied().filter(|node| view.is_output(*node as usize)).collect();
    let slopes: Vec<f32> = drawn(3, outputs.len() * 2 * d, 1000).map(|x| x as f32 / 500.0 - 1.0).collect();
    let (chain_us, chain_per_node_us, chain_difference) = chains(network, &route, &outputs, &slopes);
    let (local_us, local_per_node_us, local_difference) = locals(network);
    let (mut state, _) = State::new(&shape, &mut words, &mut longs, &mut lists);
    let floored = floored(network, &index, &indices, &mut state);
    Ok(Costs {
        nodes: shape.nodes,
        messages: messages as f64 / count as f64,
        propagation_us,
        propagation_scan_us,
        training_us,
        chain_us,
        chain_per_node_us,
        chain_difference,
        local_us,
        local_per_node_us,
        local_difference,
        caches,
        floored,
    })
}

fn chains(network: &Network, route: &Route, outputs: &[u16], slopes: &[f32]) -> (f64, f64, f64) {
    if outputs.is_empty() {
        return (0.0, 0.0, 0.0);
    }
    let shape = network.view().shape;
    let mut chain = Chain::new(shape.nodes, shape.dimensions);
    let mut own = vec![0.0; 2 * network.phase.len()];
    let mut inputs = vec![0.0; shape.rows()];
    let fast = fastest(20, || {
        for _ in 0..20 {
            own.fill(0.0);
            chain.take_back(route, outputs, slopes, &mut own, &mut inputs);
        }
    });
    let wide: Vec<f64> = slopes.iter().map(|slope| f64::from(*slope)).collect();
    let start = Instant::now();
    let obvious = per_node::chain(route, shape.nodes, outputs, &wide);
    let slow = start.elapsed().as_secs_f64() * 1e6;
    let largest = obvious.iter().fold(1.0, |most: f64, slope| most.max(slope.abs()));
    let gaps = own.iter().zip(&obvious).map(|(a, b)| (f64::from(*a) - b).abs() / largest);
    (fast, slow, gaps.fold(0.0, f64::max))
}

fn locals(network: &Network) -> (f64, f64, f64) {
    let d = network.settings.dimensions;
    let pull: Vec<f32> = (0..d).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect();
    let wide: Vec<f64> = pull.iter().map(|x| f64::from(*x)).collect();
    let mut together = vec![0.0; 2 * network.phase.len()];
    let fast = fastest(20, || {
        for _ in 0..20 {
            local_slopes(
                &network.tables,
                &network.phase,
                &network.magnitude,
                black_box(&pull),
                &mut together,
            );
        }
    });
    let mut apart = Vec::new();
    let slow = fastest(1, || {
        apart.clear();
        for (phase, magnitude) in network.phase.chunks_exact(d).zip(network.magnitude.chunks_exact(d)) {
            apart.extend(per_node::local(&network.tables, phase, magnitude, black_box(&wide)));
        }
    });
    let gaps = together.iter().zip(&apart).map(|(a, b)| (f64::from(*a) - b).abs());
    (fast, slow, gaps.fold(0.0, f64::max))
}

/// Measures searches for the best 4 of so many nodes with random phases.
pub fn searches((nodes, d): (usize, usize)) -> Searches {
    const K: usize = 4;
    const QUERIES: usize = 64;
    let tables = Tables::new(4096, 4096);
    let phase: Vec<i16> = drawn(5, nodes * d, 4096).map(|phase| phase as i16).collect();
    let contexts: Vec<i16> = drawn(6, QUERIES * d, 4096).map(|phase| phase as i16).collect();
    let mut expected = Vec::new();
    let scan_us = fastest(QUERIES, || {
        expected.clear();
        for context in contexts.chunks_exact(d) {
            let mut best: Vec<(i32, u32)> = Vec::with_capacity(K + 1);
            for (node, own) in phase.chunks_exact(d).enumerate() {
                let score = score(&tables.cosines, own, context);
                if best.len() < K || score > best[K - 1].0 {
                    best.truncate(K - 1);
                    let place = best.partition_point(|(other, _)| *other >= score);
                    best.insert(place, (score, node as u32));
                }
            }
            expected.push(best);
        }
    });
    let search = |nearest: &dyn Fn(&[i16], &mut Vec<(i32, u32)>)| {
        let (mut found, mut best) = (0, Vec::new());
        let time = fastest(QUERIES, || {
            found = 0;
            for (context, expected) in contexts.chunks_exact(d).zip(&expected) {
                nearest(context, &mut best);
                found += best.iter().filter(|node| expected.contains(node)).count();
            }
        });
        (time, found as f64 / (QUERIES * K) as f64)
    };
    let start = Instant::now();
    let tree = Tree::new(&tables, &phase, d);
    let tree_build_us = start.elapsed().as_secs_f64() * 1e6;
    let (tree_us, tree_recall) = search(&|context, best| tree.nearest(context, K, |_| true, best));
    let FitOptions { hnsw_m, hnsw_ef, .. } = FitOptions::default();
    let start = Instant::now();
    let index = Approximate::new(&tables, &phase, d, (hnsw_m, hnsw_ef));
    let approximate_build_us = start.elapsed().as_secs_f64() * 1e6;
    let (approximate_us, approximate_recall) =
        search(&|context, best| index.nearest(context, K, |_| true, best));
    Searches {
        nodes,
        dimensions: d,
        scan_us,
        tree_us,
        tree_build_us,
        tree_recall,
        approximate_us,
        approximate_build_us,
        approximate_recall,
    }
}

/// What is said of them.
pub fn render(costs: &Costs, searches: &[Searches]) -> String {
    let us = |value: f64| crate::number::seconds(value / 1e6);
    let times = |slow: f64, fast: f64| format!("{:.1} times", slow / fast);
    let Floored { pattern_width, answers, hits, wrong } = costs.floored;
    let part = |some: u64, all: u64| 100.0 * some as f64 / all.max(1) as f64;
    format!(
        "{} nodes, {:.0} messages a sample, one thread\n\
         \x20 propagation          {} (looking at all nodes: {})\n\
         \x20 training sample      {}\n\
         \x20 chain rule           {}, node by node {}: {}, differing by {:.0e}\n\
         \x20 local credit         {}, node by node {}: {}, differing by {:.0e}\n\n\
         Caches of radiation while training: hits, and entries that made room or were dropped at a step\n\
         {}\n\
         With contexts floored to multiples of {pattern_width}, the cache gave {hits} of {answers} answers ({:.1} %); {wrong} ({:.1} %) are wrong.\n\n\
         Finding the best 4 nodes for one sender\n\
         {}\n",
        costs.nodes,
        costs.messages,
        us(costs.propagation_us),
        us(costs.propagation_scan_us),
        us(costs.training_us),
        us(costs.chain_us),
        us(costs.chain_per_node_us),
        times(costs.chain_per_node_us, costs.chain_us),
        costs.chain_difference,
        us(costs.local_us),
        us(costs.local_per_node_us),
        times(costs.local_per_node_us, costs.local_us),
        costs.local_difference,
        cached(&costs.caches),
        part(hits, answers),
        part(wrong, answers),
        searched(searches),
    )
}

/// A row for each level of each training.
fn cached(caches: &[Cached]) -> String {
    let header = vec!["on", "training sample", "level", "asked", "hits", "rate", "made room", "dropped"];
    let rows = caches.iter().flat_map(|cached| {
        let CacheStatistics { patterns, neighbours, candidates } = cached.statistics;
        let levels = [("patterns", patterns), ("neighbours", neighbours), ("candidates", candidates)];
        let asked = |level: &LevelStatistics| level.hits + level.misses;
        let mut levels: Vec<_> = levels.into_iter().filter(|(_, level)| asked(level) > 0).collect();
        if levels.len() > 1 {
            levels.push(("together", patterns + neighbours + candidates));
        }
        let mut first = [cached.levels.to_string(), crate::number::seconds(cached.training_us / 1e6)];
        let mut row = |cells: [String; 6]| [&std::mem::take(&mut first)[..], &cells[..]].concat();
        if levels.is_empty() {
            return vec![row(Default::default())];
        }
        let count = |value: u64| crate::number::count(value as usize);
        let cells = |(name, level): (&str, LevelStatistics)| {
            let rate = format!("{:.1} %", 100.0 * level.hit_rate());
            let (room, dropped) = (count(level.evictions), count(level.invalidations));
            row([name.to_string(), count(asked(&level)), count(level.hits), rate, room, dropped])
        };
        levels.into_iter().map(cells).collect()
    });
    crate::table::words(header, 1, rows)
}

fn searched(searches: &[Searches]) -> String {
    let us = |value: f64| crate::number::seconds(value / 1e6);
    let rows = searches.iter().map(|s| {
        vec![
            crate::number::count(s.nodes),
            s.dimensions.to_string(),
            us(s.scan_us),
            us(s.tree_us),
            format!("{:.3}", s.tree_recall),
            us(s.tree_build_us),
            us(s.approximate_us),
            format!("{:.3}", s.approximate_recall),
            us(s.approximate_build_us),
        ]
    });
    let header =
        vec!["nodes", "phases", "all nodes", "tree", "recall", "to make", "approximate", "recall", "to make"];
    crate::table::plain(header, rows)
}
