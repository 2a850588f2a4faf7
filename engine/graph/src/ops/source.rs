//! Values given from outside: inputs, parameters, constants, and the step's loss scale.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::shape::Type;
use crate::tensor::Tensor;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The input of this index.
    Input(usize),
    /// The parameter of this index.
    Parameter(usize),
    /// The constant of this index.
    Constant(usize),
    /// The number by which the step scales the summed loss.
    LossScale,
}

impl Operation for Source {
    fn name(&self) -> &'static str {
        match self {
            Source::Input(_) => "input",
            Source::Parameter(_) => "parameter",
            Source::Constant(_) => "constant",
            Source::LossScale => "loss_scale",
        }
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        Err("a source is declared, not applied".into())
    }

    fn flops(&self, _: &[Type], _: &[Type]) -> f64 {
        0.0
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(true)
    }

    fn reference(&self, _: &[&Tensor]) -> Vec<Tensor> {
        unreachable!("sources are bound, not evaluated")
    }
}
