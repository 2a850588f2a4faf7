//! Weights kept in the product kernel's packed layout, refreshed when the parameters change.

use std::ops::Range;

use bessemer_kernels::gemm::{
    Int8Shape, Parts, pack_b, pack_int8, pack_tiles, packed_len, packed_tiles_len, pair_columns, pair_count,
    pair_rows,
};

use crate::options::Precision;

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
    /// As floats, as pairs of 16-bit floats, or as quadruples of 8-bit integers (of a weight `[n, k]`).
    pub precision: Precision,
    /// The parts to pack for tile registers, if those multiply it.
    pub tiles: Option<Parts>,
}

impl Pack {
    /// Packs the weight anew into `out`: the whole range, and room to work in after it.
    pub fn refresh(&self, weight: &[f32], out: &mut [f32]) {
        let (k, n) = (self.k, self.n);
        let (packed, words) = out.split_at_mut(self.packed_len());
        if let Some(parts) = self.tiles {
            pack_tiles(parts, k, n, weight, self.strides, packed);
        } else if let Some(half) = self.precision.half() {
            let pairs = pair_count(k);
            let strides = if self.strides.1 == 1 {
                pair_rows(half, k, n, weight, self.strides.0, words);
                (n, 1)
            } else {
                pair_columns(half, n, k, weight, self.strides.1, words);
                (1, pairs)
            };
            pack_b(pairs, n, words, strides, packed);
        } else if self.precision == Precision::Int8 {
            pack_int8(Int8Shape { n, k }, weight, packed);
        } else {
            pack_b(k, n, weight, self.strides, packed);
        }
    }

    /// Floats of the packed copy.
    fn packed_len(&self) -> usize {
        if let Some(parts) = self.tiles {
            return packed_tiles_len(parts, self.k, self.n);
        }
        match self.precision {
            Precision::F32 => packed_len(self.k, self.n),
            Precision::Bf16 | Precision::F16 => packed_len(pair_count(self.k), self.n),
            Precision::Int8 => Int8Shape { n: self.n, k: self.k }.packed_len(),
        }
    }

    /// Floats to work in.
    fn work_len(&self) -> usize {
        match self.precision {
            _ if self.tiles.is_some() => 0,
            Precision::F32 | Precision::Int8 => 0,
            Precision::Bf16 | Precision::F16 => pair_count(self.k) * self.n,
        }
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
    /// Where each packed copy lies, and room to work in after it.
    pub ranges: Vec<Range<usize>>,
}

impl Packs {
    /// Whether to pack a weight by which so many rows of a step are multiplied.
    pub fn pays(rows: usize) -> bool {
        rows >= ROWS_WORTH_PACKING
    }

    /// Where B[k, n] of a parameter will be found packed. Its strides are (n, 1) or (1, k).
    pub fn request(
        &mut self,
        parameter: Range<usize>,
        k: usize,
        n: usize,
        strides: (usize, usize),
        precision: Precision,
        tiles: Option<Parts>,
    ) -> Range<usize> {
        let pack = Pack { parameter, k, n, strides, precision, tiles };
        let start = match self.list.iter().position(|p| *p == pack) {
            Some(found) => self.ranges[found].start,
            None => {
                let start = self.len();
                self.ranges.push(start..start + pack.packed_len() + pack.work_len());
                self.list.push(pack.clone());
                start
            }
        };
        start..start + pack.packed_len()
    }

    /// Floats of all packed copies.
    pub fn len(&self) -> usize {
        self.ranges.last().map_or(0, |r| r.end.next_multiple_of(ALIGN))
    }
}
