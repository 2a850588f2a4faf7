//! What a propagation works in.

use bessemer_phase_reader::{Shape, State};

/// The buffers of a [`State`], for one sample at a time.
pub(crate) struct Memory {
    indices: Vec<i16>,
    strengths: Vec<i32>,
    lists: Vec<u16>,
    nodes: usize,
    dimensions: usize,
}

impl Memory {
    pub fn new(shape: &Shape) -> Memory {
        let (nodes, dimensions) = (shape.nodes, shape.dimensions);
        Memory {
            indices: vec![0; 4 * nodes * dimensions],
            strengths: vec![0; 2 * nodes],
            lists: vec![0; nodes * (2 + shape.radiation)],
            nodes,
            dimensions,
        }
    }

    pub fn state(&mut self) -> State<'_> {
        let plane = self.nodes * self.dimensions;
        let (phase, rest) = self.indices.split_at_mut(plane);
        let (magnitude, rest) = rest.split_at_mut(plane);
        let (arriving_phase, arriving_magnitude) = rest.split_at_mut(plane);
        let (strength, arriving_strength) = self.strengths.split_at_mut(self.nodes);
        let (active, rest) = self.lists.split_at_mut(self.nodes);
        let (touched, reached) = rest.split_at_mut(self.nodes);
        State {
            phase,
            magnitude,
            strength,
            arriving_phase,
            arriving_magnitude,
            arriving_strength,
            active,
            touched,
            reached,
        }
    }
}
