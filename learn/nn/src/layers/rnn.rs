//! The simple recurrent network.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError};

use crate::layers::recurrent::{Cell, Recurrent};
use crate::trace::Value;

/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman 1990).
///
/// ```
/// use bessemer_nn::{Trace, layers::Rnn};
///
/// let mut t = Trace::new(32, 32, true);
/// let x = t.input("x", &[96, 7]);
/// let y = Rnn::new(7, 64).with_both_directions().forward(&mut t, x)?;
/// assert_eq!(t.graph.shape(y), [32, 96, 128]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
pub type Rnn = Recurrent<RnnCell>;

/// The step of an [`Rnn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RnnCell;

impl Cell for RnnCell {
    const GATES: usize = 1;
    const STATES: &'static [&'static str] = &["h"];

    fn step(body: &mut Graph, input: Value, recurrent: Value, _: &[Value]) -> Result<Vec<Value>, GraphError> {
        let sum = body.add(recurrent, input)?;
        Ok(vec![body.apply1(Unary::Tanh, &[sum])?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::trace::Trace;

    #[test]
    fn gradients() {
        check(2, &[&[2, 4, 3]], |t, x| Rnn::new(3, 2).with_both_directions().with_layers(2).forward(t, x[0]));
        check(2, &[&[2, 4, 3]], |t, x| Rnn::new(3, 2).with_both_directions().last(t, x[0]));
    }

    #[test]
    fn another_width_than_announced_is_refused() {
        let mut t = Trace::new(2, 2, true);
        let x = t.input("x", &[5, 7]);
        assert!(matches!(
            Rnn::new(3, 4).forward(&mut t, x),
            Err(GraphError::Shape { operation: "linear", .. })
        ));
    }
}
