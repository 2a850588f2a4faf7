//! What happened in a propagation, step by step.

use std::ops::Range;

use bessemer_phase_reader::Watch;

/// A message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it.
    pub source: u16,
    /// Who got it.
    pub target: u16,
    /// Its strength, in [`STRENGTH_BITS`](bessemer_phase_reader::STRENGTH_BITS).
    pub strength: i32,
    /// Whether it was radiated, and not sent along an edge.
    pub radiated: bool,
}

/// All messages and active nodes of one sample.
#[derive(Clone, Debug, Default)]
pub struct Route {
    messages: Vec<Message>,
    active: Vec<u16>,
    steps: Vec<(usize, usize)>,
}

impl Route {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.active.clear();
        self.steps.clear();
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// The messages of a step, counted from 0.
    pub fn messages(&self, step: usize) -> &[Message] {
        &self.messages[self.range(step, |at| at.0, self.messages.len())]
    }

    /// The nodes that were active when a step began.
    pub fn active(&self, step: usize) -> &[u16] {
        &self.active[self.range(step, |at| at.1, self.active.len())]
    }

    fn range(&self, step: usize, at: impl Fn(&(usize, usize)) -> usize, all: usize) -> Range<usize> {
        at(&self.steps[step])..self.steps.get(step + 1).map_or(all, at)
    }
}

impl Watch for Route {
    fn step(&mut self, active: &[u16]) {
        self.steps.push((self.messages.len(), self.active.len()));
        self.active.extend_from_slice(active);
    }

    fn message(&mut self, source: u16, target: u16, strength: i32, radiated: bool) {
        self.messages.push(Message { source, target, strength, radiated });
    }
}
