//! What is true of whole graphs.

mod c_header;
mod credit;
mod learning;
mod propagation;
mod radiation;
mod resume;

use bessemer_kernels::random::{Stream, uniform_at};
use bessemer_phase_reader::State;

use crate::adapter::Adapter;
use crate::codes::Codes;
use crate::graph::Graph;
use crate::memory::Memory;
use crate::network::Network;
use crate::samples::Samples;
use crate::settings::Settings;

/// Whole numbers below `limit`, by seed.
fn drawn(seed: u64, count: usize, limit: usize) -> Vec<i16> {
    let stream = Stream { seed, step: 0, site: 1 };
    (0..count).map(|i| (f64::from(uniform_at(stream, i as u64)) * limit as f64) as i16).collect()
}

/// A small graph whose indices are all random, as those of a trained one may be.
fn random(seed: u64, settings: &Settings) -> Network {
    let count = settings.nodes() * settings.dimensions;
    let levels = drawn(seed, 20 * 7, 256).into_iter().map(|level| level as u8).collect();
    let samples = Samples { features: 7, levels, labels: vec![0; 20] };
    let rows: Vec<usize> = (0..20).collect();
    let adapter = Adapter::random(settings, &samples, &rows, 0.1, seed);
    let codes = Codes::cross_polytope(6, settings.dimensions, settings.phases, seed);
    let indices = (drawn(seed + 1, count, settings.phases), drawn(seed + 2, count, settings.magnitudes));
    Network::assemble(settings.clone(), Graph::random(settings, seed), indices, adapter, codes, 3)
}

fn small() -> Settings {
    Settings {
        intermediate: 30,
        inputs: 10,
        outputs: 8,
        cardinality: 4,
        dimensions: 3,
        phases: 64,
        magnitudes: 32,
        radiation: 2,
        steps_min: 4,
        ..Settings::default()
    }
}

/// First indices of the inputs.
fn indices(seed: u64, network: &Network) -> Vec<i16> {
    let Settings { inputs, dimensions: d, phases, magnitudes, .. } = network.settings;
    let (phase, magnitude) = (drawn(seed + 8, inputs * d, phases), drawn(seed + 9, inputs * d, magnitudes));
    (0..inputs).flat_map(|i| [&phase[i * d..][..d], &magnitude[i * d..][..d]].concat()).collect()
}

/// What is left active, in order of nodes.
fn held(state: &State, active: usize, d: usize) -> Vec<(u16, i32, Vec<i16>)> {
    let mut nodes = state.active[..active].to_vec();
    nodes.sort_unstable();
    let at = |node: u16| node as usize * d..(node as usize + 1) * d;
    let one = |node: u16| {
        let indices = [&state.phase[at(node)], &state.magnitude[at(node)]].concat();
        (node, state.strength[node as usize], indices)
    };
    nodes.into_iter().map(one).collect()
}

fn memory(network: &Network) -> Memory {
    Memory::new(&network.shape)
}
