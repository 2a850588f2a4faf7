//! Who is to change by how much.

pub mod per_node;

use crate::route::Route;
use crate::tables::Tables;

/// The chain rule through the messages that arrived. What a node holds is a sum, modulo N, of what its senders
/// held and of its own indices, once for each message; so is every slope a sum of those further on.
pub struct Chain {
    width: usize,
    /// `[nodes, 2, D]`, of what nodes held when the step ended that is looked at.
    after: Vec<f32>,
    before: Vec<f32>,
    /// Nodes of which `after` is not 0 all over.
    live: Vec<u16>,
    reached: Vec<u16>,
    is_live: Vec<bool>,
    is_reached: Vec<bool>,
}

impl Chain {
    /// For graphs of so many nodes.
    pub fn new(nodes: usize, dimensions: usize) -> Chain {
        let width = 2 * dimensions;
        let plane = || vec![0.0; nodes * width];
        Chain {
            width,
            after: plane(),
            before: plane(),
            live: Vec::new(),
            reached: Vec::new(),
            is_live: vec![false; nodes],
            is_reached: vec![false; nodes],
        }
    }

    /// Takes slopes of `outputs`, `[outputs, 2, D]`, as they were at the end, back to the beginning: adds what
    /// belongs to the nodes' own indices to `own`, `[nodes, 2, D]`, and writes those of the input nodes' first
    /// indices to `inputs`, `[inputs, 2, D]`.
    pub fn take_back(
        &mut self,
        route: &Route,
        outputs: &[u16],
        slopes: &[f32],
        own: &mut [f32],
        inputs: &mut [f32],
    ) {
        let width = self.width;
        let at = |node: u16| node as usize * width..(node as usize + 1) * width;
        for (&node, slopes) in outputs.iter().zip(slopes.chunks_exact(width)) {
            self.after[at(node)].copy_from_slice(slopes);
            self.live.push(node);
            self.is_live[node as usize] = true;
        }
        for step in (0..route.steps()).rev() {
            for message in route.messages(step) {
                if !self.is_live[message.target as usize] {
                    continue;
                }
                let slopes = &self.after[at(message.target)];
                own[at(message.target)].iter_mut().zip(slopes).for_each(|(own, slope)| *own += slope);
                let sender = &mut self.before[at(message.source)];
                sender.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
                if !std::mem::replace(&mut self.is_reached[message.source as usize], true) {
                    self.reached.push(message.source);
                }
            }
            // What an active node held, it holds on to.
            for &node in route.active(step) {
                if self.is_live[node as usize] {
                    let kept = &mut self.before[at(node)];
                    kept.iter_mut().zip(&self.after[at(node)]).for_each(|(sum, slope)| *sum += slope);
                    if !std::mem::replace(&mut self.is_reached[node as usize], true) {
                        self.reached.push(node);
                    }
                }
            }
            for node in self.live.drain(..) {
                self.after[at(node)].fill(0.0);
                self.is_live[node as usize] = false;
            }
            std::mem::swap(&mut self.after, &mut self.before);
            std::mem::swap(&mut self.live, &mut self.reached);
            std::mem::swap(&mut self.is_live, &mut self.is_reached);
        }
        // In the beginning, only inputs hold anything.
        inputs.fill(0.0);
        for node in self.live.drain(..) {
            inputs[at(node)].copy_from_slice(&self.after[at(node)]);
            self.after[at(node)].fill(0.0);
            self.is_live[node as usize] = false;
        }
    }
}

/// What c·s/|s| changes by with the indices of each of many nodes, for one vector c. `phase` and `magnitude`
/// are `[nodes, D]`, `slopes` is `[nodes, 2, D]`. Of the length of s, nothing counts: the slope of the cosine is
/// (c - s (s·c)/|s|²)/|s|.
pub fn local_slopes(tables: &Tables, phase: &[i16], magnitude: &[i16], pull: &[f32], slopes: &mut [f32]) {
    let d = pull.len();
    let nodes = phase.chunks_exact(d).zip(magnitude.chunks_exact(d));
    for ((phase, magnitude), slopes) in nodes.zip(slopes.chunks_exact_mut(2 * d)) {
        let (of_phase, of_magnitude) = slopes.split_at_mut(d);
        let (mut squares, mut along) = (0.0, 0.0);
        for i in 0..d {
            let signal = tables.cosine(phase[i]) * tables.size(magnitude[i]);
            of_phase[i] = signal;
            squares += signal * signal;
            along += signal * pull[i];
        }
        let inverse = 1.0 / squares.sqrt().max(1e-6);
        let along = along * inverse * inverse;
        for i in 0..d {
            let slope = (pull[i] - of_phase[i] * along) * inverse;
            let (p, m) = (phase[i], magnitude[i]);
            of_phase[i] = slope * tables.cosine_slopes[p as usize] * tables.size(m);
            of_magnitude[i] = slope * tables.cosine(p) * tables.size_slopes[m as usize];
        }
    }
}
