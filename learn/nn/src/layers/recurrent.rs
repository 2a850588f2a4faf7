//! What recurrent layers share: stacking, directions, and the loop over time.

use std::marker::PhantomData;

use bessemer_graph::ops::concat::Concat;
use bessemer_graph::ops::scan::Scan;
use bessemer_graph::{Graph, GraphError, Type};

use crate::init::Init;
use crate::trace::{Trace, Value};

/// What a recurrent layer does at a step.
pub trait Cell: Copy {
    /// How many values of each hidden unit its products give.
    const GATES: usize;
    /// Its states; the first is what the layer gives.
    const STATES: &'static [&'static str];

    /// The states after a step, each `[samples, hidden]`, from those before. `input` and `recurrent`,
    /// each `[samples, gates * hidden]`, are the products of the step's input and of the first state with
    /// their weights, biases added.
    fn step(
        body: &mut Graph,
        input: Value,
        recurrent: Value,
        states: &[Value],
    ) -> Result<Vec<Value>, GraphError>;

    /// How the bias of the input's product starts.
    fn input_bias(hidden: usize) -> Init {
        Init::fan_in(hidden)
    }

    /// How the bias of the state's product starts.
    fn recurrent_bias(hidden: usize) -> Init {
        Init::fan_in(hidden)
    }
}

/// A stack of recurrent layers, perhaps in both directions, that starts from zero states.
///
/// Parameters have PyTorch's names and shapes: for layer l `weight_ih_l{l}` `[gates * hidden, inputs]`,
/// `weight_hh_l{l}` `[gates * hidden, hidden]`, `bias_ih_l{l}` and `bias_hh_l{l}`, and the same with
/// `_reverse` behind; they start uniform in ±1/√hidden unless the cell says otherwise. The products with
/// inputs are made for all steps at once, before the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent<C> {
    /// Length of the last axis of x.
    pub inputs: usize,
    /// Hidden units of each layer and direction.
    pub hidden: usize,
    /// Layers, at least one, each reading what the one below gives.
    pub layers: usize,
    /// Whether each layer also reads from the end, in units of its own.
    pub bidirectional: bool,
    cell: PhantomData<C>,
}

impl<C: Cell> Recurrent<C> {
    /// One layer, forwards.
    pub fn new(inputs: usize, hidden: usize) -> Recurrent<C> {
        Recurrent { inputs, hidden, layers: 1, bidirectional: false, cell: PhantomData }
    }

    /// With so many layers.
    pub fn with_layers(self, layers: usize) -> Recurrent<C> {
        Recurrent { layers, ..self }
    }

    /// In both directions.
    pub fn with_both_directions(self) -> Recurrent<C> {
        Recurrent { bidirectional: true, ..self }
    }

    /// The last layer's first state at every step: `[samples, time, inputs]` to
    /// `[samples, time, hidden]`, twice that in both directions (forwards first).
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let directions = self.last_layer(t, x)?;
        let y = joined(t, &directions, 2)?;
        t.graph.permute(y, &[1, 0, 2])
    }

    /// The last layer's first state after the last step of each direction: `[samples, time, inputs]` to
    /// `[samples, hidden]`, twice that in both directions.
    pub fn last(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let steps = t.graph.shape(x).get(1).copied().unwrap_or(1);
        let mut finals = Vec::new();
        for (direction, y) in self.last_layer(t, x)?.into_iter().enumerate() {
            let at = if direction == 0 { steps - 1 } else { 0 };
            let y = t.graph.slice(y, 0, at, 1)?;
            let shape = t.graph.shape(y)[1..].to_vec();
            finals.push(t.graph.reshape(y, &shape)?);
        }
        joined(t, &finals, 1)
    }

    /// The last layer's results `[time, samples, hidden]`, by direction.
    fn last_layer(&self, t: &mut Trace, x: Value) -> Result<Vec<Value>, GraphError> {
        let mut x = t.graph.permute(x, &[1, 0, 2])?;
        let mut directions = Vec::new();
        for layer in 0..self.layers.max(1) {
            if layer > 0 {
                x = joined(t, &directions, 2)?;
            }
            let inputs = if layer > 0 { t.graph.ty(x).last() } else { self.inputs };
            directions = vec![self.direction(t, x, inputs, &format!("l{layer}"), false)?];
            if self.bidirectional {
                directions.push(self.direction(t, x, inputs, &format!("l{layer}_reverse"), true)?);
            }
        }
        Ok(directions)
    }

    /// `[time, samples, inputs]` to `[time, samples, hidden]`.
    fn direction(
        &self,
        t: &mut Trace,
        x: Value,
        inputs: usize,
        name: &str,
        reverse: bool,
    ) -> Result<Value, GraphError> {
        let samples = t.graph.shape(x)[1];
        let (hidden, gates) = (self.hidden, C::GATES * self.hidden);
        let weight = Init::fan_in(hidden);
        let weight_ih = t.parameter(&format!("weight_ih_{name}"), &[gates, inputs], weight)?;
        let weight_hh = t.parameter(&format!("weight_hh_{name}"), &[gates, hidden], weight)?;
        let bias_ih = t.parameter(&format!("bias_ih_{name}"), &[gates], C::input_bias(hidden))?;
        let bias_hh = t.parameter(&format!("bias_hh_{name}"), &[gates], C::recurrent_bias(hidden))?;
        let input = t.graph.linear(x, weight_ih, Some(bias_ih))?;

        let mut body = Graph::new();
        let states: Vec<Value> =
            C::STATES.iter().map(|name| body.input(name, Type::f32([samples, hidden]))).collect();
        let slice = body.input("input", Type::f32([samples, gates]));
        let weight = body.parameter("weight_hh", &[gates, hidden])?;
        let bias = body.parameter("bias_hh", &[gates])?;
        let recurrent = body.linear(states[0], weight, Some(bias))?;
        let next = C::step(&mut body, slice, recurrent, &states)?;
        for (name, state) in C::STATES.iter().zip(next) {
            body.output(name, state);
        }
        let scan = Scan::new(body, states.len(), reverse)?;
        let zeros = t.graph.constant(&[samples, hidden], vec![0.0; samples * hidden]);
        let operands = [vec![zeros; states.len()], vec![input, weight_hh, bias_hh]].concat();
        Ok(t.graph.apply(scan, &operands)?[0])
    }
}

/// Values side by side.
fn joined(t: &mut Trace, values: &[Value], axis: usize) -> Result<Value, GraphError> {
    match values {
        [one] => Ok(*one),
        several => t.apply(Concat { axis }, several),
    }
}

/// The part of each gate, of `count`.
pub(super) fn gates(body: &mut Graph, x: Value, count: usize) -> Result<Vec<Value>, GraphError> {
    let hidden = body.ty(x).last() / count;
    (0..count).map(|i| body.slice(x, 1, i * hidden, hidden)).collect()
}
