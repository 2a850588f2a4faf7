//! The forward pass: blocks of keys against a chunk of queries, with a running softmax.

use std::ops::Range;

use super::lanes::{Group, Part, key_blocks, mask_scores, product, store_turned, turn_rows};
use super::short::{ShortForward, is_short};
use super::{Attention, KEYS, QUERIES, Rows, group_len};
use crate::gemm::gemm_scratch;
use crate::math::exp2;
use crate::math::log;
use crate::simd::{Kernel, Simd, dispatch};

/// Floats of scratch for [`attention_forward`].
pub fn attention_forward_scratch(attention: &Attention) -> usize {
    if is_short(attention) {
        return ShortForward::scratch_len(attention);
    }
    let bias = if attention.bias.is_some() { KEYS * QUERIES } else { 0 };
    let kept = group_len(attention, KEPT) * (KEPT * attention.head_dim + 2);
    (kept + KEYS) * QUERIES + bias + gemm_scratch(attention.head_dim.max(KEYS))
}

/// out = softmax(scale q kᵀ + bias) v, for every sample and head; rows of `out` as those of `q`
/// with `out_row` between tokens. Saves the logarithm of the sum of exponentials of every row in
/// `lse`, `[batch, heads, q_len]`. A query that sees no key gives 0 and a log-sum-exp of -infinity.
///
/// # Panics
/// If a slice is shorter than the sizes need, or `scratch` than [`attention_forward_scratch`].
pub fn attention_forward(
    attention: &Attention,
    q: Rows,
    k: Rows,
    v: Rows,
    out: &mut [f32],
    out_row: usize,
    lse: &mut [f32],
    scratch: &mut [f32],
) {
    attention.check_options();
    attention.check_rows("q", q.values.len(), attention.q_len, q.row);
    attention.check_rows("k", k.values.len(), attention.k_len, k.row);
    attention.check_rows("v", v.values.len(), attention.k_len, v.row);
    attention.check_rows("out", out.len(), attention.q_len, out_row);
    assert_eq!(lse.len(), attention.lse_len(), "log-sum-exp: [batch, heads, q_len]");
    let needed = attention_forward_scratch(attention);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let (out, lse) = (out.as_mut_ptr(), lse.as_mut_ptr());
    if is_short(attention) {
        dispatch(ShortForward { attention, q, k, v, out, out_row, lse, scratch });
        return;
    }
    dispatch(Forward { attention, q, k, v, out, out_row, lse, scratch });
}

struct Forward<'a> {
    attention: &'a Attention<'a>,
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    out: *mut f32,
    out_row: usize,
    lse: *mut f32,
    scratch: &'a mut [f32],
}

/// What is kept of a chunk of queries, in `[head_dim, QUERIES]`.
const KEPT: usize = 2;

/// Scratch, cut up; of the chunks of a group, the first.
#[derive(Clone, Copy)]
struct Work {
    /// `[head_dim, width]`: the queries turned, in units of powers of 2.
    query: *mut f32,
    /// `[head_dim, width]`: the result so far, turned.
    out: *mut f32,
    /// `[keys, width]`: scores, then probabilities.
    scores: *mut f32,
    /// `[width]`: the largest score so far.
    largest: *mut f32,
    /// `[width]`: the sum of exponentials so far, relative to the largest.
    sum: *mut f32,
    /// `[keys, width]`
    bias: *mut f32,
    product: *mut f32,
}

impl Work {
    /// That of another chunk of the group.
    #[inline(always)]
    fn at(self, chunk: usize, dim: usize) -> Work {
        Work {
            query: self.query.wrapping_add(chunk * dim * QUERIES),
            out: self.out.wrapping_add(chunk * dim * QUERIES),
            largest: self.largest.wrapping_add(chunk * QUERIES),
            sum: self.sum.wrapping_add(chunk * QUERIES),
            ..self
        }
    }
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let a = self.attention;
        let dim = a.head_dim;
        let group = group_len(a, KEPT);
        let (query, rest) = self.scratch.split_at_mut(group * dim * QUERIES);
        let (out, rest) = rest.split_at_mut(group * dim * QUERIES);
        let (scores, rest) = rest.split_at_mut(KEYS * QUERIES);
        let (largest, rest) = rest.split_at_mut(group * QUERIES);
        let (sum, rest) = rest.split_at_mut(group * QUERIES);
        let (bias, rest) = rest.split_at_mut(if a.bias.is_some() { KEYS * QUERIES } else { 0 });
        let work = Work {
            query: query.as_mut_ptr(),
            out: out.as_mut_ptr(),
            scores: scores.as_mut_ptr(),
            largest: largest.as_mut_ptr(),
            sum: sum.as_mut_ptr(),
            bias: bias.as_mut_ptr(),
            product: rest.as_mut_ptr(),
        };
        for sample in 0..a.batch {
            for head in 0..a.heads {
                let (q_at, k_at) = (sample * a.q_len, sample * a.k_len);
                let q = self.q.values.as_ptr().wrapping_add(q_at * self.q.row + head * dim);
                let k = self.k.values.as_ptr().wrapping_add(k_at * self.k.row + head * dim);
                let v = self.v.values.as_ptr().wrapping_add(k_at * self.v.row + head * dim);
                let mut first = 0;
                while first < a.q_len {
                    let group = Group::new(s, a, (sample, head), first, group);
                    // SAFETY: `attention_forward` has checked that every token of every sample is
                    // inside its slice, and cut the scratch for the largest group.
                    unsafe {
                        for i in 0..group.chunks() {
                            let (part, work) = (group.chunk(i), work.at(i, dim));
                            let rows = q.wrapping_add(part.queries.start * self.q.row);
                            let factor = Some(a.scale * std::f32::consts::LOG2_E);
                            turn_rows(s, &part, dim, rows, self.q.row, factor, work.query);
                            begin(s, a, part.width, &work);
                        }
                        for block in 0..key_blocks(a) {
                            for i in 0..group.chunks() {
                                let Some(part) = group.against(a, i, block) else { continue };
                                let (k, v) = ((k, self.k.row), (v, self.v.row));
                                block_forward(s, a, &part, block == 0, k, v, &work.at(i, dim));
                            }
                        }
                        for i in 0..group.chunks() {
                            let queries = group.chunk(i).queries;
                            let at = q_at + queries.start;
                            let out = self.out.wrapping_add(at * self.out_row + head * dim);
                            let rows = (sample * a.heads + head) * a.q_len + queries.start;
                            let lse = self.lse.wrapping_add(rows);
                            finish(s, dim, queries, &work.at(i, dim), (out, self.out_row), lse);
                        }
                    }
                    first = group.end();
                }
            }
        }
    }
}

/// Nothing seen yet.
///
/// # Safety
/// `work` is as large as it says.
#[inline(always)]
unsafe fn begin<S: Simd>(s: S, a: &Attention, width: usize, work: &Work) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut at = 0;
        while at < width {
            s.store(work.largest.add(at), s.splat(f32::NEG_INFINITY));
            s.store(work.sum.add(at), s.splat(0.0));
            at += S::LANES;
        }
        if a.k_len == 0 {
            std::slice::from_raw_parts_mut(work.out, a.head_dim * width).fill(0.0);
        }
    }
}

/// A block of keys, perhaps the first, against one chunk of queries.
///
/// # Safety
/// Keys and values hold `k_len` rows; `work` is as large as it says.
#[inline(always)]
unsafe fn block_forward<S: Simd>(
    s: S,
    a: &Attention,
    part: &Part,
    first: bool,
    k: (*const f32, usize),
    v: (*const f32, usize),
    work: &Work,
) {
    let (dim, width, keys) = (a.head_dim, part.width, part.keys.len());
    let k_rows = (k.0.wrapping_add(part.keys.start * k.1), k.1, 1);
    let v_turned = (v.0.wrapping_add(part.keys.start * v.1), 1, v.1);
    // SAFETY: the caller's promise.
    unsafe {
        product((keys, width, dim), k_rows, (work.query, width), (work.scores, width), false, work.product);
        mask_scores(s, a, part, work.scores, work.bias);
        softmax_block(s, dim, keys, width, first, work);
        product((dim, width, keys), v_turned, (work.scores, width), (work.out, width), !first, work.product);
    }
}

/// Scores to probabilities relative to the largest so far; what came before is brought down to it.
///
/// # Safety
/// `work` is as large as it says.
#[inline(always)]
unsafe fn softmax_block<S: Simd>(s: S, dim: usize, keys: usize, width: usize, first: bool, work: &Work) {
    let mut at = 0;
    while at < width {
        // SAFETY: rows of `width`, of which this is one vector.
        unsafe {
            let scores = work.scores.add(at);
            let before = s.load(work.largest.add(at));
            let (mut largest, mut other) = (before, before);
            let mut key = 0;
            while key + 1 < keys {
                largest = s.max(largest, s.load(scores.add(key * width)));
                other = s.max(other, s.load(scores.add((key + 1) * width)));
                key += 2;
            }
            if key < keys {
                largest = s.max(largest, s.load(scores.add(key * width)));
            }
            let largest = s.max(largest, other);
            s.store(work.largest.add(at), largest);
            // Where nothing was seen yet, -infinity less -infinity must not become NaN.
            let base = s.max(s.splat(-1e30), largest);
            let mut sum = s.splat(0.0);
            for key in 0..keys {
                let p = exp2(s, s.sub(s.load(scores.add(key * width)), base));
                s.store(scores.add(key * width), p);
                sum = s.add(sum, p);
            }
            if first {
                s.store(work.sum.add(at), sum);
            } else {
                let shrink = exp2(s, s.sub(before, base));
                s.store(work.sum.add(at), s.mul_add(s.load(work.sum.add(at)), shrink, sum));
                // After a few blocks the largest is mostly known, and the factors are all 1.
                let growth = s.sub(largest, s.max(s.splat(-1e30), before));
                if s.reduce_max(s.max(growth, s.splat(0.0))) > 0.0 {
                    for c in 0..dim {
                        let out = work.out.add(c * width + at);
                        s.store(out, s.mul(s.load(out), shrink));
                    }
                }
            }
        }
        at += S::LANES;
    }
}

/// Divides by the sum of exponentials and stores rows and log-sum-exp.
///
/// # Safety
/// `work` is as large as it says; `out` and `lse` are where the queries' results go.
#[inline(always)]
unsafe fn finish<S: Simd>(
    s: S,
    dim: usize,
    queries: Range<usize>,
    work: &Work,
    out: (*mut f32, usize),
    lse: *mut f32,
) {
    let queries = queries.len();
    let width = queries.next_multiple_of(S::LANES);
    let mut at = 0;
    while at < width {
        // SAFETY: the caller's promise.
        unsafe {
            let sum = s.load(work.sum.add(at));
            let nothing = s.le(sum, s.splat(0.0));
            let share = s.select(nothing, s.splat(0.0), s.div(s.splat(1.0), sum));
            for c in 0..dim {
                let out = work.out.add(c * width + at);
                s.store(out, s.mul(s.load(out), share));
            }
            let largest = s.mul(s.load(work.largest.add(at)), s.splat(std::f32::consts::LN_2));
            let total = s.add(largest, log(s, sum));
            let count = queries - at;
            if count >= S::LANES {
                s.store(lse.add(at), total);
            } else {
                s.store_first(lse.add(at), count, total);
            }
        }
        at += S::LANES;
    }
    // SAFETY: the caller's promise.
    unsafe { store_turned(s, (work.out, width), dim, queries, out, false) };
}
