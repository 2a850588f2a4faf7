//! A learned vector for every index.

use bessemer_graph::{GraphError, ops};

use crate::init::Init;
use crate::trace::{Trace, Value};

/// Rows of a learned table `weight` `[rows, width]`, which starts normal with deviation 1, as in
/// PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// How many indices there are.
    pub rows: usize,
    /// Length of a vector.
    pub width: usize,
}

impl Embedding {
    /// Of a number of rows and a width.
    pub fn new(rows: usize, width: usize) -> Embedding {
        Embedding { rows, width }
    }

    /// Integers `[..]` below `rows` to `[.., width]`.
    pub fn forward(&self, t: &mut Trace, indices: Value) -> Result<Value, GraphError> {
        let weight = t.parameter("weight", &[self.rows, self.width], Init::Normal { std: 1.0 })?;
        t.apply(ops::embedding::Embedding, &[weight, indices])
    }
}
