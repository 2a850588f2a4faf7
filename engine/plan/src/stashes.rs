//! Weight gradients put off to the end of a lane.
//!
//! The gradient of a weight is dYᵀ·X, over the rows of a micro-batch. If these are few and the weight
//! is large, reading and writing the sum costs more than the product. So dY and X are kept, row below
//! row, and multiplied once, after the lane's last micro-batch.

use std::ops::Range;

/// Floats to which stashes are aligned: a cache line.
const ALIGN: usize = 16;
/// Rows of a micro-batch from which the product pays for its sum.
const ENOUGH_ROWS: usize = 64;
/// Floats of a weight whose gradient stays in a core's second-level cache.
const SMALL_WEIGHT: usize = 65_536;

/// Where a lane keeps dY and X of one weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stash {
    /// Which of a lane's row counts is this stash's.
    pub index: usize,
    /// dY, `[rows, m]`.
    pub dy: Range<usize>,
    /// X, `[rows, n]`.
    pub x: Range<usize>,
    /// The most rows.
    pub rows: usize,
}

/// The stashes of a lane.
#[derive(Clone, Debug)]
pub struct Stashes {
    list: Vec<(Range<usize>, Stash)>,
    micro_batches: usize,
    len: usize,
}

impl Stashes {
    /// None yet, for lanes of up to so many micro-batches.
    pub fn new(micro_batches: usize) -> Stashes {
        Stashes { list: Vec::new(), micro_batches, len: 0 }
    }

    /// Whether to put off a product of `rows` rows a micro-batch that gives `[m, n]`.
    pub fn pays(&self, rows: usize, m: usize, n: usize) -> bool {
        self.micro_batches > 1 && rows < ENOUGH_ROWS && m * n >= SMALL_WEIGHT
    }

    /// The stash of the weight at `parameter`; the same for every plan that asks.
    ///
    /// The plan of full micro-batches asks first, so that there is room for all.
    pub fn request(&mut self, parameter: Range<usize>, rows: usize, m: usize, n: usize) -> Stash {
        if let Some((_, stash)) = self.list.iter().find(|(p, _)| *p == parameter) {
            return stash.clone();
        }
        let rows = rows * self.micro_batches;
        let dy = self.len..self.len + rows * m;
        let start = dy.end.next_multiple_of(ALIGN);
        let x = start..start + rows * n;
        self.len = x.end.next_multiple_of(ALIGN);
        let stash = Stash { index: self.list.len(), dy, x, rows };
        self.list.push((parameter, stash.clone()));
        stash
    }

    /// Number of stashes.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Floats of all.
    pub fn len(&self) -> usize {
        self.len
    }
}
