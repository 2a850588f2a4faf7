//! Fused multi-head attention, forward and backward, without ever holding the score matrix
//! (Dao et al., "FlashAttention", 2022: online softmax forward, recomputation backward).
//!
//! Everything works on scores with the queries in the lanes of vectors: then the softmax is plain
//! arithmetic over vectors, and keys and values are read in place, wherever their rows lie.
//!
//! Heads of few keys have a path of their own (`short`), with all keys at once.
//!
//! GFLOP/s of one Zen 5 core (4 T² d a head forward, 10 T² d backward; half of that if causal), as
//! `examples/attention_speed.rs` prints them on a machine on which multiply-adds alone reach 266 in f32 and
//! 530 in bf16:
//!
//! | samples x heads x T x d | forward | backward |
//! |---|---|---|
//! | 8 x 16 x 42 x 8 | 87 | 92 |
//! | 8 x 8 x 42 x 16 | 150 | 167 |
//! | 8 x 8 x 64 x 16 | 165 | 172 |
//! | 8 x 4 x 96 x 32 | 210 | 225 |
//! | 1 x 8 x 1024 x 64 | 215 | 222 |
//! | 1 x 8 x 4096 x 64 causal | 209 | 208 |
//! | 1 x 8 x 1024 x 64 bf16 | 372 | 373 |
//! | 1 x 8 x 4096 x 64 causal, bf16 | 358 | 352 |
//!
//! Short heads pay for lanes that 42 queries do not fill, for exponentials (one for every 4 d
//! operations) and for turning queries; those of 8 values fill half a vector of 16.
//!
//! Dropout of probabilities belongs where they are made: after `softmax_block` (`exponentials` if
//! short) has summed them in the forward pass, and in `score_gradients` (`ScoreGradients`) in the
//! backward pass.

mod backward;
mod forward;
mod lanes;
mod operands;
mod short;

pub use backward::{Gradients, attention_backward, attention_backward_scratch};
pub use forward::{attention_forward, attention_forward_scratch};

/// Queries at a time. Twice as many, or half or twice as many keys, took up to a tenth longer: scores and
/// their gradients, 16 KiB each, leave room for a panel in the first cache.
const QUERIES: usize = 64;

/// Keys at a time.
const KEYS: usize = 64;

/// Vectors of exponentials at a time: one after the other they wait for themselves.
const SIDE_BY_SIDE: usize = 4;

/// Floats of what is known of a group of queries: it shares the second-level cache with a block of keys.
const GROUP: usize = 192 << 10;

/// Chunks of queries that see a block of keys one after the other while it is in the cache, where so
/// many floats are kept of each.
fn group_len(attention: &Attention, kept: usize) -> usize {
    let chunks = attention.q_len.div_ceil(QUERIES).max(1);
    (GROUP / kept.max(1)).clamp(1, chunks)
}

/// Floats in a cache line.
const CACHE_LINE: usize = 16;

/// Floats that [`cut`] needs.
fn cut_len(lens: &[usize]) -> usize {
    CACHE_LINE + lens.iter().map(|len| len.next_multiple_of(CACHE_LINE)).sum::<usize>()
}

/// Cuts `scratch` into pieces of at least these lengths, each beginning with a cache line: vectors that
/// lie across two take twice the time.
#[inline(always)]
fn cut<const N: usize>(scratch: &mut [f32], lens: [usize; N]) -> [*mut f32; N] {
    assert!(cut_len(&lens) <= scratch.len(), "scratch was checked by the caller");
    let start = scratch.as_mut_ptr();
    let line = CACHE_LINE * size_of::<f32>();
    let mut at = start.wrapping_byte_add((start as usize).next_multiple_of(line) - start as usize);
    lens.map(|len| {
        let piece = at;
        at = at.wrapping_add(len.next_multiple_of(CACHE_LINE));
        piece
    })
}

/// Sizes and options of an attention. Query i of a head sees key j with the score
/// `scale * q_i · k_j + bias`, unless masked.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Samples.
    pub batch: usize,
    /// Heads of queries a sample.
    pub heads: usize,
    /// Heads of keys and values a sample: as many, or a divisor; neighbouring heads of queries share one.
    pub kv_heads: usize,
    /// Queries a sample.
    pub q_len: usize,
    /// Keys (and values) a sample.
    pub k_len: usize,
    /// Values a head.
    pub head_dim: usize,
    /// Usually 1 / sqrt(head_dim).
    pub scale: f32,
    /// Query i sees only keys j <= i.
    pub causal: bool,
    /// `[batch, k_len]`: keys whose value is 0 are seen by nobody.
    pub key_mask: Option<&'a [f32]>,
    /// Added to the scores.
    pub bias: Option<Bias<'a>>,
    /// Heads of many keys round what they multiply to bf16; sums and the softmax stay in f32.
    pub bf16: bool,
}

/// What is added to the scores of queries i and keys j.
#[derive(Clone, Copy, Debug)]
pub enum Bias<'a> {
    /// A number for each: `[heads, q_len, k_len]` or `[batch, heads, q_len, k_len]`.
    Scores(&'a [f32]),
    /// A number for each distance: `[heads, q_len + k_len - 1]`, that of i - j at `i - j + k_len - 1`.
    Distances(&'a [f32]),
}

impl Bias<'_> {
    fn values(&self) -> &[f32] {
        match self {
            Bias::Scores(values) | Bias::Distances(values) => values,
        }
    }
}

/// The rows of a projection, read in place: value c of head h of token t of sample b is at
/// `(b * len + t) * row + h * head_dim + c`.
///
/// Queries, keys and values packed as `[tokens, 3 d]` are `(&x[0..], 3 d)`, `(&x[d..], 3 d)` and
/// `(&x[2 d..], 3 d)`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// From the first value of the first head on.
    pub values: &'a [f32],
    /// From one token to the next.
    pub row: usize,
}

impl Attention<'_> {
    /// Floats of the log-sum-exp that the forward pass saves: one a sample, head and query.
    pub fn lse_len(&self) -> usize {
        self.batch * self.heads * self.q_len
    }

    /// Whether operands are rounded to bf16: asked for, and heads of many keys.
    pub fn rounds(&self) -> bool {
        self.bf16 && self.k_len > short::KEYS
    }

    fn check_options(&self) {
        let shared = self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads);
        assert!(shared, "{} heads of keys for {} of queries", self.kv_heads, self.heads);
        if let Some(mask) = self.key_mask {
            assert_eq!(mask.len(), self.batch * self.k_len, "key mask: [batch, k_len]");
        }
        match self.bias {
            Some(Bias::Scores(bias)) => {
                let shared = self.heads * self.q_len * self.k_len;
                assert!(
                    bias.len() == shared || bias.len() == self.batch * shared,
                    "bias: {} floats, needs {shared} or that a sample",
                    bias.len()
                );
            }
            Some(Bias::Distances(bias)) => {
                assert_eq!(bias.len(), self.heads * self.distances(), "bias: [heads, q_len + k_len - 1]");
            }
            None => {}
        }
    }

    /// The head of keys and values of a head of queries.
    fn kv_head(&self, head: usize) -> usize {
        head * self.kv_heads / self.heads
    }

    /// Asserts that `values` holds `len` tokens of so many heads a sample.
    fn check_rows(&self, name: &str, values: usize, heads: usize, len: usize, row: usize) {
        let width = heads * self.head_dim;
        let tokens = self.batch * len;
        if tokens > 0 && width > 0 {
            let needed = (tokens - 1) * row + width;
            assert!(values >= needed, "{name}: {values} floats, {tokens} tokens need {needed}");
            assert!(row >= width, "{name}: rows {row} apart overlap, as heads take {width}");
        }
    }

    /// Distances between a query and a key.
    fn distances(&self) -> usize {
        (self.q_len + self.k_len).saturating_sub(1)
    }

    /// Where a head's bias, and its gradient, begins in all of it.
    fn bias_start(&self, sample: usize, head: usize) -> usize {
        match self.bias {
            None => 0,
            Some(Bias::Distances(_)) => head * self.distances(),
            Some(Bias::Scores(bias)) => {
                let scores = self.q_len * self.k_len;
                let each = bias.len() != self.heads * scores;
                (if each { sample * self.heads + head } else { head }) * scores
            }
        }
    }
}

#[cfg(test)]
mod tests;
