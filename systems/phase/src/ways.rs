//! How many ways lead to an output.

use bessemer_phase_reader::{Shape, propagate};

use crate::adapter::Adapter;
use crate::codes::Codes;
use crate::credit::Chain;
use crate::graph::Graph;
use crate::memory::Memory;
use crate::network::Network;
use crate::options::FitOptions;
use crate::radiation::{Finder, Index};
use crate::route::Route;
use crate::settings::Settings;

/// The most outputs that are looked at, an even number.
const OUTPUTS: usize = 32;

/// What an output holds is a sum over all ways that lead to it, of messages and of holding on from step to step:
/// of the first indices of the inputs where they begin, and of the nodes' own indices at every message. So a
/// change of an index counts at the output once for each of the ways that it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ways {
    /// √Σw² over the inputs, w being the ways from an input to an output: what the standard deviation of the
    /// inputs' indices is multiplied by, if they vary independently. The root of the mean square over outputs.
    pub from_inputs: f64,
    /// Σw over the nodes: what an output moves by if the own indices of all nodes move by one. The mean over
    /// outputs.
    pub from_nodes: f64,
}

impl Ways {
    /// The ways that messages of one sample took, to active `outputs`, of which the first 32 are counted.
    pub fn of(route: &Route, shape: &Shape, outputs: &[u16]) -> Ways {
        let outputs = &outputs[..outputs.len().min(OUTPUTS)];
        // The chain rule with a slope of 1 for one output in each column counts them all in one sweep.
        let mut slopes = vec![0.0; outputs.len() * OUTPUTS];
        slopes.chunks_exact_mut(OUTPUTS).enumerate().for_each(|(output, row)| row[output] = 1.0);
        let mut own = vec![0.0; shape.nodes * OUTPUTS];
        let mut inputs = vec![0.0; shape.inputs * OUTPUTS];
        let mut chain = Chain::new(shape.nodes, OUTPUTS / 2);
        chain.take_back(route, outputs, &slopes, &mut own, &mut inputs);
        let count = outputs.len().max(1) as f64;
        let squares: f64 = inputs.iter().map(|ways| f64::from(*ways).powi(2)).sum();
        let all: f64 = own.iter().map(|ways| f64::from(*ways)).sum();
        Ways { from_inputs: (squares / count).sqrt(), from_nodes: all / count }
    }

    /// Those of a new graph, counted while a sample spreads that has the mean of all features. At least 1 each.
    pub(crate) fn at_rest(settings: &Settings, seed: u64) -> Ways {
        let centres = Adapter::centres(settings, seed);
        let bias = centres.iter().map(|index| i32::from(*index)).collect();
        let adapter = Adapter { weights: vec![0; centres.len()], bias, shift: 0 };
        let codes = Codes::cross_polytope(2, settings.dimensions, settings.phases, seed);
        let (graph, indices) = (Graph::random(settings, seed), Network::first_indices(settings, seed));
        let network = Network::assemble(settings.clone(), graph, indices, adapter, codes, 0);
        let options = FitOptions::default();
        let index = Index::exact(&network, &options);
        let mut finder = Finder::new(network.shape.nodes, &options);
        let (mut memory, mut route) = (Memory::new(&network.shape), Route::default());
        let (mut state, view) = (memory.state(), network.view());
        let spread = propagate(&view, &centres, &mut state, &mut finder.on(&index), &mut route);
        let mut outputs = state.active[..spread.active].to_vec();
        outputs.retain(|node| view.is_output(*node as usize));
        let ways = Ways::of(&route, &network.shape, &outputs);
        // Signals that go round for many steps can have more ways than a float counts.
        let bounded = |ways: f64| ways.clamp(1.0, 1e9);
        Ways { from_inputs: bounded(ways.from_inputs), from_nodes: bounded(ways.from_nodes) }
    }
}

#[cfg(test)]
mod tests {
    use bessemer_phase_reader::Watch;

    use super::*;

    /// Inputs 0 and 1, node 2, output 3: 0 and 1 to 2, then 1 and twice 2 to 3, while 2 holds on.
    #[test]
    fn ways_are_counted_one_by_one() {
        let shape = Shape { nodes: 4, inputs: 2, outputs: 1, ..Shape::default() };
        let mut route = Route::default();
        route.step(&[0, 1]);
        for (source, target) in [(0, 2), (1, 2), (1, 3)] {
            route.message(source, target, 1, false);
        }
        for active in [[2, 3], [3, 2]] {
            route.step(&active);
            route.message(2, 3, 1, true);
        }
        let ways = Ways::of(&route, &shape, &[3]);
        // From input 0: over 2, at two times. From input 1: the same, and on its own.
        assert!((ways.from_inputs.powi(2) - (4.0 + 9.0)).abs() < 1e-9);
        // The node's own indices came in with two messages, which the output got twice; its own with three.
        assert_eq!(ways.from_nodes, 4.0 + 3.0);
        assert_eq!(Ways::of(&route, &shape, &[]), Ways { from_inputs: 0.0, from_nodes: 0.0 });
    }

    #[test]
    fn deep_graphs_have_many_ways_and_counts_are_bounded() {
        let settings = Settings { inputs: 12, intermediate: 60, outputs: 40, ..Settings::default() };
        let flat = Ways::at_rest(&Settings { radiation: 0, ..settings.clone() }, 1);
        let deep = Ways::at_rest(&Settings { layers: 6, steps_min: 8, ..settings.clone() }, 1);
        assert!(flat.from_inputs >= 1.0 && deep.from_inputs > 5.0 * flat.from_inputs, "{flat:?} {deep:?}");
        let endless = Settings { radiation: 20, steps_min: 400, steps_max: 400, decay: 1.0, ..settings };
        assert!(Ways::at_rest(&endless, 1).from_inputs <= 1e9);
    }
}
