//! A model's learned tensors, side by side in one buffer.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bessemer_graph::Parameter;
use bessemer_kernels::arena::Arena;

/// Floats to which each tensor's start is aligned: a cache line.
const ALIGN: usize = 16;

/// Parameter tensors in one buffer, each starting at a cache line.
pub struct Parameters {
    specs: Vec<Parameter>,
    ranges: Vec<Range<usize>>,
    data: Arena,
    version: u64,
}

impl Parameters {
    /// Zeros of the given names and shapes.
    pub fn new(specs: &[Parameter]) -> Parameters {
        let ranges = ranges(specs);
        let len = ranges.last().map_or(0, |r| r.end.next_multiple_of(ALIGN));
        Parameters { specs: specs.to_vec(), ranges, data: Arena::new(len), version: next_version() }
    }

    /// Names and shapes.
    pub fn specs(&self) -> &[Parameter] {
        &self.specs
    }

    /// Where each tensor lies in [`Parameters::as_slice`].
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// How many numbers are learned.
    pub fn count(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    /// The whole buffer, alignment gaps included.
    pub fn as_slice(&self) -> &[f32] {
        self.data.as_slice()
    }

    /// The whole buffer, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.version = next_version();
        self.data.as_mut_slice()
    }

    /// One tensor.
    pub fn get(&self, index: usize) -> &[f32] {
        &self.data.as_slice()[self.ranges[index].clone()]
    }

    /// One tensor, to be changed.
    pub fn get_mut(&mut self, index: usize) -> &mut [f32] {
        let range = self.ranges[index].clone();
        &mut self.as_mut_slice()[range]
    }

    /// The tensor of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.specs.iter().position(|p| p.name == name)
    }

    /// Differs after every change, and between any two sets of parameters.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl Clone for Parameters {
    fn clone(&self) -> Parameters {
        let mut copy = Parameters::new(&self.specs);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameters({} tensors, {} numbers)", self.specs.len(), self.count())
    }
}

/// Where each of a list of tensors lies when they are put side by side.
pub(crate) fn ranges(specs: &[Parameter]) -> Vec<Range<usize>> {
    let mut at = 0usize;
    specs
        .iter()
        .map(|p| {
            let start = at.next_multiple_of(ALIGN);
            at = start + p.shape.iter().product::<usize>();
            start..at
        })
        .collect()
}

fn next_version() -> u64 {
    static VERSION: AtomicU64 = AtomicU64::new(1);
    VERSION.fetch_add(1, Ordering::Relaxed)
}
