//! Looking for what is no number any more.

use std::fmt;

use bessemer_kernels::pool::Pool;

use crate::error::PlanError;
use crate::parameters::Parameters;
use crate::step::{Batch, Executable};

/// The first value of a run that is infinite or NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct NotFinite {
    /// The value.
    pub value: f32,
    /// Where it comes from.
    pub origin: Origin,
}

/// What first gave a value that is infinite or NaN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An input.
    Input(String),
    /// A parameter.
    Parameter(String),
    /// An operation, or one of a few that run together.
    Operation {
        /// As the graph names them.
        names: Vec<&'static str>,
        /// Where in the model it stands.
        scope: String,
    },
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        match &self.origin {
            Origin::Input(name) => write!(f, "input `{name}` holds {value}"),
            Origin::Parameter(name) => write!(f, "parameter `{name}` holds {value}"),
            Origin::Operation { names, scope } => {
                match names.as_slice() {
                    [name] => write!(f, "`{name}`")?,
                    names => write!(f, "one of `{}`", names.join("`, `"))?,
                }
                match scope.as_str() {
                    "" => write!(f, " gives {value}"),
                    scope => write!(f, " at `{scope}` gives {value}"),
                }
            }
        }
    }
}

/// The first that is infinite or NaN.
pub(crate) fn first_not_finite(values: &[f32]) -> Option<f32> {
    values.iter().copied().find(|x| !x.is_finite())
}

impl Executable {
    /// Runs a batch and looks through all that is read and written for the first value that is infinite or
    /// NaN: in inputs, then in parameters, then in the order in which operations run.
    ///
    /// ```
    /// use bessemer_graph::{Graph, Type, ops::unary::Unary};
    /// use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};
    ///
    /// let trace = |samples| {
    ///     let mut g = Graph::new();
    ///     let x = g.input("x", Type::f32([samples, 2]));
    ///     let y = g.apply1(Unary::Log, &[x])?;
    ///     g.output("y", y);
    ///     Ok(g)
    /// };
    /// let mut step = Executable::compile(&trace, 1, &PlanOptions::INFER)?;
    /// let parameters = Parameters::new(step.parameters());
    /// let batch = Batch { inputs: &[&[1.0, -1.0]], loss_scale: 1.0, seed: 0, step: 0 };
    /// let found = step.find_not_finite(&Pool::new(1), &parameters, &batch)?.unwrap();
    /// assert!(found.to_string().contains("gives NaN"), "{found}");
    /// # Ok::<(), bessemer_plan::PlanError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Executable::run`].
    pub fn find_not_finite(
        &mut self,
        pool: &Pool,
        parameters: &Parameters,
        batch: &Batch,
    ) -> Result<Option<NotFinite>, PlanError> {
        let floats = self.float_inputs().zip(batch.inputs).filter_map(|(name, input)| Some((name?, input)));
        for (name, input) in floats {
            if let Some(value) = first_not_finite(input) {
                return Ok(Some(NotFinite { value, origin: Origin::Input(name.to_string()) }));
            }
        }
        for (i, spec) in parameters.specs().iter().enumerate() {
            if let Some(value) = first_not_finite(parameters.get(i)) {
                return Ok(Some(NotFinite { value, origin: Origin::Parameter(spec.name.clone()) }));
            }
        }
        self.run_checked(pool, parameters, batch)
    }
}
