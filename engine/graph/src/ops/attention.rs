//! Multi-head scaled dot-product attention (Vaswani et al. 2017), never materialising the scores
//! (Dao et al. 2022).

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::operation::Operation;
use crate::ops::concat::Concat;
use crate::ops::matmul::MatMul;
use crate::ops::permute::Permute;
use crate::ops::reshape::Reshape;
use crate::ops::select::Select;
use crate::ops::slice::Slice;
use crate::ops::softmax::Softmax;
use crate::shape::Type;
use crate::tensor::Tensor;

/// softmax(scale · q kᵀ + bias, masked) v for every head.
///
/// Inputs: one packed `[batch, time, 3 d]` (q, k, v side by side), or q `[batch, tq, d]`, k and v
/// `[batch, tk, d]`, so much narrower as there are fewer heads of keys and values; then, if `masked`, keys
/// to keep `[batch, tk]` (1 or 0); then, if `biased`, what is added to scores: `[heads, tq, tk]`, or for
/// every distance of query i from key j a number at i - j + tk - 1 of `[heads, tq + tk - 1]`. Heads are
/// neighbouring ranges of the last axis. Outputs: `[batch, tq, d]`, and the log-sum-exp of every row
/// `[batch, heads, tq]`. A row with no key to keep gives 0.
///
/// With fewer heads of keys and values, neighbouring heads of queries share one (Ainslie et al., "GQA",
/// 2023).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Number of heads of queries.
    pub heads: usize,
    /// Number of heads of keys and values: as many, or a divisor.
    pub kv_heads: usize,
    /// Factor on the scores, usually 1/√(d / heads).
    pub scale: f32,
    /// Position t sees positions up to t only.
    pub causal: bool,
    /// q, k and v come as one tensor.
    pub packed: bool,
    /// There is a key mask.
    pub masked: bool,
    /// There is an additive bias.
    pub biased: bool,
}

/// Gradient of [`Attention`]. Inputs: those of the attention, its two outputs, and the gradient of
/// the first. Outputs: the gradients of its inputs but the mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionGrad {
    /// The attention differentiated.
    pub attention: Attention,
}

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Samples.
    pub batch: usize,
    /// Query positions.
    pub q_len: usize,
    /// Key positions.
    pub k_len: usize,
    /// Width of one head.
    pub head_dim: usize,
}

impl Attention {
    /// Of packed operands, each head of queries with keys of its own, seeing all of them.
    pub const fn new(heads: usize, scale: f32) -> Attention {
        Attention { heads, kv_heads: heads, scale, causal: false, packed: true, masked: false, biased: false }
    }

    /// How many inputs hold q, k and v.
    pub fn sources(&self) -> usize {
        if self.packed { 1 } else { 3 }
    }

    /// How many inputs there are.
    pub fn arity(&self) -> usize {
        self.sources() + usize::from(self.masked) + usize::from(self.biased)
    }

    /// The sizes for given q, k shapes (the packed shape twice).
    pub fn sizes(&self, q: &[usize], k: &[usize]) -> Sizes {
        let heads = if self.packed { self.heads + 2 * self.kv_heads } else { self.heads };
        Sizes { batch: q[0], q_len: q[1], k_len: k[1], head_dim: q[2] / heads }
    }

    fn sizes_of(&self, inputs: &[&Tensor]) -> Sizes {
        self.sizes(&inputs[0].shape, &inputs[self.sources().min(2) - 1].shape)
    }

    /// Position of (sample, time, head, element) in source `which` (0 q, 1 k, 2 v).
    fn locate(&self, s: Sizes, which: usize, b: usize, t: usize, h: usize, e: usize) -> (usize, usize) {
        let (time, heads, h) = match which {
            0 => (s.q_len, self.heads, h),
            _ => (s.k_len, self.kv_heads, h * self.kv_heads / self.heads),
        };
        match self.packed {
            true => {
                let first = self.first_head(which);
                let row = (self.heads + 2 * self.kv_heads) * s.head_dim;
                (0, (b * time + t) * row + (first + h) * s.head_dim + e)
            }
            false => (which, ((b * time + t) * heads + h) * s.head_dim + e),
        }
    }

    /// Heads before those of source `which` in a packed one.
    pub fn first_head(&self, which: usize) -> usize {
        [0, self.heads, self.heads + self.kv_heads][which]
    }

    /// The probabilities of one row, and its log-sum-exp.
    fn probabilities(&self, inputs: &[&Tensor], s: Sizes, b: usize, h: usize, t: usize) -> (Vec<f64>, f64) {
        let get = |which, t, e| {
            let (source, position) = self.locate(s, which, b, t, h, e);
            inputs[source].data[position]
        };
        let score = |j: usize| {
            let kept = !self.masked || inputs[self.sources()].data[b * s.k_len + j] != 0.0;
            if !kept || (self.causal && j > t) {
                return f64::NEG_INFINITY;
            }
            let dot: f64 = (0..s.head_dim).map(|e| get(0, t, e) * get(1, j, e)).sum();
            let bias = match self.biased {
                true => {
                    let bias = inputs[self.arity() - 1];
                    bias.data[self.bias_position(s, &bias.shape, h, t, j)]
                }
                false => 0.0,
            };
            dot * self.scale as f64 + bias
        };
        let scores: Vec<f64> = (0..s.k_len).map(score).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if max == f64::NEG_INFINITY {
            return (vec![0.0; s.k_len], f64::NEG_INFINITY);
        }
        let total: f64 = scores.iter().map(|x| (x - max).exp()).sum();
        (scores.iter().map(|x| (x - max).exp() / total).collect(), max + total.ln())
    }

    /// Where the bias of query i and key j is, in one of such a shape.
    fn bias_position(&self, s: Sizes, shape: &[usize], h: usize, i: usize, j: usize) -> usize {
        match shape.len() {
            2 => h * shape[1] + i + s.k_len - 1 - j,
            _ => (h * s.q_len + i) * s.k_len + j,
        }
    }

    /// A bias of distances as one of scores, `[heads, tq, tk]`.
    fn bias_of_scores(&self, graph: &mut Graph, bias: ValueId, s: Sizes) -> Result<ValueId, GraphError> {
        let distances = s.q_len + s.k_len - 1;
        // Column j of the result is the bias from tk - 1 - j on. In rows that are one longer than the bias,
        // one behind the other, the same offset moves back by one from row to row.
        let rows = graph.reshape(bias, &[self.heads, 1, distances])?;
        let rows = graph.broadcast_to(rows, &[self.heads, s.k_len, distances])?;
        let end = graph.constant(&[self.heads, s.k_len, 1], vec![0.0; self.heads * s.k_len]);
        let longer = graph.apply1(Concat { axis: 2 }, &[rows, end])?;
        let line = graph.reshape(longer, &[self.heads, s.k_len * (distances + 1)])?;
        let line = graph.slice(line, 1, s.k_len - 1, s.k_len * distances)?;
        let turned = graph.reshape(line, &[self.heads, s.k_len, distances])?;
        let by_key = graph.slice(turned, 2, 0, s.q_len)?;
        graph.permute(by_key, &[0, 2, 1])
    }

    /// Appends the same attention from products and a softmax over materialised scores.
    pub fn materialise(&self, graph: &mut Graph, inputs: &[ValueId]) -> Result<Vec<ValueId>, GraphError> {
        let q_shape = graph.shape(inputs[0]).to_vec();
        let k_shape = graph.shape(inputs[self.sources().min(2) - 1]).to_vec();
        let s = self.sizes(&q_shape, &k_shape);
        let width = self.heads * s.head_dim;
        let mut parts = Vec::new();
        for which in 0..3 {
            let (time, heads) = if which == 0 { (s.q_len, self.heads) } else { (s.k_len, self.kv_heads) };
            let whole = match self.packed {
                true => {
                    let (start, len) = (self.first_head(which) * s.head_dim, heads * s.head_dim);
                    graph.apply1(Slice { axis: 2, start, len }, &inputs[..1])?
                }
                false => inputs[which],
            };
            // Every head of queries gets its own copy.
            let apart = graph.reshape(whole, &[s.batch, time, heads, 1, s.head_dim])?;
            let shared = [s.batch, time, heads, self.heads / heads, s.head_dim];
            let repeated = graph.broadcast_to(apart, &shared)?;
            let split = graph.reshape(repeated, &[s.batch, time, self.heads, s.head_dim])?;
            parts.push(graph.apply1(Permute { axes: vec![0, 2, 1, 3] }, &[split])?);
        }
        let product = |transpose_b| MatMul { transpose_a: false, transpose_b };
        let scores = graph.apply1(product(true), &[parts[0], parts[1]])?;
        let mut scores = graph.scale(scores, self.scale)?;
        if self.biased {
            let mut bias = inputs[self.arity() - 1];
            if graph.shape(bias).len() == 2 {
                bias = self.bias_of_scores(graph, bias, s)?;
            }
            scores = graph.add(scores, bias)?;
        }
        let low = graph.scalar(-1e30);
        if self.masked {
            let shape = vec![s.batch, 1, 1, s.k_len];
            let keep = graph.apply1(Reshape { shape }, &[inputs[self.sources()]])?;
            scores = graph.apply1(Select, &[keep, scores, low])?;
        }
        if self.causal {
            let seen = |i: usize| f32::from(u8::from(i % s.k_len <= i / s.k_len));
            let data: Vec<f32> = (0..s.q_len * s.k_len).map(seen).collect();
            let keep = graph.constant(&[s.q_len, s.k_len], data);
            scores = graph.apply1(Select, &[keep, scores, low])?;
        }
        let p = graph.apply1(Softmax { log: false }, &[scores])?;
        let mixed = graph.apply1(product(false), &[p, parts[2]])?;
        let joined = graph.apply1(Permute { axes: vec![0, 2, 1, 3] }, &[mixed])?;
        let out = graph.apply1(Reshape { shape: vec![s.batch, s.q_len, width] }, &[joined])?;
        // Nothing reads the log-sum-exp when the attention is differentiated piece by piece.
        let unread =
            graph.constant(&[s.batch, self.heads, s.q_len], vec![0.0; s.batch * self.heads * s.q_len]);
        Ok(vec![out, unread])
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let problem =
            || format!("{} heads of queries and {} of keys of {inputs:?}", self.heads, self.kv_heads);
        let divides = self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads);
        if inputs.len() != self.arity() || inputs[0].shape.len() != 3 || self.heads == 0 || !divides {
            return Err(problem());
        }
        let q = &inputs[0].shape;
        let k = &inputs[self.sources().min(2) - 1].shape;
        let s = self.sizes(q, k);
        let width = s.head_dim * self.heads;
        let kv_width = s.head_dim * self.kv_heads;
        let fits = match self.packed {
            true => q[2] == width + 2 * kv_width,
            false => q[2] == width && *k == [s.batch, s.k_len, kv_width] && inputs[2].shape == *k,
        };
        let mask_fits = !self.masked || inputs[self.sources()].shape == [s.batch, s.k_len];
        let bias_fits = !self.biased || {
            let bias = &inputs[self.arity() - 1].shape;
            *bias == [self.heads, s.q_len, s.k_len] || *bias == [self.heads, (s.q_len + s.k_len).max(1) - 1]
        };
        if !fits || !mask_fits || !bias_fits {
            return Err(problem());
        }
        Ok(vec![Type::f32([s.batch, s.q_len, width]), Type::f32([s.batch, self.heads, s.q_len])])
    }

    fn flops(&self, inputs: &[Type], outputs: &[Type]) -> f64 {
        let k_len = inputs[self.sources().min(2) - 1].shape[1] as f64;
        let full = 4.0 * outputs[0].len() as f64 * k_len;
        if self.causal { full / 2.0 } else { full }
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let inputs = [b.inputs, b.outputs, &[dy]].concat();
        let mut given = b.graph.apply(AttentionGrad { attention: *self }, &inputs)?.into_iter();
        for input in 0..self.sources() {
            let grad = given.next().expect("one per source");
            b.give(input, grad);
        }
        if let Some(bias) = given.next() {
            b.give(self.arity() - 1, bias);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let s = self.sizes_of(inputs);
        let width = self.heads * s.head_dim;
        let mut out = Tensor::full([s.batch, s.q_len, width], 0.0);
        let mut lse = Tensor::full([s.batch, self.heads, s.q_len], 0.0);
        for b in 0..s.batch {
            for h in 0..self.heads {
                for t in 0..s.q_len {
                    let (p, log_sum) = self.probabilities(inputs, s, b, h, t);
                    lse.data[(b * self.heads + h) * s.q_len + t] = log_sum;
                    for e in 0..s.head_dim {
                        let value = |j| {
                            let (source, position) = self.locate(s, 2, b, j, h, e);
                            inputs[source].data[position]
                        };
                        out.data[(b * s.q_len + t) * width + h * s.head_dim + e] =
                            (0..s.k_len).map(|j| p[j] * value(j)).sum();
                    }
                }
            }
        }
        vec![out, lse]
    }
}

impl Operation for AttentionGrad {
    fn name(&self) -> &'static str {
        "attention_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let a = &self.attention;
        if inputs.len() != a.arity() + 3 {
            return Err(format!("wants {} operands, got {}", a.arity() + 3, inputs.len()));
        }
        let mut outputs = inputs[..a.sources()].to_vec();
        if a.biased {
            outputs.push(inputs[a.arity() - 1].clone());
        }
        Ok(outputs)
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        let a = &self.attention;
        2.5 * a.flops(&inputs[..a.arity()], &inputs[a.arity()..])
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let a = &self.attention;
        let (arguments, rest) = inputs.split_at(a.arity());
        let dout = rest[2];
        let s = a.sizes_of(arguments);
        let width = a.heads * s.head_dim;
        let mut grads: Vec<Tensor> =
            arguments[..a.sources()].iter().map(|x| Tensor::full(x.shape.clone(), 0.0)).collect();
        let bias_shape = if a.biased { arguments[a.arity() - 1].shape.clone() } else { vec![] };
        let mut dbias = Tensor::full(bias_shape, 0.0);
        for b in 0..s.batch {
            for h in 0..a.heads {
                for t in 0..s.q_len {
                    let (p, _) = a.probabilities(arguments, s, b, h, t);
                    let get = |which, t, e| {
                        let (source, position) = a.locate(s, which, b, t, h, e);
                        arguments[source].data[position]
                    };
                    let d = |e: usize| dout.data[(b * s.q_len + t) * width + h * s.head_dim + e];
                    let dp: Vec<f64> =
                        (0..s.k_len).map(|j| (0..s.head_dim).map(|e| d(e) * get(2, j, e)).sum()).collect();
                    let dot: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
                    for j in 0..s.k_len {
                        let ds = p[j] * (dp[j] - dot);
                        if a.biased {
                            let at = a.bias_position(s, &dbias.shape, h, t, j);
                            dbias.data[at] += ds;
                        }
                        for e in 0..s.head_dim {
                            let scale = a.scale as f64;
                            let parts = [
                                (0, t, ds * scale * get(1, j, e)),
                                (1, j, ds * scale * get(0, t, e)),
                                (2, j, p[j] * d(e)),
                            ];
                            for (which, time, amount) in parts {
                                let (source, position) = a.locate(s, which, b, time, h, e);
                                grads[source].data[position] += amount;
                            }
                        }
                    }
                }
            }
        }
        if a.biased {
            grads.push(dbias);
        }
        grads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::{Bindings, evaluate};

    const PLAIN: Attention = Attention::new(2, 0.7);

    #[test]
    fn gradients() {
        check(&[&[2, 3, 12]], |g, x| g.apply1(PLAIN, x));
        check(&[&[2, 3, 12]], |g, x| g.apply1(Attention { causal: true, ..PLAIN }, x));
        let apart = Attention { packed: false, ..PLAIN };
        check(&[&[2, 3, 4], &[2, 5, 4], &[2, 5, 4]], |g, x| g.apply1(apart, x));
        let distances = Attention { biased: true, ..apart };
        check(&[&[2, 3, 4], &[2, 5, 4], &[2, 5, 4], &[2, 7]], |g, x| g.apply1(distances, x));
        let full = Attention { masked: true, biased: true, ..apart };
        check(&[&[1, 2, 4], &[1, 3, 4], &[1, 3, 4], &[2, 2, 3]], |g, x| {
            let mask = g.constant(&[1, 3], [1.0, 0.0, 1.0].as_slice());
            g.apply1(full, &[x[0], x[1], x[2], mask, x[3]])
        });
    }

    #[test]
    fn grouped_heads() {
        let grouped = Attention { heads: 4, ..PLAIN };
        check(&[&[2, 3, 16]], |g, x| g.apply1(grouped, x));
        check(&[&[2, 3, 16]], |g, x| Ok(grouped.materialise(g, x)?[0]));
        let apart = Attention { kv_heads: 1, packed: false, ..grouped };
        check(&[&[2, 3, 8], &[2, 5, 2], &[2, 5, 2]], |g, x| g.apply1(apart, x));
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 3, 16]));
        for kv_heads in [0, 3, 4] {
            assert!(g.apply1(Attention { kv_heads, ..grouped }, &[x]).is_err(), "{kv_heads}");
        }
    }

    #[test]
    fn materialised() {
        check(&[&[2, 3, 12]], |g, x| Ok(Attention { causal: true, ..PLAIN }.materialise(g, x)?[0]));
        let distances = Attention { packed: false, biased: true, ..PLAIN };
        let shapes: &[&[usize]] = &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 4], &[2, 7]];
        check(shapes, |g, x| Ok(distances.materialise(g, x)?[0]));
        let mut g = Graph::new();
        let x: Vec<ValueId> = shapes.iter().map(|s| g.input("x", Type::f32(s.to_vec()))).collect();
        let fused = g.apply1(distances, &x).unwrap();
        let apart = distances.materialise(&mut g, &x).unwrap()[0];
        let number = |i: &[usize]| (i.iter().fold(7, |a, x| 31 * a + x) % 17) as f64 / 8.0 - 1.0;
        let inputs = shapes.iter().map(|s| Tensor::from_fn(s.to_vec(), number)).collect();
        let values = evaluate(&g, &Bindings { inputs, ..Bindings::default() });
        for (x, y) in values[fused.index()].data.iter().zip(&values[apart.index()].data) {
            assert!((x - y).abs() < 1e-6, "{x} {y}");
        }
    }
}
