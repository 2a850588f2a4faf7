//! The backward pass: probabilities are recomputed from the scores and the saved log-sum-exp.

use std::marker::PhantomData;

use super::lanes::{
    Group, Part, add_to_bias, block_keys, call_for, key_blocks, mask_scores, next_keys, put_rows,
    store_turned, turn_rows,
};
use super::operands::{Matrix, Operands, Pairs, Plain};
use super::short::{ShortBackward, is_short};
use super::{Attention, Bias, KEYS, QUERIES, Rows, SIDE_BY_SIDE, cut, cut_len, group_len};
use crate::gemm::gemm_scratch;
use crate::math::{exp2, exp2_each};
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
        ShortBackward::scratch_len(attention)
    } else if attention.rounds() {
        cut_len(&lens::<Pairs>(attention))
    } else {
        cut_len(&lens::<Plain>(attention))
    }
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
    a.check_rows("q", q.values.len(), a.heads, a.q_len, q.row);
    a.check_rows("k", k.values.len(), a.kv_heads, a.k_len, k.row);
    a.check_rows("v", v.values.len(), a.kv_heads, a.k_len, v.row);
    a.check_rows("out", out.values.len(), a.heads, a.q_len, out.row);
    a.check_rows("d_out", d_out.values.len(), a.heads, a.q_len, d_out.row);
    assert_eq!(lse.len(), a.lse_len(), "log-sum-exp: [batch, heads, q_len]");
    let needed = attention_backward_scratch(a);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let [dq, dk, dv] = match gradients {
        Gradients::Separate { dq, dk, dv } => {
            a.check_rows("dq", dq.0.len(), a.heads, a.q_len, dq.1);
            a.check_rows("dk", dk.0.len(), a.kv_heads, a.k_len, dk.1);
            a.check_rows("dv", dv.0.len(), a.kv_heads, a.k_len, dv.1);
            [(dq.0.as_mut_ptr(), dq.1), (dk.0.as_mut_ptr(), dk.1), (dv.0.as_mut_ptr(), dv.1)]
        }
        Gradients::Packed { values, row, offsets } => {
            assert_eq!(a.q_len, a.k_len, "packed gradients are those of self-attention");
            for (offset, heads) in offsets.into_iter().zip([a.heads, a.kv_heads, a.kv_heads]) {
                a.check_rows("gradients", values.len().saturating_sub(offset), heads, a.q_len, row);
                assert!(offset + heads * a.head_dim <= row, "gradients: columns past the row");
            }
            let values = values.as_mut_ptr();
            offsets.map(|offset| (values.wrapping_add(offset), row))
        }
    };
    let d_bias = d_bias.map(|d_bias| {
        assert_eq!(
            Some(d_bias.len()),
            a.bias.map(|bias| bias.values().len()),
            "d_bias: the shape of the bias"
        );
        d_bias.as_mut_ptr()
    });
    if is_short(a) {
        dispatch(ShortBackward { attention, q, k, v, out, d_out, lse, dq, dk, dv, d_bias, scratch });
        return;
    }
    if a.rounds() {
        let operands = PhantomData::<Pairs>;
        dispatch(Backward { operands, attention, q, k, v, out, d_out, lse, dq, dk, dv, d_bias, scratch });
    } else {
        let operands = PhantomData::<Plain>;
        dispatch(Backward { operands, attention, q, k, v, out, d_out, lse, dq, dk, dv, d_bias, scratch });
    }
}

struct Backward<'a, O> {
    operands: PhantomData<O>,
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

/// Chunks of queries in a group.
pub(super) fn group<O: Operands>(a: &Attention) -> usize {
    let dim = a.head_dim;
    group_len(a, (2 * O::depth(dim) + dim) * QUERIES + 2 * O::depth(QUERIES) * dim)
}

/// Floats of each piece of [`Work`], in its order.
fn lens<O: Operands>(a: &Attention) -> [usize; 19] {
    let (dim, group) = (a.head_dim, group::<O>(a));
    let (within, across) = (O::depth(dim) * QUERIES, O::depth(QUERIES) * dim);
    let block = KEYS * QUERIES;
    let converted = if O::CONVERTED { 1 } else { 0 };
    [
        group * within,
        group * within,
        group * across,
        group * across,
        group * dim * QUERIES,
        block,
        block,
        converted * KEYS * O::depth(QUERIES),
        converted * KEYS * O::depth(QUERIES),
        converted * O::depth(KEYS) * QUERIES,
        KEYS * O::depth(dim),
        KEYS * O::depth(dim),
        converted * O::depth(KEYS) * dim,
        KEYS * dim,
        KEYS * dim,
        group * QUERIES,
        group * QUERIES,
        if let Some(Bias::Scores(_)) = a.bias { block } else { 0 },
        gemm_scratch(dim.max(KEYS).max(QUERIES)),
    ]
}

/// Scratch, cut up; of the chunks of a group, the first. Rows of `width` have queries in lanes.
#[derive(Clone, Copy)]
struct Work {
    /// `[head_dim, width]`: queries, in units of powers of 2; an operand.
    query: *mut f32,
    /// `[head_dim, width]`: an operand.
    d_out: *mut f32,
    /// `[queries, head_dim]`, with queries inside.
    query_rows: *mut f32,
    /// `[queries, head_dim]`, with queries inside.
    d_out_rows: *mut f32,
    /// `[head_dim, width]`
    d_query: *mut f32,
    /// `[keys, width]`: scores, then probabilities.
    scores: *mut f32,
    /// `[keys, width]`: gradients of the probabilities, then of the scores.
    d_scores: *mut f32,
    /// The probabilities as an operand with queries inside, if that is something else.
    scores_across: *mut f32,
    /// The same of the scores' gradients.
    d_scores_across: *mut f32,
    /// The same, with keys inside.
    d_scores_along: *mut f32,
    /// `[keys, head_dim]`, with `head_dim` inside.
    keys: *mut f32,
    /// `[keys, head_dim]`, with `head_dim` inside.
    values: *mut f32,
    /// `[keys, head_dim]`, with keys inside, if that is something else.
    keys_along: *mut f32,
    /// `[keys, head_dim]`: what this group adds.
    d_keys: *mut f32,
    /// `[keys, head_dim]`: what this group adds.
    d_values: *mut f32,
    /// `[width]`: log-sum-exp, in units of powers of 2.
    lse: *mut f32,
    /// `[width]`: out · d_out
    dot: *mut f32,
    /// `[keys, width]`
    bias: *mut f32,
    product: *mut f32,
}

impl Work {
    #[inline(always)]
    fn new<O: Operands>(a: &Attention, scratch: &mut [f32]) -> Work {
        let [
            query,
            d_out,
            query_rows,
            d_out_rows,
            d_query,
            scores,
            d_scores,
            scores_across,
            d_scores_across,
            d_scores_along,
            keys,
            values,
            keys_along,
            d_keys,
            d_values,
            lse,
            dot,
            bias,
            product,
        ] = cut(scratch, lens::<O>(a));
        Work {
            query,
            d_out,
            query_rows,
            d_out_rows,
            d_query,
            scores,
            d_scores,
            scores_across,
            d_scores_across,
            d_scores_along,
            keys,
            values,
            keys_along: if O::CONVERTED { keys_along } else { keys },
            d_keys,
            d_values,
            lse,
            dot,
            bias,
            product,
        }
    }

    /// That of another chunk of the group.
    #[inline(always)]
    fn at<O: Operands>(self, chunk: usize, dim: usize) -> Work {
        let (within, across) = (chunk * O::depth(dim) * QUERIES, chunk * O::depth(QUERIES) * dim);
        Work {
            query: self.query.wrapping_add(within),
            d_out: self.d_out.wrapping_add(within),
            query_rows: self.query_rows.wrapping_add(across),
            d_out_rows: self.d_out_rows.wrapping_add(across),
            d_query: self.d_query.wrapping_add(chunk * dim * QUERIES),
            lse: self.lse.wrapping_add(chunk * QUERIES),
            dot: self.dot.wrapping_add(chunk * QUERIES),
            ..self
        }
    }
}

/// One head of one sample.
struct Head {
    /// Whether no head before it has the same keys.
    first: bool,
    q: Matrix,
    k: Matrix,
    v: Matrix,
    out: Matrix,
    d_out: Matrix,
    dq: (*mut f32, usize),
    dk: (*mut f32, usize),
    dv: (*mut f32, usize),
    d_bias: Option<*mut f32>,
}

impl<O: Operands> Kernel for Backward<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let a = self.attention;
        let dim = a.head_dim;
        let work = Work::new::<O>(a, self.scratch);
        for sample in 0..a.batch {
            for head in 0..a.heads {
                let kv = a.kv_head(head);
                let start = |x: Rows, len: usize, head: usize| {
                    (x.values.as_ptr().wrapping_add(sample * len * x.row + head * dim), x.row)
                };
                let start_mut = |x: (*mut f32, usize), len: usize, head: usize| {
                    (x.0.wrapping_add(sample * len * x.1 + head * dim), x.1)
                };
                let place = Head {
                    first: head == 0 || a.kv_head(head - 1) != kv,
                    q: start(self.q, a.q_len, head),
                    k: start(self.k, a.k_len, kv),
                    v: start(self.v, a.k_len, kv),
                    out: start(self.out, a.q_len, head),
                    d_out: start(self.d_out, a.q_len, head),
                    dq: start_mut(self.dq, a.q_len, head),
                    dk: start_mut(self.dk, a.k_len, kv),
                    dv: start_mut(self.dv, a.k_len, kv),
                    d_bias: self.d_bias,
                };
                let lse = &self.lse[(sample * a.heads + head) * a.q_len..][..a.q_len];
                // SAFETY: `attention_backward` has checked that every token of every sample is inside
                // its slice, and that scratch is cut for the largest group.
                unsafe {
                    if a.q_len == 0 {
                        put_rows(s, (a.k_len, dim), None, false, place.dk);
                        put_rows(s, (a.k_len, dim), None, false, place.dv);
                    }
                    let mut first = 0;
                    while first < a.q_len {
                        let group = Group::new(s, a, (sample, head), first, group::<O>(a));
                        group_backward::<S, O>(s, a, &group, &place, lse, &work);
                        first = group.end();
                    }
                }
            }
        }
    }
}

/// All keys against one group of queries.
///
/// # Safety
/// The head's matrices hold all its rows; `work` is as large as it says.
#[inline(always)]
unsafe fn group_backward<S: Simd, O: Operands>(
    s: S,
    a: &Attention,
    group: &Group,
    head: &Head,
    lse: &[f32],
    work: &Work,
) {
    let dim = a.head_dim;
    let from = |x: Matrix, at: usize| (x.0.wrapping_add(at * x.1), x.1);
    let read = |x: (*mut f32, usize)| (x.0.cast_const(), x.1);
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..group.chunks() {
            let (part, work) = (group.chunk(i), work.at::<O>(i, dim));
            let (at, queries, width) = (part.queries.start, part.queries.len(), part.width);
            let (q, d_out) = (from(head.q, at), from(head.d_out, at));
            O::rows((queries, dim), q, work.query_rows);
            O::rows((queries, dim), d_out, work.d_out_rows);
            let factor = Some(a.scale * std::f32::consts::LOG2_E);
            for (x, factor, to) in [(q, factor, work.query), (d_out, None, work.d_out)] {
                // Where the queries' gradients will be is room for what an operand is made from.
                let turned = if O::CONVERTED { work.d_query } else { to };
                turn_rows(s, &part, dim, x.0, x.1, factor, turned);
                if O::CONVERTED {
                    O::rows((dim, width), (turned, width), to);
                }
            }
            row_values(s, dim, width, from(head.out, at), d_out, &lse[part.queries.clone()], &work);
            if a.k_len == 0 {
                std::slice::from_raw_parts_mut(work.d_query, dim * width).fill(0.0);
            }
        }
        for block in 0..key_blocks(a) {
            let keys = block_keys(a, block);
            let sizes = (keys.len(), dim);
            let sees = group.first_to_see(a, &keys);
            let seen = sees < group.chunks();
            if seen {
                O::columns(sizes, from(head.k, keys.start), work.keys);
                O::columns(sizes, from(head.v, keys.start), work.values);
                if O::CONVERTED {
                    O::rows(sizes, from(head.k, keys.start), work.keys_along);
                }
            }
            let next = next_keys(a, group, block);
            for i in sees..group.chunks() {
                for rows in [head.k, head.v, read(head.dk), read(head.dv)] {
                    let share = (i - sees, group.chunks() - sees);
                    call_for(s, (next.len(), dim), share, from(rows, next.start));
                }
                let part = Part { keys: keys.clone(), ..group.chunk(i) };
                let first = (block == 0, i == sees);
                block_backward::<S, O>(s, a, &part, head.d_bias, first, &work.at::<O>(i, dim));
            }
            // The first group of the first head that shares the keys replaces what is there.
            let add = group.chunk(0).queries.start > 0 || !head.first;
            for ((to, row), grown) in [(head.dk, work.d_keys), (head.dv, work.d_values)] {
                let to = (to.wrapping_add(keys.start * row), row);
                put_rows(s, sizes, seen.then_some((grown.cast_const(), dim)), add, to);
            }
        }
        for i in 0..group.chunks() {
            let part = group.chunk(i);
            let dq = (head.dq.0.wrapping_add(part.queries.start * head.dq.1), head.dq.1);
            let from = (work.at::<O>(i, dim).d_query.cast_const(), part.width);
            store_turned(s, from, dim, part.queries.len(), dq, false);
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

/// A block of keys against one chunk of queries, whose gradients hold nothing yet if it is the `first`
/// block, as those of keys and values do not if it is the first chunk.
///
/// # Safety
/// `work` is as large as it says, and holds queries, keys, values and what belongs to them.
#[inline(always)]
unsafe fn block_backward<S: Simd, O: Operands>(
    s: S,
    a: &Attention,
    part: &Part,
    d_bias: Option<*mut f32>,
    (first, first_chunk): (bool, bool),
    work: &Work,
) {
    let (dim, width, queries, keys) = (a.head_dim, part.width, part.queries.len(), part.keys.len());
    let (within, along, across) = (O::depth(dim), O::depth(keys), O::depth(queries));
    let (scores, d_scores, scratch) = (work.scores, work.d_scores, work.product);
    // SAFETY: the caller's promise.
    unsafe {
        let sizes = (keys, width, within);
        O::product(sizes, (work.keys, within, 1), (work.query, width), (scores, width), false, scratch);
        O::product(sizes, (work.values, within, 1), (work.d_out, width), (d_scores, width), false, scratch);
        mask_scores(s, a, part, scores, work.bias);
        score_gradients(s, keys, width, if d_bias.is_some() { 1.0 } else { a.scale }, work);
        if let Some(d_bias) = d_bias {
            add_to_bias(s, a, part, d_scores, d_bias);
            let scale = s.splat(a.scale);
            let mut at = 0;
            while at < keys * width {
                let x = d_scores.add(at);
                s.store(x, s.mul(s.load(x), scale));
                at += S::LANES;
            }
        }
        let [probabilities, d_across]: [Matrix; 2] = if O::CONVERTED {
            O::columns((keys, queries), (scores, width), work.scores_across);
            O::columns((keys, queries), (d_scores, width), work.d_scores_across);
            [(work.scores_across, across), (work.d_scores_across, across)]
        } else {
            [(scores, width), (d_scores, width)]
        };
        let sizes = (keys, dim, across);
        for (left, right, to) in
            [(probabilities, work.d_out_rows, work.d_values), (d_across, work.query_rows, work.d_keys)]
        {
            O::product(sizes, (left.0, left.1, 1), (right, dim), (to, dim), !first_chunk, scratch);
        }
        let d_along: Matrix = if O::CONVERTED {
            O::rows((keys, width), (d_scores, width), work.d_scores_along);
            (work.d_scores_along, width)
        } else {
            (d_scores, width)
        };
        let sizes = (dim, width, along);
        O::product(sizes, (work.keys_along, 1, dim), d_along, (work.d_query, width), !first, scratch);
    }
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
            let mut key = 0;
            while key + SIDE_BY_SIDE <= keys {
                let mut p = [lse; SIDE_BY_SIDE];
                for (r, p) in p.iter_mut().enumerate() {
                    *p = s.sub(s.load(work.scores.add((key + r) * width + at)), lse);
                }
                let p = exp2_each(s, p);
                for (r, &p) in p.iter().enumerate() {
                    let place = (key + r) * width + at;
                    s.store(work.scores.add(place), p);
                    let d = work.d_scores.add(place);
                    s.store(d, s.mul(s.mul(p, scale), s.sub(s.load(d), dot)));
                }
                key += SIDE_BY_SIDE;
            }
            while key < keys {
                let (score, d) = (work.scores.add(key * width + at), work.d_scores.add(key * width + at));
                let p = exp2(s, s.sub(s.load(score), lse));
                s.store(score, p);
                s.store(d, s.mul(s.mul(p, scale), s.sub(s.load(d), dot)));
                key += 1;
            }
        }
        at += S::LANES;
    }
}
