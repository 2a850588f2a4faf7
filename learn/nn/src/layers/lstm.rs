//! Long short-term memory.

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::{Graph, GraphError};

use crate::init::Init;
use crate::layers::recurrent::{Cell, Recurrent, gates};
use crate::trace::Value;

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000):
/// c' = σ(f) c + σ(i) tanh(g) and h' = σ(o) tanh(c'), where i, f, g, o are the parts of
/// W_ih x + b_ih + W_hh h + b_hh. The forget gate's bias starts at 1, so that a fresh network remembers
/// (Jozefowicz et al. 2015).
///
/// ```
/// use bessemer_nn::{Trace, layers::Lstm};
///
/// let mut t = Trace::new(32, 32, true);
/// let x = t.input("x", &[96, 7]);
/// let y = Lstm::new(7, 128).with_layers(2).last(&mut t, x)?;
/// assert_eq!(t.graph.shape(y), [32, 128]);
/// assert_eq!(t.graph.parameters()[0].name, "weight_ih_l0");
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
pub type Lstm = Recurrent<LstmCell>;

/// The step of an [`Lstm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmCell;

impl Cell for LstmCell {
    const GATES: usize = 4;
    const STATES: &'static [&'static str] = &["h", "c"];

    fn step(
        body: &mut Graph,
        input: Value,
        recurrent: Value,
        states: &[Value],
    ) -> Result<Vec<Value>, GraphError> {
        let sum = body.add(recurrent, input)?;
        let parts = gates(body, sum, 4)?;
        let i = body.apply1(Unary::Sigmoid, &[parts[0]])?;
        let f = body.apply1(Unary::Sigmoid, &[parts[1]])?;
        let g = body.apply1(Unary::Tanh, &[parts[2]])?;
        let o = body.apply1(Unary::Sigmoid, &[parts[3]])?;
        let kept = body.mul(f, states[1])?;
        let new = body.mul(i, g)?;
        let c = body.add(kept, new)?;
        let squashed = body.apply1(Unary::Tanh, &[c])?;
        Ok(vec![body.mul(o, squashed)?, c])
    }

    fn input_bias(hidden: usize) -> Init {
        Init::fan_in_but(hidden, hidden..2 * hidden, 1.0)
    }

    fn recurrent_bias(hidden: usize) -> Init {
        Init::fan_in_but(hidden, hidden..2 * hidden, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::init::initialize;
    use crate::trace::Trace;
    use bessemer_plan::Parameters;

    #[test]
    fn gradients() {
        check(2, &[&[2, 3, 3]], |t, x| {
            Lstm::new(3, 2).with_both_directions().with_layers(2).forward(t, x[0])
        });
        check(2, &[&[2, 1, 3]], |t, x| Lstm::new(3, 2).last(t, x[0]));
    }

    #[test]
    fn a_fresh_network_remembers() {
        let mut t = Trace::new(2, 2, true);
        let x = t.input("x", &[5, 3]);
        Lstm::new(3, 4).forward(&mut t, x).unwrap();
        let mut parameters = Parameters::new(t.graph.parameters());
        initialize(&mut parameters, t.inits(), 1);
        assert_eq!(&parameters.get(2)[4..8], [1.0; 4]);
        assert_eq!(&parameters.get(3)[4..8], [0.0; 4]);
        assert!(parameters.get(2)[..4].iter().all(|x| x.abs() < 0.5));
    }
}
