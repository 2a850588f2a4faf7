//! The forward pass of short heads.

use super::tiles::{KeyTile, RowProduct, key_tiles};
use super::turn::turn;
use super::{BEYOND, LINE, chunk_len, cut, cut_len, padded_len, start_scores, whole_rows};
use crate::attention::lanes::Part;
use crate::attention::{Attention, Bias, Rows};
use crate::math::exp2_each;
use crate::math::log;
use crate::simd::{Kernel, Simd};

/// All samples and heads; slices and scratch have been checked.
pub(in crate::attention) struct ShortForward<'a> {
    pub attention: &'a Attention<'a>,
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub out: *mut f32,
    pub out_row: usize,
    pub lse: *mut f32,
    pub scratch: &'a mut [f32],
}

/// Lengths of the pieces of [`Work`].
fn lens(a: &Attention) -> [usize; 7] {
    let bias = if let Some(Bias::Scores(_)) = a.bias { a.k_len * LINE } else { 0 };
    let scores = (a.k_len + BEYOND) * LINE;
    [a.head_dim * LINE, scores, LINE, LINE, 2 * LINE, bias, padded_len(a.k_len, a.head_dim)]
}

/// Scratch, cut up.
struct Work {
    /// `[head_dim, LINE]`: the queries turned, in units of powers of 2.
    query: *mut f32,
    /// `[keys, LINE]`: scores, then probabilities times the sum of their row.
    scores: *mut f32,
    /// `[LINE]` zeros
    zeros: *mut f32,
    /// `[LINE]`: the largest score of each query.
    largest: *mut f32,
    /// `[LINE]`: what to multiply a query's result by.
    share: *mut f32,
    /// `[keys, LINE]`
    bias: *mut f32,
    /// Values as rows of whole vectors.
    values: *mut f32,
}

impl ShortForward<'_> {
    /// Floats of scratch.
    pub fn scratch_len(a: &Attention) -> usize {
        cut_len(&lens(a))
    }
}

impl Kernel for ShortForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let a = self.attention;
        let dim = a.head_dim;
        let [query, scores, zeros, largest, share, bias, values] = cut(self.scratch, lens(a));
        let work = Work { query, scores, zeros, largest, share, bias, values };
        let chunk = chunk_len(s, a.q_len);
        // SAFETY: `attention_forward` has checked that every token of every sample is inside its
        // slice; scratch is cut for the largest chunk.
        unsafe {
            std::slice::from_raw_parts_mut(work.zeros, LINE).fill(0.0);
            for sample in 0..a.batch {
                for head in 0..a.heads {
                    let (q_at, k_at) = (sample * a.q_len, sample * a.k_len);
                    let q = self.q.values.as_ptr().wrapping_add(q_at * self.q.row + head * dim);
                    let k = self.k.values.as_ptr().wrapping_add(k_at * self.k.row + head * dim);
                    let v = self.v.values.as_ptr().wrapping_add(k_at * self.v.row + head * dim);
                    let v = whole_rows(s, (v, self.v.row), a.k_len, dim, work.values);
                    let mut first = 0;
                    while first < a.q_len {
                        let queries = first..(first + chunk).min(a.q_len);
                        let seen = if a.causal { a.k_len.min(queries.end) } else { a.k_len };
                        let part = Part { sample, head, queries, keys: 0..seen, width: LINE };
                        let q = (q.wrapping_add(first * self.q.row), self.q.row);
                        let out = self.out.wrapping_add((q_at + first) * self.out_row + head * dim);
                        let lse = self.lse.wrapping_add((sample * a.heads + head) * a.q_len + first);
                        chunk_forward(s, a, &part, q, (k, self.k.row), v, (out, self.out_row), lse, &work);
                        first += chunk;
                    }
                }
            }
        }
    }
}

/// Stores scores and keeps the largest of each query.
struct Scores {
    to: *mut f32,
    /// `[LINE]`
    largest: *mut f32,
}

impl<S: Simd> KeyTile<S> for Scores {
    #[inline(always)]
    unsafe fn take<const R: usize, const C: usize>(
        &mut self,
        s: S,
        key: usize,
        lane: usize,
        products: [[S::V; C]; R],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut largest = products[0];
            for (i, row) in products.into_iter().enumerate() {
                for (j, x) in row.into_iter().enumerate() {
                    largest[j] = s.max(largest[j], x);
                    s.store(self.to.add((key + i) * LINE + lane + j * S::LANES), x);
                }
            }
            for (j, x) in largest.into_iter().enumerate() {
                let at = self.largest.add(lane + j * S::LANES);
                s.store(at, if key == 0 { x } else { s.max(s.load(at), x) });
            }
        }
    }
}

/// All keys against one chunk of queries.
///
/// # Safety
/// The matrices hold the part's rows; `work` is as large as it says.
#[inline(always)]
unsafe fn chunk_forward<S: Simd>(
    s: S,
    a: &Attention,
    part: &Part,
    q: (*const f32, usize),
    k: (*const f32, usize),
    v: (*const f32, usize),
    out: (*mut f32, usize),
    lse: *mut f32,
    work: &Work,
) {
    let (dim, queries, keys) = (a.head_dim, part.queries.len(), part.keys.len());
    // SAFETY: the caller's promise.
    unsafe {
        turn(s, q, queries, dim, a.scale * std::f32::consts::LOG2_E, work.query);
        let plain = !a.causal && a.key_mask.is_none() && a.bias.is_none();
        let start = if plain {
            (work.zeros.cast_const(), 0)
        } else {
            start_scores(s, a, part, work.zeros, work.scores, work.bias);
            (work.scores.cast_const(), LINE)
        };
        let mut scores = Scores { to: work.scores, largest: work.largest };
        key_tiles(s, &mut scores, k, (keys, queries, dim), work.query, start);
        let mut lane = 0;
        while lane < queries {
            let largest = s.load(work.largest.add(lane));
            let sum = exponentials(s, keys, largest, work.scores.add(lane));
            let nothing = s.le(sum, s.splat(0.0));
            s.store(work.share.add(lane), s.select(nothing, s.splat(0.0), s.div(s.splat(1.0), sum)));
            let total = s.add(s.mul(largest, s.splat(std::f32::consts::LN_2)), log(s, sum));
            if queries - lane >= S::LANES {
                s.store(lse.add(lane), total);
            } else {
                s.store_first(lse.add(lane), queries - lane, total);
            }
            lane += S::LANES;
        }
        RowProduct::<1, LINE> {
            rows: queries,
            depth: keys,
            scores: work.scores,
            b: v,
            columns: dim,
            to: out,
            factor: (work.share, 1),
            add: false,
        }
        .multiply(s);
    }
}

/// Replaces scores by exponentials relative to the largest, and gives their sums.
///
/// # Safety
/// `scores` holds `keys` rows.
#[inline(always)]
unsafe fn exponentials<S: Simd>(s: S, keys: usize, largest: S::V, scores: *mut f32) -> S::V {
    // Where nothing is seen, -infinity less -infinity must not become NaN.
    let base = s.max(s.splat(-1e30), largest);
    let mut sum = s.splat(0.0);
    let mut key = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while key < keys {
            let scores = scores.add(key * LINE);
            if key + 6 <= keys {
                sum = s.add(sum, exponentials_of::<S, 6>(s, base, scores));
                key += 6;
            } else {
                sum = s.add(sum, exponentials_of::<S, 1>(s, base, scores));
                key += 1;
            }
        }
    }
    sum
}

/// The same for `N` keys.
///
/// # Safety
/// `scores` holds `N` rows.
#[inline(always)]
unsafe fn exponentials_of<S: Simd, const N: usize>(s: S, base: S::V, scores: *mut f32) -> S::V {
    let mut x = [base; N];
    // SAFETY: the caller's promise.
    unsafe {
        for (i, x) in x.iter_mut().enumerate() {
            *x = s.sub(s.load(scores.add(i * LINE)), base);
        }
        let p = exp2_each(s, x);
        for (i, &p) in p.iter().enumerate() {
            s.store(scores.add(i * LINE), p);
        }
        let mut sum = p[0];
        for &p in &p[1..] {
            sum = s.add(sum, p);
        }
        sum
    }
}
