//! How a batch is divided: samples in a micro-batch, and lanes.
//!
//! Both are functions of the graph, the batch and the instruction set alone, so that results don't depend on
//! the number of cores, nor on the machine if `BESSEMER_ISA` names the same set on both.

use bessemer_graph::{Graph, Op};
use bessemer_kernels::{Isa, isa};

use crate::options::PlanOptions;
use crate::plan::is_exchange;
use crate::step::MAX_LANES;

/// What an operation of a micro-batch may read and write, in bytes: two thirds of a nominal second-level
/// cache of 1 MiB, as weights and scratch are there too.
const CACHE_BYTES: f64 = 704.0 * 1024.0;
/// The same where there are tile registers: what has them has 2 MiB of second-level cache, and every call
/// makes parts of its operands, of which fewer are made for more samples at once.
const TILES_BYTES: f64 = 2.0 * 1024.0 * 1024.0;
/// The same of a model whose micro-batches keep values from segment to segment: no cache holds those, and
/// fewer calls are worth more.
const KEPT_BYTES: f64 = 1024.0 * 1024.0;
/// Micro-batches beyond this many samples gain nothing.
const MAX_MICRO_BATCH: usize = 256;
/// Samples in a micro-batch of a model with a loop, if the batch has them.
const LOOP_ROWS: usize = 32;

/// A division of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Samples in the batch.
    pub batch: usize,
    /// Samples in every micro-batch but perhaps the last.
    pub micro_batch: usize,
    /// Fixed sets of micro-batches, each with its own gradients.
    pub lanes: usize,
}

impl Batching {
    /// Number of micro-batches, the last perhaps smaller.
    pub fn count(&self) -> usize {
        self.batch.div_ceil(self.micro_batch)
    }

    /// Samples in the last micro-batch, if it is smaller than the others.
    pub fn tail(&self) -> Option<usize> {
        Some(self.batch % self.micro_batch).filter(|&n| n > 0)
    }

    /// The micro-batches of a lane.
    pub fn lane(&self, lane: usize) -> std::ops::Range<usize> {
        lane * self.count() / self.lanes..(lane + 1) * self.count() / self.lanes
    }
}

/// Divides a batch, from the graphs of one and of two samples.
///
/// A micro-batch is as large as keeps what every operation reads and writes per sample within a
/// nominal cache (weights and their gradients are there whatever its size); lanes are few where
/// gradients are large beside the work, since every lane's are to be summed.
pub fn divide(one: &Graph, two: &Graph, batch: usize, options: &PlanOptions) -> Batching {
    let widest_of = |graph: &Graph| {
        let work = graph.nodes().iter().filter(|n| !matches!(n.op, Op::Source(_)));
        // Weights and what has their size don't grow with the samples; leave out what is as large as one.
        let fixed: Vec<&[usize]> = graph.parameters().iter().map(|p| p.shape.as_slice()).collect();
        let bytes = |node: &bessemer_graph::Node| -> f64 {
            let operands = node.inputs.iter().chain(&node.outputs);
            let all: f64 = operands
                .filter(|v| !fixed.contains(&graph.shape(**v)))
                .map(|v| 4.0 * graph.ty(*v).len() as f64)
                .sum();
            // A loop works on one step at a time.
            match &node.op {
                Op::Scan(scan) => all / graph.shape(node.inputs[scan.states()])[0].max(1) as f64,
                _ => all,
            }
        };
        work.map(bytes).fold(1.0, f64::max)
    };
    let widest = (widest_of(two) - widest_of(one)).max(1.0);
    let flops: f64 = one.nodes().iter().map(|node| one.cost(node).flops).sum();
    let parameters: usize = one.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
    // The work of a step per parameter, forward and backward.
    let work = flops * batch as f64 / parameters.max(1) as f64;
    let lanes = options.lanes.unwrap_or(match work {
        _ if batch < 4 => 1,
        w if w < 2_000.0 => 2,
        w if w < 100_000.0 => 4,
        _ => 8,
    });
    let lanes = lanes.clamp(1, batch.min(MAX_LANES));
    let keeps = one.nodes().iter().any(|node| is_exchange(&node.op));
    let bytes = match isa() {
        _ if keeps => KEPT_BYTES,
        Isa::Amx => TILES_BYTES,
        _ => CACHE_BYTES,
    };
    let cached = ((bytes / widest) as usize).clamp(1, MAX_MICRO_BATCH);
    // A loop reads its weights at every step, for the rows of one step: more of them are worth more than
    // what lies before and after it in the cache.
    let loops = one.nodes().iter().any(|node| matches!(node.op, Op::Scan(_)));
    let cached = if loops { cached.max(LOOP_ROWS) } else { cached };
    let largest = options.micro_batch.unwrap_or(cached.min(batch.div_ceil(lanes))).clamp(1, batch);
    let micro_batch = match options.micro_batch {
        Some(_) => batch.div_ceil(batch.div_ceil(largest)),
        None => even(batch, largest, lanes),
    };
    let lanes = lanes.min(batch.div_ceil(micro_batch));
    Batching { batch, micro_batch, lanes }
}

/// A size near `largest` at which every lane has the same number of micro-batches, as equal as can be.
fn even(batch: usize, largest: usize, lanes: usize) -> usize {
    // The nearest number a lane rather than the next: a cache a little overfull costs less than a
    // lane that others wait for.
    let a_lane = ((batch as f64 / (largest * lanes) as f64).round() as usize).max(1);
    batch.div_ceil(lanes * a_lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_even() {
        assert_eq!(even(224, 6, 4), 7, "8 micro-batches a lane");
        assert_eq!(even(32, 16, 2), 16);
        assert_eq!(even(1024, 256, 4), 256);
        assert_eq!(even(3, 6, 1), 3);
    }

    #[test]
    fn lanes_cover_every_micro_batch_once() {
        for batch in [1, 5, 32, 224, 1000] {
            for micro_batch in [1, 3, 8, 64] {
                for lanes in [1, 2, 4, 8] {
                    let b = Batching { batch, micro_batch, lanes };
                    let all: Vec<usize> = (0..lanes).flat_map(|l| b.lane(l)).collect();
                    assert_eq!(all, (0..b.count()).collect::<Vec<_>>());
                }
            }
        }
    }
}
