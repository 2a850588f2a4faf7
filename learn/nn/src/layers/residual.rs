//! Residual connections.

use bessemer_graph::GraphError;

use crate::layers::Linear;
use crate::trace::{Trace, Value};

/// skip(x) + part(x) (He et al. 2016), where skip is the identity or a linear map under `skip`.
///
/// ```
/// use bessemer_nn::{Trace, layers::{Linear, Residual}};
///
/// let mut t = Trace::new(4, 4, true);
/// let x = t.input("x", &[8]);
/// let y = Residual::identity().forward(&mut t, x, |t, x| {
///     t.scope("dense", |t| Linear::new(8, 8).forward(t, x))
/// })?;
/// assert_eq!(t.graph.shape(y), [4, 8]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residual {
    /// The way around; the identity if `None`.
    pub skip: Option<Linear>,
}

impl Residual {
    /// x + part(x).
    pub fn identity() -> Residual {
        Residual { skip: None }
    }

    /// skip(x) + part(x), with a linear map from one width to another.
    pub fn projected(inputs: usize, outputs: usize) -> Residual {
        Residual { skip: Some(Linear::new(inputs, outputs)) }
    }

    /// Traces `part` and adds the way around it.
    pub fn forward(
        &self,
        t: &mut Trace,
        x: Value,
        part: impl FnOnce(&mut Trace, Value) -> Result<Value, GraphError>,
    ) -> Result<Value, GraphError> {
        let y = part(t, x)?;
        let around = match &self.skip {
            Some(skip) => t.scope("skip", |t| skip.forward(t, x))?,
            None => x,
        };
        t.graph.add(around, y)
    }
}
