//! Heads with few keys: all scores of a chunk of queries lie in the nearest cache at once, so that
//! there is one softmax and no running one, and every product is unrolled for its size.
//!
//! Scores lie as `[keys, LINE]`, queries in lanes, in rows whose length is a constant: then a
//! product along either side of them finds its factors at fixed distances. What multiplies them
//! with contiguous columns (V, K, Q, d_out) is read as rows, so results need not be turned.

mod backward;
mod forward;
mod tiles;
mod turn;

pub(super) use backward::ShortBackward;
pub(super) use forward::ShortForward;

use super::lanes::{Part, mask_scores};
use super::{Attention, cut, cut_len};
use crate::gemm::kernels::SIDE;
use crate::simd::Simd;

/// The most queries at a time, and the length of a row of scores: whole vectors of every width.
const LINE: usize = 48;

/// The most keys: two blocks of scores and their gradients stay in a cache of 48 KB.
pub(super) const KEYS: usize = 96;

/// Rows that a product may read beyond those it needs.
const BEYOND: usize = 24;

/// Whether a head is short enough to be done with all its keys at once, which are its own.
pub(crate) fn is_short(a: &Attention) -> bool {
    (1..=KEYS).contains(&a.k_len) && a.q_len > 0 && a.head_dim > 0 && a.kv_heads == a.heads
}

/// Floats of `rows` of a head that are copied to whole vectors, whatever the width of a vector.
fn padded_len(rows: usize, head_dim: usize) -> usize {
    rows * head_dim.next_multiple_of(SIDE)
}

/// Queries at a time: as even as can be, in whole vectors.
#[inline(always)]
fn chunk_len<S: Simd>(_: S, q_len: usize) -> usize {
    q_len.div_ceil(q_len.div_ceil(LINE)).next_multiple_of(S::LANES)
}

/// `count` rows of a head as rows of whole vectors, in place or copied to `scratch`.
///
/// # Safety
/// The rows must be there; `scratch` holds [`padded_len`].
#[inline(always)]
unsafe fn whole_rows<S: Simd>(
    s: S,
    (from, row): (*const f32, usize),
    count: usize,
    head_dim: usize,
    scratch: *mut f32,
) -> (*const f32, usize) {
    let rest = head_dim % S::LANES;
    if rest == 0 {
        return (from, row);
    }
    let width = head_dim.next_multiple_of(S::LANES);
    for i in 0..count {
        let mut c = 0;
        // SAFETY: the caller's promise.
        unsafe {
            while c + S::LANES <= head_dim {
                s.store(scratch.add(i * width + c), s.load(from.add(i * row + c)));
                c += S::LANES;
            }
            s.store(scratch.add(i * width + c), s.load_first(from.add(i * row + c), rest));
        }
    }
    (scratch, width)
}

/// What the scores of a chunk start from when there is a mask or a bias, `[keys, LINE]`: the bias,
/// -infinity where nothing is to be seen, less `base` (a row of `LINE`).
///
/// # Safety
/// `start` and, if there is a bias, `bias` have room.
#[inline(always)]
unsafe fn start_scores<S: Simd>(
    s: S,
    a: &Attention,
    part: &Part,
    base: *const f32,
    start: *mut f32,
    bias: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for key in 0..part.keys.len() {
            let mut lane = 0;
            while lane < LINE {
                s.store(start.add(key * LINE + lane), s.sub(s.splat(0.0), s.load(base.add(lane))));
                lane += S::LANES;
            }
        }
        mask_scores(s, a, part, start, bias);
    }
}
