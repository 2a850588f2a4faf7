//! From active outputs to a class.

use crate::model::{COSINE_BITS, Model, word};
use crate::propagate::{Spread, State};

/// The class whose code points most where the active outputs do: the highest sum of cosines, of equals the
/// first. `None` where no output is active.
pub fn decide(model: &Model, state: &State, spread: &Spread) -> Option<usize> {
    let shape = &model.shape;
    let mut best = None;
    let outputs = || state.active[..spread.active].iter().filter(|node| model.is_output(**node as usize));
    outputs().next()?;
    for class in 0..shape.classes {
        let sum = outputs().map(|node| cosine(model, state, *node as usize, class)).sum::<i64>();
        if best.is_none_or(|(_, most)| sum > most) {
            best = Some((class, sum));
        }
    }
    best.map(|(class, _)| class)
}

/// The cosine between what a node signals and the code of a class, in twice [`COSINE_BITS`].
fn cosine(model: &Model, state: &State, node: usize, class: usize) -> i64 {
    let d = model.shape.dimensions;
    let at = node * d..(node + 1) * d;
    let signals = || {
        let held = state.phase[at.clone()].iter().zip(&state.magnitude[at.clone()]);
        held.map(|(phase, magnitude)| i64::from(model.signal(*phase, *magnitude)))
    };
    let squares: u64 = signals().map(|signal| (signal * signal) as u64).sum();
    let norm = squares.isqrt().max(1) as i64;
    let code = &model.codes[class * d..][..d];
    signals().zip(code).map(|(s, c)| (s << COSINE_BITS) / norm * i64::from(word(*c))).sum()
}
