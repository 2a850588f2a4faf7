//! The backward pass: probabilities are recomputed from the scores and the saved log-sum-exp.

use super::lanes::{Group, Part, key_blocks, mask_scores, product, store_turned, turn_rows};
use super::short::{ShortBackward, is_short};
use super::{Attention, KEYS, QUERIES, Rows, group_len};
use crate::gemm::gemm_scratch;
use crate::math::exp2;
use crate::simd::{Kernel, Simd, dispatch};

/// Where the gradients go; they replace what is there.
#[derive(Debug)]
pub enum Gradients<'a> {
    /// Each in its own slice, with its own row stride.
    Separate {
        /// As q.
        dq: (&'a mut [f32], usize),
        /// As k.
        dk: (&'a mut [f32], usize),
        /// As v.
        dv: (&'a mut [f32], usize),
    },
    /// In the columns of one slice (q_len = k_len): those of q, k and v start at `offsets`.
    Packed {
        /// `[tokens, row]`
        values: &'a mut [f32],
        /// From one token to the next.
        row: usize,
        /// The first column of dq, dk and dv.
        offsets: [usize; 3],
    },
}

/// Floats of scratch for [`attention_backward`].
pub fn attention_backward_scratch(attention: &Attention) -> usize {
    if is_short(attention) {
        return ShortBackward::scratch_len(attention);
    }
    let bias = if attention.bias.is_some() { KEYS * QUERIES } else { 0 };
    let kept = group_len(attention, KEPT) * (KEPT * attention.head_dim + 2);
    (kept + 2 * KEYS) * QUERIES + bias + gemm_scratch(attention.head_dim.max(KEYS).max(QUERIES))
}

/// The gradients of [`attention_forward`](super::attention_forward) for `d_out`, given its inputs,
/// its `out` and its `lse`. Those of the bias are added to `d_bias`, which has the bias' shape.
///
/// # Panics
/// If a slice is shorter than the sizes need, or `scratch` than [`attention_backward_scratch`].
pub fn attention_backward(
    attention: &Attention,
    q: Rows,
    k: Rows,
    v: Rows,
    out: Rows,
    d_out: Rows,
    lse: &[f32],
    gradients: Gradients,
    d_bias: Option<&mut [f32]>,
    scratch: &mut [f32],
) {
    let a = attention;
    a.check_options();
    a.check_rows("q", q.values.len(), a.q_len, q.row);
    a.check_rows("k", k.values.len(), a.k_len, k.row);
    a.check_rows("v", v.values.len(), a.k_len, v.row);
    a.check_rows("out", out.values.len(), a.q_len, out.row);
    a.check_rows("d_out", d_out.values.len(), a.q_len, d_out.row);
    assert_eq!(lse.len(), a.lse_len(), "log-sum-exp: [batch, heads, q_len]");
    let needed = attention_backward_scratch(a);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let [dq, dk, dv] = match gradients {
        Gradients::Separate { dq, dk, dv } => {
            a.check_rows("dq", dq.0.len(), a.q_len, dq.1);
            a.check_rows("dk", dk.0.len(), a.k_len, dk.1);
            a.check_rows("dv", dv.0.len(), a.k_len, dv.1);
            [(dq.0.as_mut_ptr(), dq.1), (dk.0.as_mut_ptr(), dk.1), (dv.0.as_mut_ptr(), dv.1)]
        }
        Gradients::Packed { values, row, offsets } => {
            assert_eq!(a.q_len, a.k_len, "packed gradients are those of self-attention");
            for offset in offsets {
                a.check_rows("gradients", values.len().saturating_sub(offset), a.q_len, row);
                assert!(offset + a.heads * a.head_dim <= row, "gradients: columns past the row");
            }
            let values = values.as_mut_ptr();
            offsets.map(|offset| (values.wrapping_add(offset), row))
        }
    };
    let d_bias = d_bias.map(|d_bias| {
        assert_eq!(Some(d_bias.len()), a.bias.map(<[f32]>::len), "d_bias: the shape of the bias");
        d_bias.as_mut_ptr()
    });
    if is_short(a) {
        dispatch(ShortBackward { attention, q, k, v, out, d_out, lse, dq, dk, dv, d_bias, scratch });
        return;
    }
    dispatch(Backward { attention, q, k, v, out, d_out, lse, dq, dk, dv, d_bias, scratch });
}

struct Backward<'a> {
    attention: &'a Attention<'a>,
    q: Rows<'a>,
    k: Rows<'a>,
    v: Rows<'a>,
    out: Rows<'a>,
    d_out: Rows<'a>,
    lse: &'a [f32],
    dq: (*mut f32, usize),
    dk: (*mut f32, usize),
    dv: (*mut f32, usize),
    d_bias: Option<*mut f32>,
    scratch: &'a mut [f32],
}

/// What is kept of a chunk of queries, in `[head_dim, QUERIES]`.
const KEPT: usize = 3;

/// Scratch, cut up; of the chunks of a group, the first. Rows of `width`, queries in lanes.
#[derive(Clone, Copy)]
struct Work {
    /// `[head_dim, width]`: queries, in units of powers of 2.
    query: *mut f32,
    /// `[head_dim, width]`
    d_out: *mut f32,
    /// `[head_dim, width]`
    d_query: *mut f32,
    /// `[keys, width]`: scores, then probabilities.
    scores: *mut f32,
    /// `[keys, width]`: gradients of the probabilities, then of the scores.
    d_scores: *mut f32,
    /// `[width]`: log-sum-exp, in units of powers of 2.
    lse: *mut f32,
    /// `[width]`: out · d_out
    dot: *mut f32,
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
            d_out: self.d_out.wrapping_add(chunk * dim * QUERIES),
            d_query: self.d_query.wrapping_add(chunk * dim * QUERIES),
            lse: self.lse.wrapping_add(chunk * QUERIES),
            dot: self.dot.wrapping_add(chunk * QUERIES),
            ..self
        }
    }
}

/// One head of one sample: the first value of each matrix and its row stride.
struct Head {
    q: (*const f32, usize),
    k: (*const f32, usize),
    v: (*const f32, usize),
    d_out: (*const f32, usize),
    dk: (*mut f32, usize),
    dv: (*mut f32, usize),
    d_bias: Option<*mut f32>,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let a = self.attention;
        let dim = a.head_dim;
        let scratch: *mut f32 = self.scratch.as_mut_ptr();
        let bias_len = if a.bias.is_some() { KEYS * QUERIES } else { 0 };
        let group = group_len(a, KEPT);
        let kept = group * dim * QUERIES;
        let block = KEYS * QUERIES;
        let lens = [kept, kept, kept, block, block, group * QUERIES, group * QUERIES, bias_len];
        let mut at = 0;
        let starts = lens.map(|len| {
            at += len;
            scratch.wrapping_add(at - len)
        });
        let [query, d_out, d_query, scores, d_scores, lse, dot, bias] = starts;
        let product = scratch.wrapping_add(at);
        let work = Work { query, d_out, d_query, scores, d_scores, lse, dot, bias, product };
        for sample in 0..a.batch {
            for head in 0..a.heads {
                let start = |x: Rows, len: usize| {
                    (x.values.as_ptr().wrapping_add(sample * len * x.row + head * dim), x.row)
                };
                let start_mut = |x: (*mut f32, usize), len: usize| {
                    (x.0.wrapping_add(sample * len * x.1 + head * dim), x.1)
                };
                let place = Head {
                    q: start(self.q, a.q_len),
                    k: start(self.k, a.k_len),
                    v: start(self.v, a.k_len),
                    d_out: start(self.d_out, a.q_len),
                    dk: start_mut(self.dk, a.k_len),
                    dv: start_mut(self.dv, a.k_len),
                    d_bias: a.d_bias_at(sample, head, self.d_bias),
                };
                let out = start(self.out, a.q_len);
                let dq = start_mut(self.dq, a.q_len);
                // Queries that see no key of a block leave it alone, so it starts at zero.
                let zeroed = a.causal || a.q_len == 0;
                if zeroed {
                    for (to, row) in [place.dk, place.dv] {
                        for key in 0..a.k_len {
                            // SAFETY: checked to hold `k_len` rows.
                            unsafe { std::slice::from_raw_parts_mut(to.add(key * row), dim).fill(0.0) };
                        }
                    }
                }
                let mut first = 0;
                while first < a.q_len {
                    let group = Group::new(s, a, (sample, head), first, group);
                    // SAFETY: `attention_backward` has checked that every token of every sample is
                    // inside its slice, and that scratch is cut for the largest group.
                    unsafe {
                        for i in 0..group.chunks() {
                            let (part, work) = (group.chunk(i), work.at(i, dim));
                            let at = part.queries.start;
                            let rows = |x: (*const f32, usize)| (x.0.wrapping_add(at * x.1), x.1);
                            let factor = Some(a.scale * std::f32::consts::LOG2_E);
                            let (q, d_out) = (rows(place.q), rows(place.d_out));
                            turn_rows(s, &part, dim, q.0, q.1, factor, work.query);
                            turn_rows(s, &part, dim, d_out.0, d_out.1, None, work.d_out);
                            let rows_before = (sample * a.heads + head) * a.q_len;
                            let lse = &self.lse[rows_before..][part.queries.clone()];
                            row_values(s, dim, part.width, rows(out), d_out, lse, &work);
                            if a.k_len == 0 {
                                std::slice::from_raw_parts_mut(work.d_query, dim * part.width).fill(0.0);
                            }
                        }
                        for block in 0..key_blocks(a) {
                            for i in 0..group.chunks() {
                                let Some(part) = group.against(a, i, block) else { continue };
                                let replace = !zeroed && part.queries.start == 0;
                                block_backward(s, a, &part, &place, (block == 0, replace), &work.at(i, dim));
                            }
                        }
                        for i in 0..group.chunks() {
                            let part = group.chunk(i);
                            let dq = (dq.0.wrapping_add(part.queries.start * dq.1), dq.1);
                            let from = (work.at(i, dim).d_query.cast_const(), part.width);
                            store_turned(s, from, dim, part.queries.len(), dq, false);
                        }
                    }
                    first = group.end();
                }
            }
        }
    }
}

/// Fills `dot` and `lse` for the queries of a chunk.
///
/// # Safety
/// `out` and `d_out` hold as many rows as `lse` is long; `work` is as large as it says.
#[inline(always)]
unsafe fn row_values<S: Simd>(
    s: S,
    dim: usize,
    width: usize,
    out: (*const f32, usize),
    d_out: (*const f32, usize),
    lse: &[f32],
    work: &Work,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for query in 0..width {
            let (mut dot, mut log_sum) = (0.0, 0.0);
            if query < lse.len() {
                let mut sum = s.splat(0.0);
                let (x, y) = (out.0.add(query * out.1), d_out.0.add(query * d_out.1));
                let mut c = 0;
                while c + S::LANES <= dim {
                    sum = s.mul_add(s.load(x.add(c)), s.load(y.add(c)), sum);
                    c += S::LANES;
                }
                if c < dim {
                    sum = s.mul_add(s.load_first(x.add(c), dim - c), s.load_first(y.add(c), dim - c), sum);
                }
                dot = s.reduce_add(sum);
                log_sum = lse[query] * std::f32::consts::LOG2_E;
                if log_sum == f32::NEG_INFINITY {
                    // Saw no key: every probability is to come out as 0.
                    log_sum = f32::INFINITY;
                }
            }
            *work.dot.add(query) = dot;
            *work.lse.add(query) = log_sum;
        }
    }
}

/// A block of keys against one chunk of queries. If `first`, the queries' gradients hold nothing yet; if
/// `replace`, dk and dv.
///
/// # Safety
/// The head's matrices hold all its rows; `work` is as large as it says and filled.
#[inline(always)]
unsafe fn block_backward<S: Simd>(
    s: S,
    a: &Attention,
    part: &Part,
    head: &Head,
    (first, replace): (bool, bool),
    work: &Work,
) {
    let (dim, width, queries) = (a.head_dim, part.width, part.queries.len());
    let rows = |x: (*const f32, usize), at: usize| x.0.wrapping_add(at * x.1);
    let (key, keys) = (part.keys.start, part.keys.len());
    let (k, v) = (rows(head.k, key), rows(head.v, key));
    let sizes = (keys, width, dim);
    product(sizes, (k, head.k.1, 1), (work.query, width), (work.scores, width), false, work.product);
    product(sizes, (v, head.v.1, 1), (work.d_out, width), (work.d_scores, width), false, work.product);
    // SAFETY: the caller's promise.
    unsafe {
        mask_scores(s, a, part, work.scores, work.bias);
        score_gradients(s, keys, width, if head.d_bias.is_some() { 1.0 } else { a.scale }, work);
        if let Some(d_bias) = head.d_bias {
            let to = d_bias.wrapping_add(part.queries.start * a.k_len + key);
            store_turned(s, (work.d_scores, width), keys, queries, (to, a.k_len), true);
            let scale = s.splat(a.scale);
            let mut at = 0;
            while at < keys * width {
                let x = work.d_scores.add(at);
                s.store(x, s.mul(s.load(x), scale));
                at += S::LANES;
            }
        }
    }
    for (left, right, (to, row)) in [(work.scores, head.d_out, head.dv), (work.d_scores, head.q, head.dk)] {
        let to = to.wrapping_add(key * row);
        let right = (rows(right, part.queries.start), right.1);
        product((keys, dim, queries), (left, width, 1), right, (to, row), !replace, work.product);
    }
    let turned = (k, 1, head.k.1);
    product((dim, width, keys), turned, (work.d_scores, width), (work.d_query, width), !first, work.product);
}

/// Scores to probabilities p, and their gradients to those of the scores: p (dp - out · d_out).
///
/// # Safety
/// `work` is as large as it says.
#[inline(always)]
unsafe fn score_gradients<S: Simd>(s: S, keys: usize, width: usize, scale: f32, work: &Work) {
    let scale = s.splat(scale);
    let mut at = 0;
    while at < width {
        // SAFETY: rows of `width`, of which this is one vector.
        unsafe {
            let (lse, dot) = (s.load(work.lse.add(at)), s.load(work.dot.add(at)));
            for key in 0..keys {
                let (score, d) = (work.scores.add(key * width + at), work.d_scores.add(key * width + at));
                let p = exp2(s, s.sub(s.load(score), lse));
                s.store(score, p);
                s.store(d, s.mul(s.mul(p, scale), s.sub(s.load(d), dot)));
            }
        }
        at += S::LANES;
    }
}
