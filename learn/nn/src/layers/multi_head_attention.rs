//! Multi-head attention.

use bessemer_graph::GraphError;
use bessemer_graph::ops::attention::Attention;

use crate::init::Init;
use crate::layers::Linear;
use crate::trace::{Trace, Value};

/// Multi-head scaled dot-product attention (Vaswani et al. 2017): softmax(q kᵀ / √(width / heads)) v
/// for every head, then a projection `out_proj`.
///
/// ```
/// use bessemer_nn::{Trace, layers::{Masks, MultiHeadAttention}};
///
/// let mut t = Trace::new(2, 2, true);
/// let x = t.input("x", &[10, 16]);
/// let y = MultiHeadAttention::new(16, 4).self_attention(&mut t, x, Masks::default())?;
/// assert_eq!(t.graph.shape(y), [2, 10, 16]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiHeadAttention {
    /// Length of the last axis; a multiple of `heads`.
    pub width: usize,
    /// Number of heads, neighbouring ranges of the last axis.
    pub heads: usize,
    /// Heads of keys and values: as many, or a divisor of it; neighbouring heads of queries then share
    /// one (grouped-query attention, Ainslie et al. 2023).
    pub kv_heads: usize,
    /// Position t sees positions up to t only.
    pub causal: bool,
}

/// What an attention may look at, beside what its layer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// 1 for keys to be seen, 0 for others: `[batch, keys]`. A query that sees none gives 0.
    pub keys: Option<Value>,
    /// Added to the scores: `[heads, queries, keys]`, or for every distance of query i from key j a number
    /// at i - j + keys - 1 of `[heads, queries + keys - 1]`.
    pub bias: Option<Value>,
}

impl MultiHeadAttention {
    /// Without a causal mask.
    pub fn new(width: usize, heads: usize) -> MultiHeadAttention {
        MultiHeadAttention { width, heads, kv_heads: heads, causal: false }
    }

    /// Attention of x `[batch, time, width]` to itself; the shape stays.
    ///
    /// Parameters as in PyTorch: `in_proj_weight` `[3 width, width]` (queries, keys, values; fewer rows with
    /// fewer heads of keys) by Glorot,
    /// `in_proj_bias` zero, `out_proj.weight` uniform in ±1/√width, `out_proj.bias` zero.
    pub fn self_attention(&self, t: &mut Trace, x: Value, masks: Masks) -> Result<Value, GraphError> {
        let d = self.width;
        let rows = d + 2 * self.kv_width();
        let weight = t.parameter("in_proj_weight", &[rows, d], Init::xavier_uniform(d, rows))?;
        let bias = t.parameter("in_proj_bias", &[rows], Init::ZEROS)?;
        let packed = t.graph.linear(x, weight, Some(bias))?;
        self.attend(t, &[packed], masks)
    }

    /// Attention of queries `[batch, time, query width]` to a memory `[batch, memory time, memory
    /// width]`, giving `[batch, time, width]`.
    ///
    /// Parameters `q_proj`, `k_proj` and `v_proj` by Glorot with zero biases, and `out_proj` as in
    /// self-attention.
    pub fn cross_attention(
        &self,
        t: &mut Trace,
        query: Value,
        memory: Value,
        masks: Masks,
    ) -> Result<Value, GraphError> {
        let mut sources = Vec::new();
        let kv = self.kv_width();
        for (name, x, width) in
            [("q_proj", query, self.width), ("k_proj", memory, kv), ("v_proj", memory, kv)]
        {
            let inputs = t.graph.ty(x).last();
            let init = Init::xavier_uniform(inputs, width);
            let linear = Linear::new(inputs, width);
            sources.push(t.scope(name, |t| linear.forward_from(t, x, init, Init::ZEROS))?);
        }
        self.attend(t, &sources, masks)
    }

    /// Width of keys and of values.
    fn kv_width(&self) -> usize {
        self.width / self.heads.max(1) * self.kv_heads
    }

    fn attend(&self, t: &mut Trace, sources: &[Value], masks: Masks) -> Result<Value, GraphError> {
        let attention = Attention {
            heads: self.heads,
            kv_heads: self.kv_heads,
            scale: 1.0 / (self.width as f32 / self.heads as f32).sqrt(),
            causal: self.causal,
            packed: sources.len() == 1,
            masked: masks.keys.is_some(),
            biased: masks.bias.is_some(),
        };
        let operands: Vec<Value> = sources.iter().copied().chain(masks.keys).chain(masks.bias).collect();
        let mixed = t.apply(attention, &operands)?;
        let out = Linear::new(self.width, self.width);
        t.scope("out_proj", |t| out.forward_from(t, mixed, Init::fan_in(self.width), Init::ZEROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        let layer = MultiHeadAttention::new(4, 2);
        check(2, &[&[2, 3, 4]], |t, x| layer.self_attention(t, x[0], Masks::default()));
        check(2, &[&[2, 2, 3], &[2, 4, 5], &[2, 2, 4]], |t, x| {
            let keys = t.graph.constant(&[2, 4], [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0].as_slice());
            let masks = Masks { keys: Some(keys), bias: Some(x[2]) };
            layer.cross_attention(t, x[0], x[1], masks)
        });
    }

    #[test]
    fn fewer_heads_of_keys_have_narrower_projections() {
        let layer = MultiHeadAttention { kv_heads: 1, ..MultiHeadAttention::new(4, 2) };
        check(2, &[&[2, 3, 4]], |t, x| layer.self_attention(t, x[0], Masks::default()));
        check(2, &[&[2, 2, 3], &[2, 4, 5]], |t, x| layer.cross_attention(t, x[0], x[1], Masks::default()));
        let mut t = Trace::new(2, 2, true);
        let x = t.input("x", &[3, 4]);
        layer.self_attention(&mut t, x, Masks::default()).unwrap();
        assert_eq!(t.graph.parameters()[0].shape, [8, 4]);
    }
}
