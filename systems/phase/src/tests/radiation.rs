use bessemer_phase_reader::{Radiate, Scan};
use proptest::prelude::*;

use super::{drawn, random, small};
use crate::radiation::{Product, Radiation, Tree};
use crate::settings::Settings;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Few steps of a circle make many scores equal, so that ties are decided, too.
    #[test]
    fn all_searches_find_the_same_nodes(
        seed in 0..1000u64,
        k in 1..7usize,
        d in 1..6usize,
        steps in prop::sample::select(vec![4usize, 8, 64, 4096]),
    ) {
        let network = random(seed, &Settings { radiation: k, dimensions: d, phases: steps, ..small() });
        let nodes = network.shape.nodes;
        let context = drawn(seed + 5, nodes * d, steps);
        let sources: Vec<u16> = (0..nodes as u16).step_by(3).collect();
        let view = network.view();
        let find = |search: &mut dyn FnMut(&mut [u16])| {
            let mut reached = vec![0; sources.len() * k];
            search(&mut reached);
            reached
        };
        let expected = find(&mut |reached| Scan.radiate(&view, &sources, &context, reached));
        let mut product = Product::new(&network.tables);
        product.refresh(&network.phase, d);
        prop_assert_eq!(&find(&mut |reached| product.radiate(&view, &sources, &context, reached)), &expected);
        let mut tree = Tree::new(&network.tables, &network.phase, d);
        prop_assert_eq!(&find(&mut |reached| tree.radiate(&view, &sources, &context, reached)), &expected);
        // Room for a few answers only, so that some are forgotten.
        let mut cached = Radiation::new(&network, 5);
        cached.refresh(&network);
        for _ in 0..2 {
            prop_assert_eq!(&find(&mut |reached| cached.radiate(&view, &sources, &context, reached)), &expected);
        }
    }
}

#[test]
fn the_cache_counts_and_forgets() {
    let mut network = random(1, &small());
    let context = drawn(2, network.phase.len(), 64);
    let mut cached = Radiation::new(&network, 100);
    let mut reached = vec![0; 6];
    let mut ask = |network: &crate::Network, cached: &mut Radiation, sources: &[u16]| {
        cached.refresh(network);
        cached.radiate(&network.view(), sources, &context, &mut reached);
        let counts = cached.statistics();
        ((counts.hits, counts.misses), reached[..2].to_vec())
    };
    assert_eq!(ask(&network, &mut cached, &[1, 2, 3]).0, (0, 3));
    assert_eq!(ask(&network, &mut cached, &[3, 2, 4]).0, (2, 4));
    // The node that was best turns away: an answer that was kept would be wrong.
    let (_, best) = ask(&network, &mut cached, &[1, 2, 3]);
    for phase in &mut network.phase[best[0] as usize * 3..][..3] {
        *phase = (*phase + 32) % 64;
    }
    let (counts, after) = ask(&network, &mut cached, &[1, 2, 3]);
    assert_eq!(counts, (5, 7));
    assert!(!after.contains(&best[0]));
    assert_eq!(cached.statistics().hit_rate(), 5.0 / 12.0);
}
