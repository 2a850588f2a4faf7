//! What propagation, credit and radiation cost.

mod caches;
mod searches;

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use bessemer::kernels::random::{Stream, uniform_at};
use bessemer::phase::credit::{Chain, local_slopes, per_node};
use bessemer::phase::data::{Columns, Table};
use bessemer::phase::radiation::{CacheStatistics, Finder, Index, Search};
use bessemer::phase::reader::{Needs, Scan, State, adapt, propagate};
use bessemer::phase::{Classifier, FitOptions, Network, Route, Settings, Ways};
use bessemer::plan::Pool;
use bessemer::train::data::Split;
use serde::Serialize;

use crate::error::Result;
use caches::{Cached, Floored, caches, floored};
pub use searches::{SEARCHES, Searches, searches};

/// Samples that are made up.
const SAMPLES: usize = 256;
/// Features of each.
const FEATURES: usize = 64;
/// Times that all of them are learned from.
const EPOCHS: usize = 2;
/// Times that each measurement is repeated; the fastest counts, as other programs can only slow it down.
const REPEATS: usize = 5;

/// Times of one graph, in microseconds.
#[derive(Debug, Serialize)]
pub struct Costs {
    /// Nodes of the graph.
    pub nodes: usize,
    /// Messages that arrived for a sample.
    pub messages: f64,
    /// Ways that lead from the inputs to an output: √Σw² over the inputs, for one of the samples.
    pub ways: f64,
    /// A sample's signals, radiating by a product of matrices.
    pub propagation_us: f64,
    /// The same, from factors rounded to bf16.
    pub propagation_bf16_us: f64,
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
        columns: Columns {
            features: (0..FEATURES).map(|feature| feature.to_string()).collect(),
            ..Columns::default()
        },
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
    let mut by_index = |index: &Index| {
        spread_all(&mut |first, state| {
            propagate(&view, first, state, &mut finder.on(index), &mut ()).messages
        })
    };
    let propagation_us = by_index(&index);
    let halves = FitOptions { search: Search::ProductBf16, ..FitOptions::default() };
    let propagation_bf16_us = by_index(&Index::new(network, &halves));
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
        ways: Ways::of(&route, &shape, &outputs).from_inputs,
        propagation_us,
        propagation_bf16_us,
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

/// What is said of them.
pub fn render(costs: &Costs, found: &[Searches]) -> String {
    let us = |value: f64| crate::number::seconds(value / 1e6);
    let times = |slow: f64, fast: f64| format!("{:.1} times", slow / fast);
    let Floored { pattern_width, answers, hits, wrong } = costs.floored;
    let part = |some: u64, all: u64| 100.0 * some as f64 / all.max(1) as f64;
    format!(
        "{} nodes, {:.0} messages a sample, {:.0} ways to an output, one thread\n\
         \x20 propagation          {} (from bf16 factors: {}, looking at all nodes: {})\n\
         \x20 training sample      {}\n\
         \x20 chain rule           {}, node by node {}: {}, differing by {:.0e}\n\
         \x20 local credit         {}, node by node {}: {}, differing by {:.0e}\n\n\
         Caches of radiation while training: hits, and entries that made room or were dropped at a step\n\
         {}\n\n\
         With contexts floored to multiples of {pattern_width}, the cache gave {hits} of {answers} answers ({:.1} %); {wrong} ({:.1} %) are wrong.\n\n\
         Finding the best 4 nodes for one sender\n\
         {}\n",
        costs.nodes,
        costs.messages,
        costs.ways,
        us(costs.propagation_us),
        us(costs.propagation_bf16_us),
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
        caches::render(&costs.caches),
        part(hits, answers),
        part(wrong, answers),
        searches::render(found),
    )
}
