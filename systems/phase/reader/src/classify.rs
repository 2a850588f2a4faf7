//! From a sample to its class, in memory of the caller's.

use crate::adapt::adapt;
use crate::decide::decide;
use crate::model::{Model, Shape};
use crate::propagate::{Spread, State, propagate};
use crate::radiate::Scan;

/// How much memory a model works in, besides its own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Numbers of 16 bits, signed.
    pub indices: usize,
    /// Numbers of 32 bits.
    pub strengths: usize,
    /// Numbers of 16 bits, unsigned.
    pub lists: usize,
}

impl Needs {
    /// Of a model of this shape.
    pub fn of(shape: &Shape) -> Needs {
        Needs {
            indices: 4 * shape.nodes * shape.dimensions + shape.rows(),
            strengths: 2 * shape.nodes,
            lists: shape.nodes * (2 + shape.radiation),
        }
    }

    /// All of them, in bytes.
    pub fn bytes(&self) -> usize {
        2 * self.indices + 4 * self.strengths + 2 * self.lists
    }
}

impl<'a> State<'a> {
    /// Divides up buffers of at least the lengths of [`Needs`]; gives the part for the adapter's indices, too.
    ///
    /// # Panics
    /// If a buffer is shorter.
    pub fn new(
        shape: &Shape,
        indices: &'a mut [i16],
        strengths: &'a mut [i32],
        lists: &'a mut [u16],
    ) -> (State<'a>, &'a mut [i16]) {
        let plane = shape.nodes * shape.dimensions;
        let (phase, rest) = indices.split_at_mut(plane);
        let (magnitude, rest) = rest.split_at_mut(plane);
        let (arriving_phase, rest) = rest.split_at_mut(plane);
        let (arriving_magnitude, adapted) = rest.split_at_mut(plane);
        let (strength, rest) = strengths.split_at_mut(shape.nodes);
        let (arriving_strength, _) = rest.split_at_mut(shape.nodes);
        let (active, rest) = lists.split_at_mut(shape.nodes);
        let (touched, reached) = rest.split_at_mut(shape.nodes);
        let state = State {
            phase,
            magnitude,
            strength,
            arriving_phase,
            arriving_magnitude,
            arriving_strength,
            active,
            touched,
            reached,
        };
        (state, adapted)
    }
}

/// The class of a sample's `levels`, and how its signals spread. Where no output answers, it is the one that
/// was most frequent in training.
///
/// # Panics
/// If there are not as many levels as [`features`](Shape::features), or a buffer is shorter than [`Needs`] says.
pub fn classify(
    model: &Model,
    levels: &[u8],
    indices: &mut [i16],
    strengths: &mut [i32],
    lists: &mut [u16],
) -> (usize, Spread) {
    assert_eq!(levels.len(), model.shape.features, "one level a feature");
    let (mut state, adapted) = State::new(&model.shape, indices, strengths, lists);
    let adapted = &mut adapted[..model.shape.rows()];
    adapt(model, levels, adapted);
    let spread = propagate(model, adapted, &mut state, &mut Scan, &mut ());
    (decide(model, &state, &spread).unwrap_or(model.shape.fallback), spread)
}
