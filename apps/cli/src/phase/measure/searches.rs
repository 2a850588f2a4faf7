//! What finding the best of many nodes takes.

use std::time::Instant;

use bessemer::phase::radiation::{Approximate, Found, Tree, score};
use bessemer::phase::{FitOptions, Tables};
use comfy_table::Table;
use serde::Serialize;

use super::{drawn, fastest};
use crate::number;
use crate::table::plain;

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
    let search = |nearest: &dyn Fn(&[i16], &mut Found)| {
        let (mut found, mut best) = (0, Found::new());
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

/// A row for each.
pub fn render(searches: &[Searches]) -> Table {
    let us = |value: f64| number::seconds(value / 1e6);
    let rows = searches.iter().map(|s| {
        vec![
            number::count(s.nodes),
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
    plain(header, rows)
}
