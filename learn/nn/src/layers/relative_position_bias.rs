//! Attention scores that depend on how far apart two positions are.

use bessemer_graph::GraphError;

use crate::init::Init;
use crate::trace::{Trace, Value};

/// A learned number for every head and every distance of a key from its query, added to the scores (Shaw
/// et al. 2018; as in Raffel et al. 2020, without their buckets of distances).
///
/// ```
/// use bessemer_nn::{Trace, layers::{Masks, MultiHeadAttention, RelativePositionBias}};
///
/// let mut t = Trace::new(2, 2, true);
/// let x = t.input("x", &[10, 16]);
/// let bias = t.scope("distance", |t| RelativePositionBias { heads: 4 }.forward(t, 10))?;
/// let masks = Masks { bias: Some(bias), ..Masks::default() };
/// let y = MultiHeadAttention::new(16, 4).self_attention(&mut t, x, masks)?;
/// assert_eq!(t.graph.shape(y), [2, 10, 16]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativePositionBias {
    /// Number of heads.
    pub heads: usize,
}

impl RelativePositionBias {
    /// The bias of `len` positions: `[heads, len, len]`.
    ///
    /// Parameter `table` `[heads, 2 len - 1]`, zero: the distances from -(len - 1), a key so far before its
    /// query, to len - 1.
    pub fn forward(&self, t: &mut Trace, len: usize) -> Result<Value, GraphError> {
        let (heads, len) = (self.heads, len.max(1));
        let distances = 2 * len - 1;
        let table = t.parameter("table", &[heads, distances], Init::ZEROS)?;
        // Row i of the result is the table from len - 1 - i on. In rows that are one longer than the table,
        // one behind the other, the same offset moves back by one from row to row.
        let rows = t.graph.reshape(table, &[heads, 1, distances])?;
        let rows = t.graph.broadcast_to(rows, &[heads, len, distances])?;
        let end = t.graph.constant(&[heads, len, 1], vec![0.0; heads * len]);
        let longer = t.apply(bessemer_graph::ops::concat::Concat { axis: 2 }, &[rows, end])?;
        let line = t.graph.reshape(longer, &[heads, 2 * len * len])?;
        let line = t.graph.slice(line, 1, len - 1, len * distances)?;
        let turned = t.graph.reshape(line, &[heads, len, distances])?;
        t.graph.slice(turned, 2, 0, len)
    }
}

#[cfg(test)]
mod tests {
    use bessemer_graph::{Bindings, Tensor, evaluate};

    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn scores_depend_on_the_distance() {
        for len in [1, 2, 5] {
            let mut t = Trace::new(1, 1, true);
            let bias = RelativePositionBias { heads: 2 }.forward(&mut t, len).unwrap();
            assert_eq!(t.graph.shape(bias), [2, len, len]);
            let distances = 2 * len - 1;
            let table = Tensor::from_fn([2, distances], |i| (100 * i[0] + i[1]) as f64);
            let bindings = Bindings { parameters: vec![table], ..Bindings::default() };
            let values = evaluate(&t.graph, &bindings);
            let expected = Tensor::from_fn([2, len, len], |i| (100 * i[0] + i[2] + len - 1 - i[1]) as f64);
            assert_eq!(values[bias.index()].data, expected.data);
        }
    }

    #[test]
    fn gradients() {
        check(2, &[&[2, 3, 4]], |t, x| {
            let bias = RelativePositionBias { heads: 2 }.forward(t, 3)?;
            let masks = crate::layers::Masks { bias: Some(bias), ..Default::default() };
            crate::layers::MultiHeadAttention::new(4, 2).self_attention(t, x[0], masks)
        });
    }
}
