//! Credit node by node, the obvious way: what the fast forms are checked against and timed beside.

use crate::route::Route;
use crate::tables::Tables;

/// [`Chain::take_back`](super::Chain::take_back) for one node at a time: how often its own indices are in
/// what each output holds is counted by going through all messages again, from the first. Gives the slopes of
/// the nodes' own indices, `[nodes, 2, D]`.
pub fn chain(route: &Route, nodes: usize, outputs: &[u16], slopes: &[f64]) -> Vec<f64> {
    let width = slopes.len() / outputs.len();
    let mut own = vec![0.0; nodes * width];
    for node in 0..nodes {
        let mut times = vec![0.0; nodes];
        for step in 0..route.steps() {
            let active = route.active(step);
            // A node that has fallen silent holds nothing.
            let mut after: Vec<f64> =
                (0..nodes).map(|at| if active.contains(&(at as u16)) { times[at] } else { 0.0 }).collect();
            for message in route.messages(step) {
                after[message.target as usize] += times[message.source as usize];
                if message.target as usize == node {
                    after[node] += 1.0;
                }
            }
            times = after;
        }
        for (output, slopes) in outputs.iter().zip(slopes.chunks_exact(width)) {
            for (own, slope) in own[node * width..].iter_mut().zip(slopes) {
                *own += times[*output as usize] * slope;
            }
        }
    }
    own
}

/// [`local_slopes`](super::local_slopes) for one node, in f64, term by term.
pub fn local(tables: &Tables, phase: &[i16], magnitude: &[i16], pull: &[f64]) -> Vec<f64> {
    let at = |table: &[f32], index: &[i16]| -> Vec<f64> {
        index.iter().map(|index| f64::from(table[*index as usize])).collect()
    };
    let cosine: Vec<f64> = phase.iter().map(|phase| f64::from(tables.cosine(*phase))).collect();
    let size: Vec<f64> = magnitude.iter().map(|magnitude| f64::from(tables.size(*magnitude))).collect();
    let (cosine_slope, size_slope) = (at(&tables.cosine_slopes, phase), at(&tables.size_slopes, magnitude));
    let signal: Vec<f64> = cosine.iter().zip(&size).map(|(cosine, size)| cosine * size).collect();
    let norm = signal.iter().map(|s| s * s).sum::<f64>().sqrt();
    let along: f64 = signal.iter().zip(pull).map(|(s, c)| s * c).sum();
    let of_signal: Vec<f64> =
        signal.iter().zip(pull).map(|(s, c)| c / norm - s * along / norm.powi(3)).collect();
    let of_phase = (0..pull.len()).map(|i| of_signal[i] * cosine_slope[i] * size[i]);
    let of_magnitude = (0..pull.len()).map(|i| of_signal[i] * cosine[i] * size_slope[i]);
    of_phase.chain(of_magnitude).collect()
}
