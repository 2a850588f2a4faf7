//! What can go wrong between a graph and a run.

use bessemer_graph::GraphError;

/// A graph that cannot be compiled, or data that does not fit a compiled one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The graph itself is wrong.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An input of the wrong length.
    #[error("input `{name}` holds {got} numbers, but a batch of {batch} needs {expected}")]
    Input {
        /// The input's name.
        name: String,
        /// What it holds.
        got: usize,
        /// Samples in the batch.
        batch: usize,
        /// What it should hold.
        expected: usize,
    },
    /// The wrong number of inputs.
    #[error("{got} inputs given, but the model has {expected}: {names}")]
    InputCount {
        /// How many were given.
        got: usize,
        /// How many there are.
        expected: usize,
        /// Their names.
        names: String,
    },
    /// More inputs than a plan can hold.
    #[error("the model has {got} inputs, but at most {limit} are supported; join some of them")]
    TooManyInputs {
        /// How many the model has.
        got: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Training in a precision without gradients.
    #[error("8-bit integers are for inference; train in f32 or bf16 and round the weights afterwards")]
    NotTrainable,
    /// An index outside its table.
    #[error("`{scope}`: {problem}")]
    Index {
        /// Where in the model it was used.
        scope: String,
        /// Which index, and what it may be.
        problem: String,
    },
    /// An operation that no kernel runs.
    #[error("{operation} at `{scope}`: {problem}")]
    Unsupported {
        /// The operation's name.
        operation: &'static str,
        /// Where in the model it stands.
        scope: String,
        /// Why it can't be run.
        problem: String,
    },
}
