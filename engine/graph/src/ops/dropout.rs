//! Dropout (Srivastava et al. 2014).

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Zeroes elements with probability `rate` and divides the rest by `1 - rate`.
///
/// Which are kept is a function of (seed, step, site, sample, position), so that the backward pass
/// is the same operation on the gradient, and nothing depends on how a batch is divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zeroing.
    pub rate: f32,
    /// Tells this dropout from the others of the model.
    pub site: u32,
    /// Samples of the operand, which follow each other: its length is a multiple of it.
    pub samples: usize,
}

impl Operation for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if x.len().checked_rem(self.samples) == Some(0) && (0.0..1.0).contains(&self.rate) => {
                Ok(vec![x.clone()])
            }
            _ => Err(format!(
                "rate {} of {} samples in {inputs:?}; the rate must be in [0, 1)",
                self.rate, self.samples
            )),
        }
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let dy = b.grad();
        let dx = b.apply(*self, &[dy])?;
        b.give(0, dx);
        Ok(true)
    }

    /// Keeps everything: the reference has no random numbers, and this is the mean.
    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        vec![inputs[0].clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(&[&[3, 4]], |g, x| g.apply1(Dropout { rate: 0.5, site: 0, samples: 3 }, x));
    }
}
