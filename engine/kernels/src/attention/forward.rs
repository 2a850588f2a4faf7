//! The forward pass: blocks of keys against a chunk of queries, with a running softmax.

use std::marker::PhantomData;
use std::ops::Range;

use super::lanes::{
    Group, Part, block_keys, call_for, key_blocks, mask_scores, next_keys, store_turned, turn_rows,
};
use super::operands::{Matrix, Operands, Pairs, Plain};
use super::short::{ShortForward, is_short};
use super::{Attention, Bias, KEYS, QUERIES, Rows, SIDE_BY_SIDE, cut, cut_len, group_len};
use crate::gemm::gemm_scratch;
use crate::math::log;
use crate::math::{exp2, exp2_each};
use crate::simd::{Kernel, Simd, dispatch};

/// Floats of scratch for [`attention_forward`].
pub fn attention_forward_scratch(attention: &Attention) -> usize {
    if is_short(attention) {
        ShortForward::scratch_len(attention)
    } else if attention.rounds() {
        cut_len(&lens::<Pairs>(attention))
    } else {
        cut_len(&lens::<Plain>(attention))
    }
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
    attention.check_rows("q", q.values.len(), attention.heads, attention.q_len, q.row);
    attention.check_rows("k", k.values.len(), attention.kv_heads, attention.k_len, k.row);
    attention.check_rows("v", v.values.len(), attention.kv_heads, attention.k_len, v.row);
    attention.check_rows("out", out.len(), attention.heads, attention.q_len, out_row);
    assert_eq!(lse.len(), attention.lse_len(), "log-sum-exp: [batch, heads, q_len]");
    let needed = attention_forward_scratch(attention);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let (out, lse) = (out.as_mut_ptr(), lse.as_mut_ptr());
    if is_short(attention) {
        dispatch(ShortForward { attention, q, k, v, out, out_row, lse, scratch });
        return;
    }
    if attention.rounds() {
        let operands = PhantomData::<Pairs>;
        dispatch(Forward { operands, attention, q, k, v, out, out_row, lse, scratch });
    } else {
        let operands = PhantomData::<Plain>;
        dispatch(Forward { operands, attention, q, k, v, out, out_row, lse, scratch });
    }
}

struct Forward<'a, O> {
    operands: PhantomData<O>,
    attention: &'a Attention<'a>,
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    out: *mut f32,
    out_row: usize,
    lse: *mut f32,
    scratch: &'a mut [f32],
}

/// Chunks of queries in a group.
pub(super) fn group<O: Operands>(a: &Attention) -> usize {
    group_len(a, (O::depth(a.head_dim) + a.head_dim) * QUERIES)
}

/// Floats of each piece of [`Work`], in its order.
fn lens<O: Operands>(a: &Attention) -> [usize; 10] {
    let (dim, group) = (a.head_dim, group::<O>(a));
    let converted = if O::CONVERTED { O::depth(KEYS) * QUERIES } else { 0 };
    let bias = if let Some(Bias::Scores(_)) = a.bias { KEYS * QUERIES } else { 0 };
    [
        group * O::depth(dim) * QUERIES,
        group * dim * QUERIES,
        KEYS * QUERIES,
        converted,
        KEYS * O::depth(dim),
        O::depth(KEYS) * dim,
        group * QUERIES,
        group * QUERIES,
        bias,
        gemm_scratch(dim.max(KEYS)),
    ]
}

/// Scratch, cut up; of the chunks of a group, the first.
#[derive(Clone, Copy)]
struct Work {
    /// `[head_dim, width]`: the queries turned, in units of powers of 2; an operand.
    query: *mut f32,
    /// `[head_dim, width]`: the result so far, turned.
    out: *mut f32,
    /// `[keys, width]`: scores, then probabilities.
    scores: *mut f32,
    /// The probabilities as an operand, if that is something else.
    converted: *mut f32,
    /// `[keys, head_dim]`, with `head_dim` inside.
    keys: *mut f32,
    /// `[keys, head_dim]`, with keys inside.
    values: *mut f32,
    /// `[width]`: what exponentials are relative to.
    base: *mut f32,
    /// `[width]`: the sum of exponentials so far.
    sum: *mut f32,
    /// `[keys, width]`
    bias: *mut f32,
    product: *mut f32,
}

impl Work {
    /// That of another chunk of the group.
    #[inline(always)]
    fn at<O: Operands>(self, chunk: usize, dim: usize) -> Work {
        Work {
            query: self.query.wrapping_add(chunk * O::depth(dim) * QUERIES),
            out: self.out.wrapping_add(chunk * dim * QUERIES),
            base: self.base.wrapping_add(chunk * QUERIES),
            sum: self.sum.wrapping_add(chunk * QUERIES),
            ..self
        }
    }
}

impl<O: Operands> Kernel for Forward<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let a = self.attention;
        let dim = a.head_dim;
        let group = group::<O>(a);
        let [query, out, scores, converted, keys, values, base, sum, bias, product] =
            cut(self.scratch, lens::<O>(a));
        let work = Work { query, out, scores, converted, keys, values, base, sum, bias, product };
        for sample in 0..a.batch {
            for head in 0..a.heads {
                let (q_at, k_at) = (sample * a.q_len, sample * a.k_len);
                let q = self.q.values.as_ptr().wrapping_add(q_at * self.q.row + head * dim);
                let k = self.k.values.as_ptr().wrapping_add(k_at * self.k.row + a.kv_head(head) * dim);
                let v = self.v.values.as_ptr().wrapping_add(k_at * self.v.row + a.kv_head(head) * dim);
                let mut first = 0;
                while first < a.q_len {
                    let group = Group::new(s, a, (sample, head), first, group);
                    // SAFETY: `attention_forward` has checked that every token of every sample is
                    // inside its slice, and cut the scratch for the largest group.
                    unsafe {
                        for i in 0..group.chunks() {
                            let (part, work) = (group.chunk(i), work.at::<O>(i, dim));
                            let rows = q.wrapping_add(part.queries.start * self.q.row);
                            let factor = Some(a.scale * std::f32::consts::LOG2_E);
                            // Where the result will be is room for what an operand is made from.
                            let turned = if O::CONVERTED { work.out } else { work.query };
                            turn_rows(s, &part, dim, rows, self.q.row, factor, turned);
                            if O::CONVERTED {
                                O::rows((dim, part.width), (turned, part.width), work.query);
                            }
                            begin(s, a, part.width, &work);
                        }
                        for block in 0..key_blocks(a) {
                            let keys = block_keys(a, block);
                            let sees = group.first_to_see(a, &keys);
                            if sees == group.chunks() {
                                continue;
                            }
                            let row = |x: *const f32, row: usize| (x.wrapping_add(keys.start * row), row);
                            O::columns((keys.len(), dim), row(k, self.k.row), work.keys);
                            O::rows((keys.len(), dim), row(v, self.v.row), work.values);
                            let next = next_keys(a, &group, block);
                            for i in sees..group.chunks() {
                                for (x, row) in [(k, self.k.row), (v, self.v.row)] {
                                    let share = (i - sees, group.chunks() - sees);
                                    let rows = (x.wrapping_add(next.start * row), row);
                                    call_for(s, (next.len(), dim), share, rows);
                                }
                                let part = Part { keys: keys.clone(), ..group.chunk(i) };
                                block_forward::<S, O>(s, a, &part, block == 0, &work.at::<O>(i, dim));
                            }
                        }
                        for i in 0..group.chunks() {
                            let queries = group.chunk(i).queries;
                            let at = q_at + queries.start;
                            let out = self.out.wrapping_add(at * self.out_row + head * dim);
                            let rows = (sample * a.heads + head) * a.q_len + queries.start;
                            let lse = self.lse.wrapping_add(rows);
                            finish(s, dim, queries, &work.at::<O>(i, dim), (out, self.out_row), lse);
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
            s.store(work.base.add(at), s.splat(f32::NEG_INFINITY));
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
/// `work` is as large as it says, and holds queries, keys and values.
#[inline(always)]
unsafe fn block_forward<S: Simd, O: Operands>(s: S, a: &Attention, part: &Part, first: bool, work: &Work) {
    let (dim, width, keys) = (a.head_dim, part.width, part.keys.len());
    let (within, along) = (O::depth(dim), O::depth(keys));
    let scores = work.scores;
    // SAFETY: the caller's promise.
    unsafe {
        let sizes = (keys, width, within);
        O::product(sizes, (work.keys, within, 1), (work.query, width), (scores, width), false, work.product);
        mask_scores(s, a, part, scores, work.bias);
        softmax_block(s, dim, keys, width, first, work);
        let probabilities: Matrix = if O::CONVERTED {
            O::rows((keys, width), (scores, width), work.converted);
            (work.converted, width)
        } else {
            (scores, width)
        };
        let sizes = (dim, width, along);
        O::product(sizes, (work.values, 1, dim), probabilities, (work.out, width), !first, work.product);
    }
}

/// Powers of 2 that scores may exceed their base by before it follows them: sums stay far from the
/// largest float, and what is there is brought down to a new base in the first few blocks only.
const HEADROOM: f32 = 16.0;

/// Scores to probabilities relative to the base, which is near the largest score so far; where it moves,
/// what came before is brought down to it.
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
            let before = s.load(work.base.add(at));
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
            let stays = s.le(largest, s.add(before, s.splat(HEADROOM)));
            let base = s.select(stays, before, largest);
            s.store(work.base.add(at), base);
            // Where nothing was seen yet, -infinity less -infinity must not become NaN.
            let finite = s.max(s.splat(-1e30), base);
            let mut sum = s.splat(0.0);
            key = 0;
            while key + SIDE_BY_SIDE <= keys {
                let mut p = [finite; SIDE_BY_SIDE];
                for (r, p) in p.iter_mut().enumerate() {
                    *p = s.sub(s.load(scores.add((key + r) * width)), finite);
                }
                let p = exp2_each(s, p);
                for (r, &p) in p.iter().enumerate() {
                    s.store(scores.add((key + r) * width), p);
                    sum = s.add(sum, p);
                }
                key += SIDE_BY_SIDE;
            }
            while key < keys {
                let p = exp2(s, s.sub(s.load(scores.add(key * width)), finite));
                s.store(scores.add(key * width), p);
                sum = s.add(sum, p);
                key += 1;
            }
            if first {
                s.store(work.sum.add(at), sum);
            } else {
                let shrink = exp2(s, s.sub(before, finite));
                s.store(work.sum.add(at), s.mul_add(s.load(work.sum.add(at)), shrink, sum));
                if s.reduce_max(s.select(stays, s.splat(0.0), s.splat(1.0))) > 0.0 {
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
            let base = s.mul(s.load(work.base.add(at)), s.splat(std::f32::consts::LN_2));
            let total = s.add(base, log(s, sum));
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
