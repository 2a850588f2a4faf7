use std::collections::BTreeMap;

use bessemer_phase_reader::{Scan, propagate};
use proptest::prelude::*;

use super::{drawn, held, indices, memory, random, small};
use crate::network::Network;
use crate::settings::Settings;

/// A node's strength and indices, phases before magnitudes.
type Held = BTreeMap<usize, (i64, Vec<i64>)>;

/// The rules, as they are written down, over maps of nodes.
fn obvious(network: &Network, indices: &[i16]) -> (u32, Held) {
    let Settings { inputs, dimensions: d, phases, magnitudes, outputs, .. } = network.settings;
    let (nodes, k) = (network.settings.nodes(), network.settings.radiation);
    let circle = |i: usize| if i < d { phases } else { magnitudes } as i64;
    let own = |node: usize| -> Vec<i64> {
        let at = node * d..(node + 1) * d;
        network.phase[at.clone()].iter().chain(&network.magnitude[at]).map(|i| i64::from(*i)).collect()
    };
    let add = |a: &[i64], b: &[i64]| -> Vec<i64> {
        a.iter().zip(b).enumerate().map(|(i, (a, b))| (a + b).rem_euclid(circle(i))).collect()
    };
    let mut active: Held = (0..inputs)
        .map(|node| {
            (node, (1 << 16, indices[node * 2 * d..][..2 * d].iter().map(|i| i64::from(*i)).collect()))
        })
        .collect();
    let mut steps = 0;
    while steps < network.shape.steps_max && !active.is_empty() {
        steps += 1;
        let mut messages: Vec<(usize, Vec<i64>)> = Vec::new();
        for (&source, (_, context)) in active.iter().filter(|(node, _)| **node < nodes - outputs) {
            let near: Vec<usize> = network.graph.targets(source).iter().map(|node| *node as usize).collect();
            let score = |node: usize| -> i64 {
                let turned = add(context, &own(node));
                turned[..d].iter().map(|phase| i64::from(network.tables.cosines[*phase as usize])).sum()
            };
            let mut far: Vec<usize> =
                (0..nodes).filter(|node| *node != source && !near.contains(node)).collect();
            far.sort_by_key(|node| (-score(*node), *node));
            far.truncate(k);
            for target in near.into_iter().chain(far) {
                messages.push((target, add(context, &own(target))));
            }
        }
        let mut arriving: Held = BTreeMap::new();
        for (target, message) in messages {
            let signal = |i: usize| {
                let cosine = i64::from(network.tables.cosines[message[i] as usize]);
                (cosine * i64::from(network.tables.sizes[message[d + i] as usize])) >> 10
            };
            let strength: i64 = (0..d).map(signal).sum();
            if strength > 0 {
                let sum = arriving.entry(target).or_insert((0, vec![0; 2 * d]));
                *sum = (sum.0 + strength, add(&sum.1, &message));
            }
        }
        for (target, (strength, message)) in arriving {
            let sum = active.entry(target).or_insert((0, vec![0; 2 * d]));
            *sum = (sum.0 + strength, add(&sum.1, &message));
        }
        active.values_mut().for_each(|held| held.0 = (held.0 * i64::from(network.shape.decay)) >> 16);
        active.retain(|_, held| held.0 >= i64::from(network.shape.strength_min));
        if steps >= network.shape.steps_min && active.keys().any(|node| *node >= nodes - outputs) {
            break;
        }
    }
    (steps, active)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn signals_spread_by_the_rules(seed in 0..1000u64, radiation in 0..4usize, dimensions in 1..6usize) {
        let network = random(seed, &Settings { radiation, dimensions, ..small() });
        let indices = indices(seed, &network);
        let mut memory = memory(&network);
        // What is left of the sample before makes no difference.
        for _ in 0..2 {
            let mut state = memory.state();
            let spread = propagate(&network.view(), &indices, &mut state, &mut Scan, &mut ());
            let found: Held = held(&state, spread.active, dimensions)
                .into_iter()
                .map(|(node, strength, at)| (node as usize, (strength.into(), at.into_iter().map(i64::from).collect())))
                .collect();
            prop_assert_eq!((spread.steps, found), obvious(&network, &indices));
        }
    }

    /// Edges listed in another order are the same graph.
    #[test]
    fn messages_add_up_in_any_order(seed in 0..1000u64) {
        let mut network = random(seed, &small());
        let indices = indices(seed, &network);
        let run = |network: &Network| {
            let mut memory = memory(network);
            let mut state = memory.state();
            let spread = propagate(&network.view(), &indices, &mut state, &mut Scan, &mut ());
            held(&state, spread.active, 3)
        };
        let before = run(&network);
        for node in 0..network.graph.nodes() {
            let edges = network.graph.first[node] as usize..network.graph.first[node + 1] as usize;
            network.graph.targets[edges].reverse();
        }
        prop_assert_eq!(run(&network), before);
    }
}

/// The adapter's products of floats are those of integers, over several blocks of features.
#[test]
fn indices_are_exact() {
    let settings = small();
    for features in [1, 7, 513, 1100] {
        let levels: Vec<u8> = drawn(3, 5 * features, 256).into_iter().map(|level| level as u8).collect();
        let samples = crate::Samples { features, levels, labels: vec![0; 5] };
        let mut adapter = crate::Adapter::random(&settings, &samples, &[0, 1, 2], 0.1, 4);
        // The largest sums there can be.
        adapter.weights[..features].fill(127);
        let network = random(4, &settings);
        let network = Network::assemble(
            settings.clone(),
            network.graph,
            (network.phase.to_vec(), network.magnitude),
            adapter,
            network.codes,
            0,
        );
        let floats: Vec<f32> = samples.levels.iter().map(|level| f32::from(*level)).collect();
        let mut fast = Vec::new();
        let pool = bessemer_kernels::pool::Pool::new(2);
        network.adapter.indices(&settings, &floats, &pool, &mut fast);
        let mut slow = vec![0; network.shape.rows()];
        for (row, fast) in fast.chunks_exact(slow.len()).enumerate() {
            bessemer_phase_reader::adapt(&network.view(), samples.sample(row), &mut slow);
            assert_eq!(fast, slow);
        }
    }
}
