//! Dropout.

use bessemer_graph::{GraphError, ops};

use crate::trace::{Trace, Value};

/// While training, zeroes elements with probability `rate` and divides the others by `1 - rate`
/// (Srivastava et al. 2014); otherwise changes nothing.
///
/// What is dropped depends on the seed, the step, the sample and the position only, not on how the
/// batch is divided. Axes that were folded into the first one (such as channels) count as positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zeroing, in `[0, 1)`.
    pub rate: f32,
}

impl Dropout {
    /// Of a rate.
    pub fn new(rate: f32) -> Dropout {
        Dropout { rate }
    }

    /// The shape stays; the first axis is a multiple of the micro-batch's samples.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        if !t.is_training() || self.rate == 0.0 {
            return Ok(x);
        }
        let shape = t.graph.shape(x).to_vec();
        let per_sample = shape.iter().product::<usize>() / t.samples().max(1);
        let rows = t.graph.reshape(x, &[t.samples(), per_sample])?;
        let site = t.graph.next_dropout_site();
        let dropped = t.apply(ops::dropout::Dropout { rate: self.rate, site }, &[rows])?;
        t.graph.reshape(dropped, &shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(training: bool, rate: f32) -> Vec<&'static str> {
        let mut t = Trace::new(2, 8, training);
        let x = t.input("x", &[3, 5]);
        let rows = t.graph.reshape(x, &[6, 5]).unwrap();
        let y = Dropout::new(rate).forward(&mut t, rows).unwrap();
        assert_eq!(t.graph.shape(y), [6, 5]);
        t.graph.nodes().iter().map(|n| n.op.operation().name()).collect()
    }

    #[test]
    fn drops_only_while_training() {
        assert_eq!(operations(false, 0.5), ["input", "reshape"]);
        assert_eq!(operations(true, 0.0), ["input", "reshape"]);
        assert_eq!(operations(true, 0.5), ["input", "reshape", "reshape", "dropout", "reshape"]);
    }
}
