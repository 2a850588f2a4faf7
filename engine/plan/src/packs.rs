//! Weights kept in the product kernel's packed layout, refreshed when the parameters change.

use std::ops::Range;

use bessemer_kernels::gemm::{pack_b, packed_len};

/// Floats to which packed weights are aligned: a cache line.
const ALIGN: usize = 16;

/// A packed copy of a parameter: B[k, n] with these strides in the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Where the parameter lies.
    pub parameter: Range<usize>,
    /// Rows of B.
    pub k: usize,
    /// Columns of B.
    pub n: usize,
    /// Row and column stride of B in the parameter.
    pub strides: (usize, usize),
}

impl Pack {
    /// Packs the parameter anew into `out`, the whole range.
    pub fn refresh(&self, parameters: &[f32], out: &mut [f32]) {
        pack_b(self.k, self.n, &parameters[self.parameter.clone()], self.strides, out);
    }
}

/// Rows of a step from which packing pays: it costs a sweep over the weight a step, and spares every
/// micro-batch from gathering columns (B = Wᵀ) or from striding over rows (B = W).
const ROWS_WORTH_PACKING: usize = 192;

/// The packed copies that some plans need.
#[derive(Clone, Debug, Default)]
pub struct Packs {
    /// One per parameter and orientation.
    pub list: Vec<Pack>,
    /// Where each packed copy lies.
    pub ranges: Vec<Range<usize>>,
}

impl Packs {
    /// Whether to pack a weight by which so many rows of a step are multiplied.
    pub fn pays(rows: usize) -> bool {
        rows >= ROWS_WORTH_PACKING
    }

    /// Where B[k, n] of a parameter will be found packed.
    pub fn request(
        &mut self,
        parameter: Range<usize>,
        k: usize,
        n: usize,
        strides: (usize, usize),
    ) -> Range<usize> {
        let same = |p: &&Pack| (p.parameter == parameter) && (p.k, p.n, p.strides) == (k, n, strides);
        if let Some(found) = self.list.iter().position(|p| same(&p)) {
            return self.ranges[found].clone();
        }
        let start = self.len();
        let range = start..start + packed_len(k, n);
        self.list.push(Pack { parameter, k, n, strides });
        self.ranges.push(range.clone());
        range
    }

    /// Floats of all packed copies.
    pub fn len(&self) -> usize {
        self.ranges.last().map_or(0, |r| r.end.next_multiple_of(ALIGN))
    }
}
