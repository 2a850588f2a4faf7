//! Dropout.

use bessemer_graph::{GraphError, ops};

use crate::trace::{Trace, Value};

/// While training, or in a trace [with dropout](Trace::with_dropout), zeroes elements with probability `rate`
/// and divides the others by `1 - rate` (Srivastava et al. 2014); otherwise changes nothing.
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
        if !t.drops() || self.rate == 0.0 {
            return Ok(x);
        }
        let (site, samples) = (t.graph.next_dropout_site(), t.samples());
        t.apply(ops::dropout::Dropout { rate: self.rate, site, samples }, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_kernels::pool::Pool;
    use bessemer_plan::{Batch, Executable, Parameters, PlanOptions};

    fn operations(training: bool, rate: f32) -> Vec<&'static str> {
        let mut t = Trace::new(2, 8, training);
        let x = t.input("x", &[3, 5]);
        let rows = t.graph.reshape(x, &[6, 5]).unwrap();
        let y = Dropout::new(rate).forward(&mut t, rows).unwrap();
        assert_eq!(t.graph.shape(y), [6, 5]);
        t.graph.nodes().iter().map(|n| n.op.operation().name()).collect()
    }

    /// Two channels of a sample folded into the first axis.
    #[test]
    fn what_is_dropped_does_not_depend_on_the_division() {
        let dropped = |micro_batch| {
            let trace = |samples| {
                let mut t = Trace::new(samples, 6, true);
                let x = t.input("x", &[2, 50]);
                let folded = t.graph.reshape(x, &[2 * samples, 50])?;
                let y = Dropout::new(0.25).forward(&mut t, folded)?;
                let y = t.graph.reshape(y, &[samples, 100])?;
                t.graph.output("y", y);
                Ok(t.graph)
            };
            let options = PlanOptions { micro_batch: Some(micro_batch), ..PlanOptions::INFER };
            let mut step = Executable::compile(&trace, 6, &options).unwrap();
            let parameters = Parameters::new(step.parameters());
            let x = vec![1.0; 600];
            let batch = Batch { inputs: &[&x], loss_scale: 1.0, seed: 3, step: 5 };
            step.run(&Pool::new(1), &parameters, &batch).unwrap();
            step.output("y").unwrap().to_vec()
        };
        let whole = dropped(6);
        assert_eq!(dropped(1), whole);
        assert_eq!(dropped(4), whole);
        let kept = whole.iter().filter(|y| **y != 0.0).count();
        assert!((400..500).contains(&kept), "{kept} of 600 kept at rate 0.25");
        assert_ne!(whole[..100], whole[100..200], "samples differ");
    }

    #[test]
    fn drops_only_while_training_or_if_asked_to() {
        assert_eq!(operations(false, 0.5), ["input", "reshape"]);
        assert_eq!(operations(true, 0.0), ["input", "reshape"]);
        assert_eq!(operations(true, 0.5), ["input", "reshape", "dropout"]);
        let mut t = Trace::new(2, 8, false).with_dropout();
        let x = t.input("x", &[3]);
        Dropout::new(0.5).forward(&mut t, x).unwrap();
        assert!(t.drops() && !t.is_training() && t.graph.nodes().len() == 2);
    }
}
