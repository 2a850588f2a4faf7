//! Writing a model down: layers are traced into a graph, and say how their parameters start.

use bessemer_graph::{Graph, GraphError, Op, Type, ValueId};

use crate::init::Init;

/// A value of the model being traced.
pub type Value = ValueId;

/// The graph of one micro-batch while it is being written, and the parameters it declares.
///
/// A model is traced once per micro-batch size; the same code must declare the same parameters in
/// the same order each time.
pub struct Trace {
    /// The graph so far.
    pub graph: Graph,
    samples: usize,
    batch: usize,
    training: bool,
    drops: bool,
    inits: Vec<Init>,
    buffers: Vec<bool>,
}

impl Trace {
    /// For a micro-batch of `samples` out of a batch of `batch`.
    pub fn new(samples: usize, batch: usize, training: bool) -> Trace {
        let (inits, buffers) = (Vec::new(), Vec::new());
        Trace { graph: Graph::new(), samples, batch, training, drops: training, inits, buffers }
    }

    /// The same with dropout even where nothing is trained, for Monte-Carlo dropout.
    pub fn with_dropout(self) -> Trace {
        Trace { drops: true, ..self }
    }

    /// Samples in the micro-batch.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Samples in the whole batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Whether batch statistics are taken.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Whether dropout drops.
    pub fn drops(&self) -> bool {
        self.drops
    }

    /// Declares an input of floats: its shape after the first axis, which is the sample.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Value {
        self.graph.input(name, Type::f32([&[self.samples], shape].concat()))
    }

    /// Declares an input of integers.
    pub fn input_indices(&mut self, name: &str, shape: &[usize]) -> Value {
        self.graph.input(name, Type::i32([&[self.samples], shape].concat()))
    }

    /// A learned tensor under the current scope.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Value, GraphError> {
        self.declare(name, shape, init, false)
    }

    /// A tensor that follows statistics instead of gradients.
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Value, GraphError> {
        self.declare(name, shape, init, true)
    }

    fn declare(
        &mut self,
        name: &str,
        shape: &[usize],
        init: Init,
        buffer: bool,
    ) -> Result<Value, GraphError> {
        let before = self.graph.parameters().len();
        let value = self.graph.parameter(name, shape)?;
        if self.graph.parameters().len() > before {
            self.inits.push(init);
            self.buffers.push(buffer);
        }
        Ok(value)
    }

    /// Writes a named part of the model.
    pub fn scope<R>(&mut self, name: &str, part: impl FnOnce(&mut Trace) -> R) -> R {
        self.graph.enter(name);
        let result = part(self);
        self.graph.leave();
        result
    }

    /// Appends an operation with one output.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Result<Value, GraphError> {
        self.graph.apply1(op, inputs)
    }

    /// How each parameter starts, in order.
    pub fn inits(&self) -> &[Init] {
        &self.inits
    }

    /// Which parameters follow statistics instead of gradients.
    pub fn buffers(&self) -> &[bool] {
        &self.buffers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_used_twice_is_declared_once() {
        let mut t = Trace::new(2, 8, true);
        let mean = t.buffer("mean", &[3], Init::ZEROS).unwrap();
        t.parameter("weight", &[3], Init::ONES).unwrap();
        assert_eq!(t.buffer("mean", &[3], Init::ZEROS).unwrap(), mean);
        assert_eq!(t.inits(), [Init::ZEROS, Init::ONES]);
        assert_eq!(t.buffers(), [true, false]);
    }
}
