use std::ops::ControlFlow;

use bessemer_kernels::pool::Pool;
use bessemer_phase_reader::{Model, Radiate, Scan, score};
use proptest::prelude::*;

use super::learning::table;
use super::{drawn, random, small};
use crate::radiation::{CacheStatistics, Finder, Index, LevelStatistics, Search};
use crate::settings::Settings;
use crate::{Classifier, FitOptions, Network};

/// A small cache of each of the levels that are named by bits.
fn levels(bits: usize, entries: usize) -> FitOptions {
    let size = |bit: usize| if bits >> bit & 1 == 1 { entries } else { 0 };
    FitOptions {
        cache: size(0),
        cache_neighbours: size(1),
        cache_candidates: size(2),
        ..FitOptions::default()
    }
}

fn find(radiate: &mut impl Radiate, model: &Model, sources: &[u16], context: &[i16]) -> Vec<u16> {
    let mut reached = vec![0; sources.len() * model.shape.radiation];
    radiate.radiate(model, sources, context, &mut reached);
    reached
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Few steps of a circle make many scores equal, so that ties are decided, too.
    #[test]
    fn all_searches_find_the_same_nodes(
        seed in 0..1000u64,
        k in 1..7usize,
        d in 1..6usize,
        steps in prop::sample::select(vec![4usize, 8, 64, 4096]),
        bits in 0..8usize,
    ) {
        let network = random(seed, &Settings { radiation: k, dimensions: d, phases: steps, ..small() });
        let nodes = network.shape.nodes;
        let context = drawn(seed + 5, nodes * d, steps);
        let sources: Vec<u16> = (0..nodes as u16).step_by(3).collect();
        let view = network.view();
        let expected = find(&mut Scan, &view, &sources, &context);
        for search in [Search::Auto, Search::Product, Search::ProductBf16, Search::Tree] {
            // Room for a few only, so that some are forgotten.
            let options = FitOptions { search, ..levels(bits, 5) };
            let index = Index::new(&network, &options);
            prop_assert!(index.is_exact());
            let mut finder = Finder::new(nodes, &options);
            for _ in 0..2 {
                finder.begin(&index, false);
                let found = find(&mut finder.on(&index), &view, &sources, &context);
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    /// Every answer that was missed is kept, until it makes room or is dropped.
    #[test]
    fn every_entry_is_accounted_for(seed in 0..1000u64, entries in 1..40usize, bits in 0..8usize) {
        let mut network = random(seed, &small());
        let options = levels(bits, entries);
        let mut index = Index::new(&network, &options);
        let mut finder = Finder::new(network.shape.nodes, &options);
        let mut asked = 0;
        for round in 0..6 {
            let context = drawn(seed + round / 2, network.phase.len(), 64);
            let sources: Vec<u16> = (0..network.shape.nodes as u16).step_by(2 + round as usize % 2).collect();
            finder.begin(&index, false);
            find(&mut finder.on(&index), &network.view(), &sources, &context);
            asked += sources.len() as u64;
            if round == 3 {
                network.phase.write()[0] ^= 1;
                index.refresh(&network);
            }
        }
        let CacheStatistics { patterns, neighbours, candidates } = finder.statistics();
        let total = |level: LevelStatistics| level.hits + level.misses;
        for level in [patterns, neighbours, candidates] {
            let held = level.misses - level.evictions - level.invalidations;
            prop_assert!(held <= entries as u64);
        }
        // What one level misses is what the next is asked.
        let missed = if bits & 1 == 1 { patterns.misses } else { asked };
        prop_assert_eq!(total(patterns), if bits & 1 == 1 { asked } else { 0 });
        prop_assert_eq!(total(candidates), if bits & 4 == 4 { missed } else { 0 });
        let missed = if bits & 4 == 4 { candidates.misses } else { missed };
        prop_assert_eq!(total(neighbours), if bits & 2 == 2 { missed } else { 0 });
    }
}

fn level(hits: u64, misses: u64, evictions: u64, invalidations: u64) -> LevelStatistics {
    LevelStatistics { hits, misses, evictions, invalidations }
}

/// One batch of questions.
fn ask(network: &Network, index: &mut Index, finder: &mut Finder, sources: &[u16]) -> Vec<u16> {
    let context = drawn(2, network.phase.len(), 64);
    index.refresh(network);
    finder.begin(index, false);
    find(&mut finder.on(index), &network.view(), sources, &context)
}

#[test]
fn the_cache_counts_and_forgets() {
    let mut network = random(1, &small());
    let options = FitOptions { cache: 4, cache_neighbours: 3, cache_candidates: 2, ..FitOptions::default() };
    let mut index = Index::new(&network, &options);
    let mut finder = Finder::new(network.shape.nodes, &options);
    let statistics = |patterns, candidates, neighbours| CacheStatistics { patterns, neighbours, candidates };

    // Candidates keep 2 and 3.
    ask(&network, &mut index, &mut finder, &[1, 2, 3]);
    assert_eq!(finder.statistics(), statistics(level(0, 3, 0, 0), level(0, 3, 1, 0), level(0, 3, 0, 0)));
    // 4 is new: among candidates it takes the place of 2, among neighbours that of 1.
    ask(&network, &mut index, &mut finder, &[3, 2, 4]);
    assert_eq!(finder.statistics(), statistics(level(2, 4, 0, 0), level(0, 4, 2, 0), level(0, 4, 1, 0)));
    let best = ask(&network, &mut index, &mut finder, &[1])[0];
    assert_eq!(finder.statistics(), statistics(level(3, 4, 0, 0), level(0, 4, 2, 0), level(0, 4, 1, 0)));
    // The node that was best turns away: an answer that was kept would be wrong. Edges are as they were: 4 is among
    // the candidates, 2 not, but among the neighbours, and 1 nowhere.
    for phase in &mut network.phase.write()[best as usize * 3..][..3] {
        *phase = (*phase + 32) % 64;
    }
    let after = ask(&network, &mut index, &mut finder, &[4, 2, 1]);
    assert!(!after[4..].contains(&best));
    assert_eq!(after, find(&mut Scan, &network.view(), &[4, 2, 1], &drawn(2, network.phase.len(), 64)));
    assert_eq!(finder.statistics(), statistics(level(3, 7, 0, 4), level(1, 6, 4, 0), level(1, 5, 2, 0)));
    assert_eq!(finder.statistics().hit_rate(), 5.0 / 23.0);
}

/// With contexts floored, an answer may be that to another context, and is never carried to the next batch or to
/// where the graph is scored.
#[test]
fn floored_contexts_share_answers_within_a_batch() {
    let network = random(1, &small());
    let options = FitOptions { cache: 100, pattern_width: 4, ..FitOptions::default() };
    let index = Index::new(&network, &options);
    let mut finder = Finder::new(network.shape.nodes, &options);
    let first: Vec<i16> = drawn(2, network.phase.len(), 64).iter().map(|phase| phase | 1).collect();
    let floored: Vec<i16> = first.iter().map(|phase| phase - phase % 4).collect();
    let view = network.view();
    let sources: Vec<u16> = (0..40).collect();
    let exact = [&first, &floored].map(|context| find(&mut Scan, &view, &sources, context));
    assert_ne!(exact[0], exact[1]);
    finder.begin(&index, false);
    assert_eq!(find(&mut finder.on(&index), &view, &sources, &first), exact[0]);
    assert_eq!(find(&mut finder.on(&index), &view, &sources, &floored), exact[0]);
    assert_eq!(finder.statistics().patterns, level(40, 40, 0, 0));
    finder.begin(&index, false);
    assert_eq!(find(&mut finder.on(&index), &view, &sources, &floored), exact[1]);
    finder.begin(&index, true);
    for (context, exact) in [&first, &floored].into_iter().zip(&exact) {
        assert_eq!(&find(&mut finder.on(&index), &view, &sources, context), exact);
    }
    assert_eq!(finder.statistics().patterns, level(40, 160, 0, 80));
    // Exact answers last as long as phases do.
    finder.begin(&index, true);
    assert_eq!(find(&mut finder.on(&index), &view, &sources, &first), exact[0]);
    assert_eq!(finder.statistics().patterns, level(80, 160, 0, 80));
}

/// A width that covers all nodes finds all that can be reached.
#[test]
fn an_approximate_index_finds_nearly_all_and_nothing_that_is_barred() {
    let settings = Settings { intermediate: 1000, dimensions: 5, radiation: 4, phases: 4096, ..small() };
    let network = random(3, &settings);
    let context = drawn(4, network.phase.len(), 4096);
    let sources: Vec<u16> = (0..1000).step_by(5).collect();
    let view = network.view();
    let expected = find(&mut Scan, &view, &sources, &context);
    let found = |hnsw_ef: usize| {
        let options = FitOptions { search: Search::Approximate, hnsw_ef, ..FitOptions::default() };
        let index = Index::new(&network, &options);
        assert!(!index.is_exact() && Index::exact(&network, &options).is_exact());
        let mut finder = Finder::new(network.shape.nodes, &options);
        finder.begin(&index, false);
        find(&mut finder.on(&index), &view, &sources, &context)
    };
    let recall = |found: &[u16]| {
        let pairs = found.chunks_exact(4).zip(expected.chunks_exact(4));
        pairs.map(|(a, b)| a.iter().filter(|node| b.contains(node)).count()).sum::<usize>() as f64 / 800.0
    };
    let few = found(4);
    assert_eq!(few, found(4), "the same again");
    for (&source, nodes) in sources.iter().zip(few.chunks_exact(4)) {
        assert!(nodes.iter().all(|node| *node != source && !view.leads(source.into(), *node)));
        let own = &context[usize::from(source) * 5..][..5];
        assert!(nodes.is_sorted_by_key(|node| (-score(&view, own, (*node).into()), *node)));
    }
    let (few, all) = (recall(&few), recall(&found(1018)));
    assert!(few > 0.6 && few < all && all > 0.99, "{few} and {all}");
}

fn fitted(options: &FitOptions, threads: usize) -> (Vec<u8>, Vec<usize>, CacheStatistics) {
    let table = table();
    let split = bessemer_train::data::Split::by_fraction(table.len(), 0.2, 0.2, 5).unwrap();
    let settings =
        Settings { inputs: 12, intermediate: 40, outputs: 10, radiation: 3, ..Settings::default() };
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let pool = Pool::new(threads);
    let (classifier, history) = Classifier::fit(&table, &split, &settings, options, &pool, go_on).unwrap();
    let answers = classifier.classify(&table, &split.test, &pool).unwrap().0;
    (classifier.export(), answers, history.cache)
}

/// Training, validation and test, to the last bit; and what was counted does not depend on threads either.
#[test]
fn no_level_changes_a_result() {
    let base = FitOptions { epochs: 2, ..FitOptions::default() };
    let (graph, answers, statistics) = fitted(&base, 1);
    assert_eq!(statistics, CacheStatistics::default());
    for bits in 1..8 {
        for entries in [7, 5000] {
            let options = FitOptions { epochs: 2, ..levels(bits, entries) };
            let one = fitted(&options, 1);
            assert_eq!((&one.0, &one.1), (&graph, &answers));
            let CacheStatistics { patterns, neighbours, candidates } = one.2;
            assert_eq!(patterns.misses > 0, bits & 1 == 1);
            assert_eq!(patterns.invalidations > 0, bits & 1 == 1, "at every step");
            assert_eq!(candidates.hits > 0, bits & 4 == 4);
            assert_eq!(neighbours.misses > 0, bits & 2 == 2);
            assert_eq!(neighbours.invalidations + candidates.invalidations, 0);
            assert_eq!(fitted(&options, 2), one);
        }
    }
}

/// What may give other answers gives the same ones on any number of threads.
#[test]
fn inexact_training_repeats_itself() {
    let base = FitOptions { epochs: 2, ..FitOptions::default() };
    let exact = fitted(&base, 1);
    let floored = FitOptions { cache: 500, pattern_width: 512, ..base.clone() };
    let approximate = FitOptions { search: Search::Approximate, hnsw_m: 4, hnsw_ef: 3, ..base };
    for options in [floored, approximate] {
        let one = fitted(&options, 1);
        assert_ne!(one.0, exact.0);
        for threads in [1, 2, 3] {
            assert_eq!(fitted(&options, threads), one);
        }
    }
}
