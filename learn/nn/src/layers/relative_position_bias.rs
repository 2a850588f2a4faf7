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
/// let bias = t.scope("distance", |t| RelativePositionBias { heads: 4 }.forward(t, 10, 10))?;
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
    /// The bias of `queries` against `keys`: `[heads, queries + keys - 1]`, whatever the length.
    ///
    /// Parameter `table` of that shape, zero: from what the first query adds to the last key, to what the
    /// last query adds to the first key.
    pub fn forward(&self, t: &mut Trace, queries: usize, keys: usize) -> Result<Value, GraphError> {
        t.parameter("table", &[self.heads, (queries + keys).max(1) - 1], Init::ZEROS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::layers::{Masks, MultiHeadAttention};

    #[test]
    fn gradients() {
        let layer = MultiHeadAttention::new(4, 2);
        check(2, &[&[2, 3, 4]], |t, x| {
            let bias = RelativePositionBias { heads: 2 }.forward(t, 3, 3)?;
            layer.self_attention(t, x[0], Masks { bias: Some(bias), ..Masks::default() })
        });
        check(2, &[&[2, 3, 4], &[2, 5, 4]], |t, x| {
            let bias = RelativePositionBias { heads: 2 }.forward(t, 3, 5)?;
            layer.cross_attention(t, x[0], x[1], Masks { bias: Some(bias), ..Masks::default() })
        });
    }
}
