use std::f64::consts::{PI, TAU};

use bessemer_phase_reader::{Scan, propagate};

use super::{indices, memory, random, small};
use crate::credit::{Chain, local_slopes, per_node};
use crate::loss::Loss;
use crate::network::Network;
use crate::route::Route;
use crate::settings::Settings;

const TEMPERATURE: f64 = 0.3;

/// A sample that some output answers.
struct Answered {
    network: Network,
    /// First indices of its inputs.
    first: Vec<i16>,
    route: Route,
    outputs: Vec<u16>,
    /// The loss's slopes at the outputs.
    slopes: Vec<f32>,
}

fn answered(seed: u64, settings: &Settings) -> Option<Answered> {
    let network = random(seed, settings);
    let (first, d) = (indices(seed, &network), settings.dimensions);
    let (mut memory, mut route) = (memory(&network), Route::default());
    let mut state = memory.state();
    let view = network.view();
    let spread = propagate(&view, &first, &mut state, &mut Scan, &mut route);
    let mut outputs: Vec<u16> = state.active[..spread.active].to_vec();
    outputs.retain(|node| view.is_output(*node as usize));
    let held = |from: &[i16]| -> Vec<i16> {
        outputs.iter().flat_map(|node| &from[*node as usize * d..][..d]).copied().collect()
    };
    let (phase, magnitude) = (held(state.phase), held(state.magnitude));
    let units = network.codes.units(&network.tables);
    let loss =
        Loss { tables: &network.tables, units: &units, dimensions: d, temperature: TEMPERATURE as f32 };
    let mut logits = vec![0.0; 6];
    if outputs.is_empty() {
        return None;
    }
    loss.logits(&phase, &magnitude, &mut logits);
    loss.of(&mut logits, 4);
    let mut slopes = vec![0.0; outputs.len() * 2 * d];
    loss.slopes(&phase, &magnitude, &logits, &mut slopes);
    Some(Answered { network, first, route, outputs, slopes })
}

/// The loss with indices as real numbers, tables as functions and the route as it was: smooth in all of them.
fn relaxed(
    network: &Network,
    own: &[f64],
    first: &[f64],
    route: &Route,
    outputs: &[u16],
    label: usize,
) -> f64 {
    let (d, settings) = (network.settings.dimensions, &network.settings);
    let width = 2 * d;
    let mut held: Vec<Vec<f64>> = vec![vec![0.0; width]; settings.nodes()];
    for (input, first) in first.chunks_exact(width).enumerate() {
        held[input] = first.to_vec();
    }
    for step in 0..route.steps() {
        let mut after = vec![vec![0.0; width]; settings.nodes()];
        route.active(step).iter().for_each(|node| after[*node as usize] = held[*node as usize].clone());
        for message in route.messages(step) {
            let target = message.target as usize;
            for i in 0..width {
                after[target][i] += held[message.source as usize][i] + own[target * width + i];
            }
        }
        held = after;
    }
    let signal = |index: &[f64]| -> Vec<f64> {
        let angle = |i: usize| index[i] * TAU / settings.phases as f64;
        let bend = |i: usize| {
            // The circle closes with a small jump, of which the slopes know nothing: it is put half an index away.
            let circle = settings.magnitudes as f64;
            ((index[d + i] + 0.5).rem_euclid(circle) - 0.5) * TAU / (circle - 1.0) - PI
        };
        (0..d).map(|i| angle(i).cos() * bend(i).sin().exp()).collect()
    };
    let norm = |s: &[f64]| s.iter().map(|x| x * x).sum::<f64>().sqrt();
    let logits: Vec<f64> = (0..6)
        .map(|class| {
            let at = class * d..(class + 1) * d;
            let code: Vec<f64> = network.codes.phase[at]
                .iter()
                .map(|p| (f64::from(*p) * TAU / settings.phases as f64).cos())
                .collect();
            let cosine = |output: &u16| {
                let s = signal(&held[*output as usize]);
                s.iter().zip(&code).map(|(a, b)| a * b).sum::<f64>() / norm(&s) / norm(&code)
            };
            outputs.iter().map(cosine).sum::<f64>() / outputs.len() as f64 / TEMPERATURE
        })
        .collect();
    logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[label]
}

/// Central differences of the relaxation, at every index that the sample passes. Slopes come from tables of 14
/// and 12 binary places, which is what the tolerance is for.
#[test]
fn the_chain_rule_matches_differences() {
    let settings = Settings { phases: 4096, magnitudes: 4096, ..small() };
    let mut compared = 0;
    for seed in 0..12 {
        let Some(Answered { network, first, route, outputs, slopes }) = answered(seed, &settings) else {
            continue;
        };
        let d = settings.dimensions;
        let mut own_slopes = vec![0.0; network.phase.len() * 2];
        let mut input_slopes = vec![0.0; first.len()];
        let mut chain = Chain::new(settings.nodes(), d);
        chain.take_back(&route, &outputs, &slopes, &mut own_slopes, &mut input_slopes);
        let planes = network.phase.chunks_exact(d).zip(network.magnitude.chunks_exact(d));
        let own: Vec<f64> = planes.flat_map(|(p, m)| [p, m].concat()).map(f64::from).collect();
        let first: Vec<f64> = first.into_iter().map(f64::from).collect();
        let largest = own_slopes.iter().chain(&input_slopes).fold(0f32, |most, slope| most.max(slope.abs()));
        let tolerance = 2e-3 * f64::from(largest);
        let mut check = |at: usize, slope: f32, is_own: bool| {
            let loss = |by: f64| {
                let (mut own, mut first) = (own.clone(), first.clone());
                if is_own {
                    own[at] += by
                } else {
                    first[at] += by
                }
                relaxed(&network, &own, &first, &route, &outputs, 4)
            };
            let difference = (loss(1e-3) - loss(-1e-3)) / 2e-3;
            assert!((difference - f64::from(slope)).abs() < tolerance, "{at}: {difference} and {slope}");
            compared += usize::from(slope != 0.0);
        };
        own_slopes.iter().enumerate().for_each(|(at, slope)| check(at, *slope, true));
        input_slopes.iter().enumerate().for_each(|(at, slope)| check(at, *slope, false));
    }
    assert!(compared > 500, "only {compared} slopes are not 0");
}

#[test]
fn fast_credit_is_that_of_each_node_by_itself() {
    let mut compared = 0;
    for seed in 0..20 {
        let Some(Answered { network, first, route, outputs, slopes }) = answered(seed, &small()) else {
            continue;
        };
        let mut own = vec![0.0; network.phase.len() * 2];
        let mut inputs = vec![0.0; first.len()];
        Chain::new(network.shape.nodes, 3).take_back(&route, &outputs, &slopes, &mut own, &mut inputs);
        let slopes: Vec<f64> = slopes.iter().map(|slope| f64::from(*slope)).collect();
        let expected = per_node::chain(&route, network.shape.nodes, &outputs, &slopes);
        let largest = expected.iter().fold(0f64, |most, slope| most.max(slope.abs()));
        for (fast, slow) in own.iter().zip(expected) {
            assert!((f64::from(*fast) - slow).abs() <= 1e-6 * largest.max(1.0), "{fast} and {slow}");
            compared += usize::from(slow != 0.0);
        }
    }
    assert!(compared > 500);
}

#[test]
fn local_slopes_are_those_of_each_node_by_itself() {
    let network = random(3, &Settings { phases: 512, magnitudes: 1024, dimensions: 5, ..small() });
    let pull = [0.3, -0.1, 0.8, 0.0, 0.5];
    let mut slopes = vec![0.0; network.phase.len() * 2];
    local_slopes(&network.tables, &network.phase, &network.magnitude, &pull, &mut slopes);
    let nodes = network.phase.chunks_exact(5).zip(network.magnitude.chunks_exact(5));
    for ((phase, magnitude), fast) in nodes.zip(slopes.chunks_exact(10)) {
        let slow = per_node::local(&network.tables, phase, magnitude, &pull.map(f64::from));
        for (fast, slow) in fast.iter().zip(slow) {
            assert!((f64::from(*fast) - slow).abs() < 1e-6, "{fast} and {slow}");
        }
    }
}
