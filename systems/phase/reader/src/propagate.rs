//! How signals spread: one step after another, in integers.

use crate::model::{COSINE_BITS, DECAY_BITS, MAGNITUDE_BITS, Model, STRENGTH_BITS, word};
use crate::radiate::Radiate;

/// What is told of a propagation while it runs.
pub trait Watch {
    /// A step begins, with these nodes active.
    fn step(&mut self, active: &[u16]);
    /// A message arrives that is strong enough to count.
    fn message(&mut self, source: u16, target: u16, strength: i32, radiated: bool);
}

/// Nobody watches.
impl Watch for () {
    fn step(&mut self, _: &[u16]) {}
    fn message(&mut self, _: u16, _: u16, _: i32, _: bool) {}
}

/// What nodes hold, in memory of the caller's. It may hold anything before; nothing of it reaches the next
/// sample.
#[derive(Debug)]
pub struct State<'a> {
    /// What active nodes hold, `[nodes, D]`.
    pub phase: &'a mut [i16],
    /// Likewise, `[nodes, D]`.
    pub magnitude: &'a mut [i16],
    /// `[nodes]`; 0 where a node is silent.
    pub strength: &'a mut [i32],
    /// Messages that have arrived, added up, `[nodes, D]`.
    pub arriving_phase: &'a mut [i16],
    /// Likewise, `[nodes, D]`.
    pub arriving_magnitude: &'a mut [i16],
    /// Likewise, `[nodes]`.
    pub arriving_strength: &'a mut [i32],
    /// Active nodes, the first of `[nodes]`.
    pub active: &'a mut [u16],
    /// Nodes with messages, the first of `[nodes]`.
    pub touched: &'a mut [u16],
    /// Where active nodes radiate to, `[nodes, radiation]`.
    pub reached: &'a mut [u16],
}

/// How a propagation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Steps taken.
    pub steps: u32,
    /// Active nodes: so many of [`State::active`].
    pub active: usize,
    /// Messages that arrived, over all steps.
    pub messages: u64,
    /// Messages that were worked out, over all steps.
    pub considered: u64,
}

/// a + b on a circle.
#[inline(always)]
fn turn(a: i16, b: i16, steps: i32) -> i16 {
    let sum = i32::from(a) + i32::from(b);
    (if sum >= steps { sum - steps } else { sum }) as i16
}

/// Lets a sample spread whose input nodes have `indices` (`[inputs, 2, D]`, see [`adapt`](crate::adapt())).
///
/// In every step each active node that is no output sends along its edges and radiates. A message is the
/// sender's indices with the receiver's own added, modulo N and M; its strength is Σ cos φ · exp(sin m), and it
/// arrives where that is above 0. What arrives at a node in one step is added up, indices modulo N and M and
/// strengths as they are, so that the order does not matter; an active node adds it to what it holds, a silent
/// one holds it from then on. Then all strengths decay, and what is below the minimum falls silent. It ends
/// after the first of `steps_min` or more steps that leaves an output active, after `steps_max`, or where
/// nothing is active any more.
pub fn propagate(
    model: &Model,
    indices: &[i16],
    state: &mut State,
    radiate: &mut impl Radiate,
    watch: &mut impl Watch,
) -> Spread {
    let shape = &model.shape;
    let (d, k) = (shape.dimensions, shape.radiation);
    state.strength.fill(0);
    state.arriving_strength.fill(0);
    let mut spread = Spread { active: shape.inputs, ..Spread::default() };
    for input in 0..shape.inputs {
        let (phase, magnitude) = indices[input * 2 * d..][..2 * d].split_at(d);
        state.phase[input * d..][..d].copy_from_slice(phase);
        state.magnitude[input * d..][..d].copy_from_slice(magnitude);
        state.strength[input] = 1 << STRENGTH_BITS;
        state.active[input] = input as u16;
    }
    while spread.steps < shape.steps_max && spread.active > 0 {
        spread.steps += 1;
        watch.step(&state.active[..spread.active]);
        let mut touched = 0;
        for place in 0..spread.active {
            let source = state.active[place];
            if !model.is_output(source as usize) {
                let targets = model.targets(source as usize);
                spread.considered += targets.len() as u64;
                for target in targets {
                    touched = deliver(model, state, touched, (source, target, false), &mut spread, watch);
                }
            }
        }
        if k > 0 {
            // Outputs gather and send nothing: they come last, and are left out.
            let sources = senders_first(model, &mut state.active[..spread.active]);
            let reached = &mut state.reached[..sources * k];
            radiate.radiate(model, &state.active[..sources], state.phase, reached);
            for place in 0..sources * k {
                let (source, target) = (state.active[place / k], state.reached[place]);
                if target != source {
                    spread.considered += 1;
                    touched = deliver(model, state, touched, (source, target, true), &mut spread, watch);
                }
            }
        }
        for place in 0..touched {
            let node = state.touched[place] as usize;
            let is_active = state.strength[node] > 0;
            for i in node * d..(node + 1) * d {
                let (phase, magnitude) = (state.arriving_phase[i], state.arriving_magnitude[i]);
                if is_active {
                    state.phase[i] = turn(state.phase[i], phase, shape.phases as i32);
                    state.magnitude[i] = turn(state.magnitude[i], magnitude, shape.magnitudes as i32);
                } else {
                    (state.phase[i], state.magnitude[i]) = (phase, magnitude);
                }
            }
            if !is_active {
                state.active[spread.active] = node as u16;
                spread.active += 1;
            }
            state.strength[node] = state.strength[node].saturating_add(state.arriving_strength[node]);
            state.arriving_strength[node] = 0;
        }
        let mut kept = 0;
        let mut answered = false;
        for place in 0..spread.active {
            let node = state.active[place];
            let strength = &mut state.strength[node as usize];
            let left = (i64::from(*strength) * i64::from(shape.decay)) >> DECAY_BITS;
            *strength = if left < i64::from(shape.strength_min) { 0 } else { left as i32 };
            if *strength > 0 {
                state.active[kept] = node;
                kept += 1;
                answered |= model.is_output(node as usize);
            }
        }
        spread.active = kept;
        if answered && spread.steps >= shape.steps_min {
            break;
        }
    }
    spread
}

/// Puts outputs behind all others, and says how many others there are.
fn senders_first(model: &Model, active: &mut [u16]) -> usize {
    let mut senders = 0;
    for place in 0..active.len() {
        if !model.is_output(active[place] as usize) {
            active.swap(senders, place);
            senders += 1;
        }
    }
    senders
}

/// One message; gives the number of nodes that have any.
#[inline(always)]
fn deliver(
    model: &Model,
    state: &mut State,
    mut touched: usize,
    (source, target, radiated): (u16, u16, bool),
    spread: &mut Spread,
    watch: &mut impl Watch,
) -> usize {
    let shape = &model.shape;
    let d = shape.dimensions;
    let (from, to) = (source as usize * d, target as usize * d);
    let (n, m) = (shape.phases as i32, shape.magnitudes as i32);
    let message = |i: usize| {
        let phase = turn(state.phase[from + i], word(model.phase[to + i]), n);
        let magnitude = turn(state.magnitude[from + i], word(model.magnitude[to + i]), m);
        (phase, magnitude)
    };
    let mut strength = 0;
    for i in 0..d {
        let (phase, magnitude) = message(i);
        strength += model.signal(phase, magnitude) >> (COSINE_BITS + MAGNITUDE_BITS - STRENGTH_BITS);
    }
    if strength <= 0 {
        return touched;
    }
    spread.messages += 1;
    watch.message(source, target, strength, radiated);
    let first = state.arriving_strength[target as usize] == 0;
    for i in 0..d {
        let (phase, magnitude) = message(i);
        if first {
            (state.arriving_phase[to + i], state.arriving_magnitude[to + i]) = (phase, magnitude);
        } else {
            state.arriving_phase[to + i] = turn(state.arriving_phase[to + i], phase, n);
            state.arriving_magnitude[to + i] = turn(state.arriving_magnitude[to + i], magnitude, m);
        }
    }
    let all = &mut state.arriving_strength[target as usize];
    *all = all.saturating_add(strength);
    if first {
        state.touched[touched] = target;
        touched += 1;
    }
    touched
}
