//! The gated recurrent unit.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError};

use crate::layers::recurrent::{Cell, Recurrent, gates};
use crate::trace::Value;

/// Gated recurrent unit (Cho et al. 2014, in PyTorch's form): r = σ(x_r + h_r), z = σ(x_z + h_z),
/// n = tanh(x_n + r h_n), h' = (1 - z) n + z h, where x_· and h_· are the parts of W_ih x + b_ih and of
/// W_hh h + b_hh.
///
/// ```
/// use bessemer_nn::{Trace, layers::Gru};
///
/// let mut t = Trace::new(32, 32, true);
/// let x = t.input("x", &[96, 7]);
/// let y = Gru::new(7, 64).forward(&mut t, x)?;
/// assert_eq!(t.graph.shape(y), [32, 96, 64]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
pub type Gru = Recurrent<GruCell>;

/// The step of a [`Gru`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruCell;

impl Cell for GruCell {
    const GATES: usize = 3;
    const STATES: &'static [&'static str] = &["h"];

    fn step(
        body: &mut Graph,
        input: Value,
        recurrent: Value,
        states: &[Value],
    ) -> Result<Vec<Value>, GraphError> {
        let x = gates(body, input, 3)?;
        let h = gates(body, recurrent, 3)?;
        let r = body.add(x[0], h[0])?;
        let r = body.apply1(Unary::Sigmoid, &[r])?;
        let z = body.add(x[1], h[1])?;
        let z = body.apply1(Unary::Sigmoid, &[z])?;
        let reset = body.mul(r, h[2])?;
        let n = body.add(x[2], reset)?;
        let n = body.apply1(Unary::Tanh, &[n])?;
        let old = body.sub(states[0], n)?;
        let kept = body.mul(z, old)?;
        Ok(vec![body.add(n, kept)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(2, &[&[2, 3, 3]], |t, x| Gru::new(3, 2).with_both_directions().with_layers(2).forward(t, x[0]));
    }
}
