//! The backward pass of short heads.

use super::tiles::{KeyTile, RowProduct, key_tiles};
use super::turn::{less_dots, turn};
use super::{BEYOND, LINE, chunk_len, cut, cut_len, padded_len, start_scores, whole_rows};
use crate::attention::lanes::{Part, add_to_bias};
use crate::attention::{Attention, Bias, Rows};
use crate::math::exp2_each;
use crate::simd::{Kernel, Simd};

/// All samples and heads; slices and scratch have been checked.
pub(in crate::attention) struct ShortBackward<'a> {
    pub attention: &'a Attention<'a>,
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub out: Rows<'a>,
    pub d_out: Rows<'a>,
    pub lse: &'a [f32],
    pub dq: (*mut f32, usize),
    pub dk: (*mut f32, usize),
    pub dv: (*mut f32, usize),
    pub d_bias: Option<*mut f32>,
    pub scratch: &'a mut [f32],
}

/// Lengths of the pieces of [`Work`].
fn lens(a: &Attention) -> [usize; 10] {
    let bias = if let Some(Bias::Scores(_)) = a.bias { a.k_len * LINE } else { 0 };
    let scores = (a.k_len + BEYOND) * LINE;
    let turned = a.head_dim * LINE;
    let padded = padded_len(LINE, a.head_dim);
    let keys = padded_len(a.k_len, a.head_dim);
    [turned, turned, scores, scores, LINE, LINE, bias, keys, padded, padded]
}

/// Scratch, cut up.
struct Work {
    /// `[head_dim, LINE]`: queries turned, in units of powers of 2.
    query: *mut f32,
    /// `[head_dim, LINE]`
    d_out: *mut f32,
    /// `[keys, LINE]`: probabilities.
    scores: *mut f32,
    /// `[keys, LINE]`: gradients of the scores.
    d_scores: *mut f32,
    /// `[LINE]`: log-sum-exp, in units of powers of 2; less it, if nothing else is added to scores.
    lse: *mut f32,
    /// `[LINE]`: less out · d_out
    dot: *mut f32,
    /// `[keys, LINE]`
    bias: *mut f32,
    /// Keys, queries and gradients of results as rows of whole vectors.
    key_rows: *mut f32,
    query_rows: *mut f32,
    d_out_rows: *mut f32,
}

/// One head of one sample: the first value of each matrix and its row stride.
struct Head {
    q: (*const f32, usize),
    k: (*const f32, usize),
    v: (*const f32, usize),
    out: (*const f32, usize),
    d_out: (*const f32, usize),
    dq: (*mut f32, usize),
    dk: (*mut f32, usize),
    dv: (*mut f32, usize),
    d_bias: Option<*mut f32>,
}

impl ShortBackward<'_> {
    /// Floats of scratch.
    pub fn scratch_len(a: &Attention) -> usize {
        cut_len(&lens(a))
    }

    #[inline(always)]
    fn head(&self, sample: usize, head: usize) -> Head {
        let a = self.attention;
        let start = |x: Rows, len: usize| {
            (x.values.as_ptr().wrapping_add(sample * len * x.row + head * a.head_dim), x.row)
        };
        let start_mut = |x: (*mut f32, usize), len: usize| {
            (x.0.wrapping_add(sample * len * x.1 + head * a.head_dim), x.1)
        };
        Head {
            q: start(self.q, a.q_len),
            k: start(self.k, a.k_len),
            v: start(self.v, a.k_len),
            out: start(self.out, a.q_len),
            d_out: start(self.d_out, a.q_len),
            dq: start_mut(self.dq, a.q_len),
            dk: start_mut(self.dk, a.k_len),
            dv: start_mut(self.dv, a.k_len),
            d_bias: self.d_bias,
        }
    }
}

impl Kernel for ShortBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let a = self.attention;
        let mut rest = self;
        let pieces = cut(std::mem::take(&mut rest.scratch), lens(a));
        let [query, d_out, scores, d_scores, lse, dot, bias, key_rows, query_rows, d_out_rows] = pieces;
        let work = Work { query, d_out, scores, d_scores, lse, dot, bias, key_rows, query_rows, d_out_rows };
        let chunk = chunk_len(s, a.q_len);
        for sample in 0..a.batch {
            for head in 0..a.heads {
                let place = rest.head(sample, head);
                // SAFETY: `attention_backward` has checked that every token of every sample is
                // inside its slice; scratch is cut for the largest chunk.
                unsafe {
                    if a.causal {
                        // Keys that a chunk of queries does not see are left alone.
                        for (to, row) in [place.dk, place.dv] {
                            for key in 0..a.k_len {
                                std::slice::from_raw_parts_mut(to.add(key * row), a.head_dim).fill(0.0);
                            }
                        }
                    }
                    let keys = whole_rows(s, place.k, a.k_len, a.head_dim, work.key_rows);
                    let mut first = 0;
                    while first < a.q_len {
                        let queries = first..(first + chunk).min(a.q_len);
                        let seen = if a.causal { a.k_len.min(queries.end) } else { a.k_len };
                        let lse = &rest.lse[(sample * a.heads + head) * a.q_len..][queries.clone()];
                        let part = Part { sample, head, queries, keys: 0..seen, width: LINE };
                        chunk_backward(s, a, &part, &place, lse, keys, &work);
                        first += chunk;
                    }
                }
            }
        }
    }
}

/// Stores the exponentials of scores.
struct Probabilities {
    to: *mut f32,
}

impl<S: Simd> KeyTile<S> for Probabilities {
    #[inline(always)]
    unsafe fn take<const R: usize, const C: usize>(
        &mut self,
        s: S,
        key: usize,
        lane: usize,
        products: [[S::V; C]; R],
    ) {
        for (i, row) in products.into_iter().enumerate() {
            for (j, p) in exp2_each(s, row).into_iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { s.store(self.to.add((key + i) * LINE + lane + j * S::LANES), p) };
            }
        }
    }
}

/// Stores the gradients of probabilities, less out · d_out, times the probabilities.
struct ScoreGradients {
    p: *const f32,
    to: *mut f32,
}

impl<S: Simd> KeyTile<S> for ScoreGradients {
    #[inline(always)]
    unsafe fn take<const R: usize, const C: usize>(
        &mut self,
        s: S,
        key: usize,
        lane: usize,
        products: [[S::V; C]; R],
    ) {
        for (i, row) in products.into_iter().enumerate() {
            for (j, x) in row.into_iter().enumerate() {
                let at = (key + i) * LINE + lane + j * S::LANES;
                // SAFETY: the caller's promise.
                unsafe { s.store(self.to.add(at), s.mul(x, s.load(self.p.add(at)))) };
            }
        }
    }
}

/// All keys against one chunk of queries.
///
/// # Safety
/// The head's matrices hold all its rows; `keys` are its keys; `work` is as large as it says.
#[inline(always)]
unsafe fn chunk_backward<S: Simd>(
    s: S,
    a: &Attention,
    part: &Part,
    head: &Head,
    lse: &[f32],
    key_rows: (*const f32, usize),
    work: &Work,
) {
    let (dim, queries, keys) = (a.head_dim, part.queries.len(), part.keys.len());
    let first = part.queries.start;
    let rows = |x: (*const f32, usize)| (x.0.wrapping_add(first * x.1), x.1);
    let (q, d_out) = (rows(head.q), rows(head.d_out));
    // SAFETY: the caller's promise.
    unsafe {
        let q_rows = whole_rows(s, q, queries, dim, work.query_rows);
        let d_out_rows = whole_rows(s, d_out, queries, dim, work.d_out_rows);
        turn(s, q, queries, dim, a.scale * std::f32::consts::LOG2_E, work.query);
        turn(s, d_out, queries, dim, 1.0, work.d_out);
        less_dots(s, rows(head.out), d_out, queries, dim, work.dot);
        let plain = !a.causal && a.key_mask.is_none() && a.bias.is_none();
        for (query, &log_sum) in lse.iter().enumerate() {
            // A query that saw no key: every probability is to come out as 0.
            let log_sum = if log_sum == f32::NEG_INFINITY { f32::INFINITY } else { log_sum };
            let sign = if plain { -1.0 } else { 1.0 };
            *work.lse.add(query) = sign * std::f32::consts::LOG2_E * log_sum;
        }
        let start = if plain {
            (work.lse.cast_const(), 0)
        } else {
            start_scores(s, a, part, work.lse, work.scores, work.bias);
            (work.scores.cast_const(), LINE)
        };
        let sizes = (keys, queries, dim);
        key_tiles(s, &mut Probabilities { to: work.scores }, head.k, sizes, work.query, start);
        let mut gradients = ScoreGradients { p: work.scores, to: work.d_scores };
        key_tiles(s, &mut gradients, head.v, sizes, work.d_out, (work.dot, 0));
        if let Some(d_bias) = head.d_bias {
            add_to_bias(s, a, part, work.d_scores, d_bias);
        }
        let add = a.causal || first > 0;
        for (scores, b, to, factor) in
            [(work.scores, d_out_rows, head.dv, &1.0), (work.d_scores, q_rows, head.dk, &a.scale)]
        {
            RowProduct::<LINE, 1> {
                rows: keys,
                depth: queries,
                scores,
                b,
                columns: dim,
                to,
                factor: (factor, 0),
                add,
            }
            .multiply(s);
        }
        RowProduct::<1, LINE> {
            rows: queries,
            depth: keys,
            scores: work.d_scores,
            b: key_rows,
            columns: dim,
            to: (head.dq.0.wrapping_add(first * head.dq.1), head.dq.1),
            factor: (&a.scale, 0),
            add: false,
        }
        .multiply(s);
    }
}
