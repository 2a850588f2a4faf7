//! What can be wrong with a graph.

/// A graph that cannot be built or differentiated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// The operands' shapes don't fit the operation.
    #[error("{operation} at `{scope}`: {problem}")]
    Shape {
        /// The operation's name.
        operation: &'static str,
        /// Where in the model it stands.
        scope: String,
        /// What is wrong, with the shapes.
        problem: String,
    },
    /// A gradient must flow through an operation that has none.
    #[error("{operation} at `{scope}` has no gradient, and something upstream of it needs one")]
    NoGradient {
        /// The operation's name.
        operation: &'static str,
        /// Where in the model it stands.
        scope: String,
    },
    /// One parameter name, two shapes.
    #[error(
        "parameter `{name}` is declared as {first:?} and again as {second:?}; share a layer or rename it"
    )]
    ParameterClash {
        /// The parameter's full name.
        name: String,
        /// The shape first declared.
        first: Vec<usize>,
        /// The shape declared again.
        second: Vec<usize>,
    },
}
