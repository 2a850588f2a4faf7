//! What a propagation works in.

use bessemer_phase_reader::{Needs, Shape, State};

/// The buffers of a [`State`], for one sample at a time.
pub(crate) struct Memory {
    indices: Vec<i16>,
    strengths: Vec<i32>,
    lists: Vec<u16>,
    shape: Shape,
}

impl Memory {
    pub fn new(shape: &Shape) -> Memory {
        let needs = Needs::of(shape);
        Memory {
            indices: vec![0; needs.indices],
            strengths: vec![0; needs.strengths],
            lists: vec![0; needs.lists],
            shape: *shape,
        }
    }

    pub fn state(&mut self) -> State<'_> {
        State::new(&self.shape, &mut self.indices, &mut self.strengths, &mut self.lists).0
    }
}
