//! What forward and backward share: scores with queries in the lanes, masks, and turning.

use std::ops::Range;

use super::operands::Matrix;
use super::{Attention, Bias, CACHE_LINE, KEYS, QUERIES};
use crate::gemm::kernels::{SIDE, pack_panel, transpose};
use crate::simd::Simd;

/// The part of a head at work: some queries against some keys of one sample and head.
#[derive(Clone)]
pub(super) struct Part {
    pub sample: usize,
    pub head: usize,
    pub queries: Range<usize>,
    pub keys: Range<usize>,
    /// Queries, rounded up to whole vectors: the row length of everything with queries in lanes.
    pub width: usize,
}

/// Chunks of queries of one head of one sample that take turns at every block of keys.
pub(super) struct Group {
    sample: usize,
    head: usize,
    queries: Range<usize>,
    /// Queries of a chunk: as even as can be, in whole vectors.
    chunk: usize,
    lanes: usize,
}

impl Group {
    /// The group of up to `len` chunks that begins at a query.
    #[inline(always)]
    pub fn new<S: Simd>(
        _: S,
        a: &Attention,
        (sample, head): (usize, usize),
        first: usize,
        len: usize,
    ) -> Group {
        let chunks = a.q_len.div_ceil(QUERIES).max(1);
        let chunk = a.q_len.div_ceil(chunks).next_multiple_of(S::LANES);
        let end = (first + len * chunk).min(a.q_len);
        Group { sample, head, queries: first..end, chunk, lanes: S::LANES }
    }

    /// The first query of the group after this one.
    #[inline(always)]
    pub fn end(&self) -> usize {
        self.queries.end
    }

    #[inline(always)]
    pub fn chunks(&self) -> usize {
        self.queries.len().div_ceil(self.chunk)
    }

    /// The queries of a chunk, before any key.
    #[inline(always)]
    pub fn chunk(&self, i: usize) -> Part {
        let first = self.queries.start + i * self.chunk;
        let queries = first..(first + self.chunk).min(self.queries.end);
        let width = queries.len().next_multiple_of(self.lanes);
        Part { sample: self.sample, head: self.head, queries, keys: 0..0, width }
    }

    /// The first chunk that sees any of these keys; so do all that follow. The number of chunks if none.
    #[inline(always)]
    pub fn first_to_see(&self, a: &Attention, keys: &Range<usize>) -> usize {
        if !a.causal || keys.start < self.queries.start {
            0
        } else if keys.start >= self.queries.end {
            self.chunks()
        } else {
            (keys.start - self.queries.start) / self.chunk
        }
    }
}

/// The keys of a block.
#[inline(always)]
pub(super) fn block_keys(a: &Attention, block: usize) -> Range<usize> {
    let blocks = key_blocks(a);
    a.k_len * block / blocks..a.k_len * (block + 1) / blocks
}

/// The keys of the block after this one, if a group sees any of them.
#[inline(always)]
pub(super) fn next_keys(a: &Attention, group: &Group, block: usize) -> Range<usize> {
    let keys = if block + 1 < key_blocks(a) { block_keys(a, block + 1) } else { 0..0 };
    if group.first_to_see(a, &keys) < group.chunks() { keys } else { 0..0 }
}

/// Blocks of keys, as even as can be.
#[inline(always)]
pub(super) fn key_blocks(a: &Attention) -> usize {
    a.k_len.div_ceil(KEYS)
}

/// The queries of `part` turned so that they lie in lanes: `[head_dim, width]`, times `factor`.
///
/// # Safety
/// `rows` is the first of those queries; `out` has room.
#[inline(always)]
pub(super) unsafe fn turn_rows<S: Simd>(
    s: S,
    part: &Part,
    head_dim: usize,
    rows: *const f32,
    row: usize,
    factor: Option<f32>,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        pack_panel(s, head_dim, part.queries.len(), rows, (1, row), out, part.width);
        if let Some(factor) = factor {
            let factor = s.splat(factor);
            let mut at = 0;
            while at < head_dim * part.width {
                s.store(out.add(at), s.mul(s.load(out.add(at)), factor));
                at += S::LANES;
            }
        }
    }
}

/// Asks for a share of some rows, the `i`-th of `of`, to be brought nearer: they lie so far apart that no
/// processor guesses that they are next.
#[inline(always)]
pub(super) fn call_for<S: Simd>(
    s: S,
    (rows, width): (usize, usize),
    (i, of): (usize, usize),
    (from, row): Matrix,
) {
    for r in rows * i / of..rows * (i + 1) / of {
        let mut c = 0;
        while c < width {
            s.prefetch_far(from.wrapping_add(r * row + c));
            c += CACHE_LINE;
        }
    }
}

/// Puts rows, or zeros, where `to` says, or adds them to what is there.
///
/// # Safety
/// Both must hold that many rows of that width.
#[inline(always)]
pub(super) unsafe fn put_rows<S: Simd>(
    s: S,
    (rows, width): (usize, usize),
    from: Option<Matrix>,
    add: bool,
    (to, row): (*mut f32, usize),
) {
    if from.is_none() && add {
        return;
    }
    for i in 0..rows {
        let to = to.wrapping_add(i * row);
        let mut j = 0;
        // SAFETY: the caller's promise.
        unsafe {
            while j < width {
                let count = S::LANES.min(width - j);
                let whole = count == S::LANES;
                let mut sum = s.splat(0.0);
                if let Some((from, row)) = from {
                    let from = from.add(i * row + j);
                    sum = if whole { s.load(from) } else { s.load_first(from, count) };
                }
                let to = to.add(j);
                if add {
                    sum = s.add(sum, if whole { s.load(to) } else { s.load_first(to, count) });
                }
                if whole {
                    s.store(to, sum);
                } else {
                    s.store_first(to, count, sum);
                }
                j += count;
            }
        }
    }
}

/// Stores `[rows, width]` with queries in lanes as rows of queries: `to[i * to_row + c]` is (or, if
/// `add`, grows by) `from[c * width + i]`.
///
/// # Safety
/// Both must hold `queries` queries of `rows` values; `from` whole vectors.
#[inline(always)]
pub(super) unsafe fn store_turned<S: Simd>(
    s: S,
    (from, width): (*const f32, usize),
    rows: usize,
    queries: usize,
    (to, to_row): (*mut f32, usize),
    add: bool,
) {
    let mut c = 0;
    while c < rows {
        let columns = S::LANES.min(rows - c);
        let mut i = 0;
        while i < queries {
            let mut square = [s.splat(0.0); SIDE];
            // SAFETY: rows c.. and queries i.. as far as they go; the lanes beyond are padding.
            unsafe {
                // Constant counts keep the square in registers: a row that is there stands in for
                // those beyond, and what it gives is not stored.
                for (r, v) in square.iter_mut().enumerate().take(S::LANES) {
                    *v = s.load(from.add((c + r).min(rows - 1) * width + i));
                }
                transpose(s, &mut square);
                for (r, v) in square.into_iter().enumerate().take(S::LANES) {
                    if i + r >= queries {
                        break;
                    }
                    let to = to.add((i + r) * to_row + c);
                    if columns == S::LANES {
                        s.store(to, if add { s.add(v, s.load(to)) } else { v });
                    } else {
                        let v = if add { s.add(v, s.load_first(to, columns)) } else { v };
                        s.store_first(to, columns, v);
                    }
                }
            }
            i += S::LANES;
        }
        c += S::LANES;
    }
}

/// Where the distance of the first query from a key lies; those of the queries after it follow.
#[inline(always)]
fn first_distance(a: &Attention, part: &Part, key: usize) -> usize {
    part.queries.start + a.k_len - 1 - (part.keys.start + key)
}

/// One vector of a row of numbers, one for each query of `part`, from one of them on; 0 beyond the last.
///
/// # Safety
/// `row` holds one for each.
#[inline(always)]
unsafe fn load_queries<S: Simd>(s: S, part: &Part, row: *const f32, at: usize) -> S::V {
    let count = part.queries.len().saturating_sub(at);
    // SAFETY: the caller's promise.
    unsafe { if count >= S::LANES { s.load(row.add(at)) } else { s.load_first(row.wrapping_add(at), count) } }
}

/// Adds the gradients of scores `[keys, width]` to those of the bias.
///
/// # Safety
/// `d_scores` holds that many, and `d_bias` as many as the bias.
#[inline(always)]
pub(super) unsafe fn add_to_bias<S: Simd>(
    s: S,
    a: &Attention,
    part: &Part,
    d_scores: *const f32,
    d_bias: *mut f32,
) {
    let (keys, queries, width) = (part.keys.len(), part.queries.len(), part.width);
    let d_bias = d_bias.wrapping_add(a.bias_start(part.sample, part.head));
    // SAFETY: the caller's promise; one key after the other, as they share distances.
    unsafe {
        if !matches!(a.bias, Some(Bias::Distances(_))) {
            let to = d_bias.wrapping_add(part.queries.start * a.k_len + part.keys.start);
            store_turned(s, (d_scores, width), keys, queries, (to, a.k_len), true);
            return;
        }
        for key in 0..keys {
            let to = d_bias.wrapping_add(first_distance(a, part, key));
            let mut at = 0;
            while at < queries {
                let sum = s.add(load_queries(s, part, to, at), s.load(d_scores.add(key * width + at)));
                if queries - at >= S::LANES {
                    s.store(to.add(at), sum);
                } else {
                    s.store_first(to.add(at), queries - at, sum);
                }
                at += S::LANES;
            }
        }
    }
}

/// Adds the bias and takes out what is masked from scores `[keys, width]`, which are in powers of 2.
///
/// # Safety
/// `scores` holds that many; so does `bias`, as scratch, if there is a bias.
#[inline(always)]
pub(super) unsafe fn mask_scores<S: Simd>(
    s: S,
    attention: &Attention,
    part: &Part,
    scores: *mut f32,
    bias_scratch: *mut f32,
) {
    let (keys, width) = (part.keys.len(), part.width);
    let (i, j) = (part.queries.start, part.keys.start);
    // SAFETY: the caller's promise; the bias was checked to hold every query and key.
    unsafe {
        let log2_e = s.splat(std::f32::consts::LOG2_E);
        let bias_start = attention.bias_start(part.sample, part.head);
        match attention.bias {
            Some(Bias::Scores(bias)) => {
                let from = bias.as_ptr().wrapping_add(bias_start + i * attention.k_len + j);
                let queries = part.queries.len();
                pack_panel(s, keys, queries, from, (1, attention.k_len), bias_scratch, width);
                let mut at = 0;
                while at < keys * width {
                    let x = s.mul_add(s.load(bias_scratch.add(at)), log2_e, s.load(scores.add(at)));
                    s.store(scores.add(at), x);
                    at += S::LANES;
                }
            }
            Some(Bias::Distances(bias)) => {
                for key in 0..keys {
                    let from = bias.as_ptr().wrapping_add(bias_start + first_distance(attention, part, key));
                    let mut at = 0;
                    while at < width {
                        let to = scores.add(key * width + at);
                        let bias = load_queries(s, part, from, at);
                        s.store(to, s.mul_add(bias, log2_e, s.load(to)));
                        at += S::LANES;
                    }
                }
            }
            None => {}
        }
        let nothing = s.splat(f32::NEG_INFINITY);
        if let Some(mask) = attention.key_mask {
            for key in 0..keys {
                if mask[part.sample * attention.k_len + j + key] == 0.0 {
                    let mut at = 0;
                    while at < width {
                        s.store(scores.add(key * width + at), nothing);
                        at += S::LANES;
                    }
                }
            }
        }
        if attention.causal && j + keys > i + 1 {
            for key in 0..keys {
                let place = s.splat((j + key) as f32);
                let mut at = 0;
                while at < width {
                    let query = s.add(s.to_float(s.iota()), s.splat((i + at) as f32));
                    let to = scores.add(key * width + at);
                    s.store(to, s.select(s.le(place, query), s.load(to), nothing));
                    at += S::LANES;
                }
            }
        }
    }
}
