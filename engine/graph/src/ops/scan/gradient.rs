//! The gradient of a loop: a loop the other way round, and sums over all steps beside it.

use std::collections::HashMap;
use std::sync::Arc;

use super::Scan;
use crate::differentiate::{Backward, gradients_of, sum};
use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::operation::Op;
use crate::ops::concat::Concat;
use crate::ops::matmul::MatMul;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::source::Source;
use crate::shape::{DType, Type};

/// A body with the operations behind it that compute its gradients.
pub(super) struct Pullback {
    graph: Graph,
    /// The gradient of each output, where it has one.
    seeds: Vec<Option<ValueId>>,
    /// Contributions to the gradient of each input and of each parameter.
    inputs: Vec<Vec<ValueId>>,
    parameters: Vec<Vec<ValueId>>,
}

impl Pullback {
    pub fn new(body: &Graph, seeded: impl Fn(usize) -> bool) -> Result<Pullback, GraphError> {
        let mut graph = body.clone();
        let mut seeds = vec![None; body.outputs().len()];
        let mut pairs = Vec::new();
        for (i, (name, value)) in body.outputs().iter().enumerate() {
            let ty = body.ty(*value).clone();
            if seeded(i) && ty.dtype == DType::F32 {
                let seed = graph.input(&format!("d {name}"), ty);
                seeds[i] = Some(seed);
                pairs.push((*value, seed));
            }
        }
        let sources = |wanted: fn(&Source) -> Option<usize>, count: usize| {
            let mut found = vec![None; count];
            for node in body.nodes() {
                if let Op::Source(source) = &node.op
                    && let Some(i) = wanted(source)
                {
                    found[i] = Some(node.outputs[0]);
                }
            }
            found.into_iter().map(|v| v.expect("declared with the body")).collect::<Vec<ValueId>>()
        };
        let inputs = sources(|s| if let Source::Input(i) = s { Some(*i) } else { None }, body.inputs().len());
        let parameters =
            sources(|s| if let Source::Parameter(i) = s { Some(*i) } else { None }, body.parameters().len());
        let targets = [inputs, parameters].concat();
        let mut found = gradients_of(&mut graph, &pairs, &targets, true)?;
        let parameters = found.split_off(body.inputs().len());
        Ok(Pullback { graph, seeds, inputs: found, parameters })
    }

    /// The values computed by the body that its gradients read, and that it doesn't return.
    pub fn read_of(&self, body: &Graph) -> Vec<ValueId> {
        let forward = body.nodes().len();
        let mut read: Vec<ValueId> =
            self.graph.nodes()[forward..].iter().flat_map(|n| n.inputs.clone()).collect();
        read.sort();
        read.dedup();
        read.retain(|v| {
            let maker = body.nodes().iter().find(|n| n.outputs.contains(v));
            maker.is_some_and(|n| !matches!(n.op, Op::Source(_)))
                && !body.outputs().iter().any(|(_, returned)| returned == v)
        });
        read
    }
}

/// All values over time of something: a value of the outer graph, or an output of the loop backwards.
#[derive(Clone, Copy)]
enum Stack {
    Outer(ValueId),
    Output(usize),
}

/// The body of the loop backwards, being built from a pullback.
struct Reversed<'a> {
    pullback: &'a Pullback,
    body: Graph,
    /// Where values of the pullback are found in the body.
    map: HashMap<ValueId, ValueId>,
    /// Values of the pullback of which all steps are at hand.
    stacks: HashMap<ValueId, ValueId>,
    sequences: Vec<ValueId>,
    /// Parameters of the pullback's body, by number.
    parameters: Vec<usize>,
}

impl Reversed<'_> {
    /// A new sequence's slice.
    fn slice(&mut self, name: &str, stack: ValueId, ty: &Type) -> ValueId {
        self.sequences.push(stack);
        self.body.input(name, ty.clone())
    }

    /// The value in the body that stands for one of the pullback.
    fn get(&mut self, value: ValueId) -> Result<ValueId, GraphError> {
        if let Some(found) = self.map.get(&value) {
            return Ok(*found);
        }
        let graph = &self.pullback.graph;
        if let Some(stack) = self.stacks.get(&value) {
            let here = self.slice("kept", *stack, graph.ty(value));
            self.map.insert(value, here);
            return Ok(here);
        }
        let node = graph.nodes().iter().find(|n| n.outputs.contains(&value)).expect("made by a node");
        let outputs = match &node.op {
            Op::Source(Source::Constant(i)) => {
                vec![self.body.constant(graph.shape(value), graph.constants()[*i].clone())]
            }
            Op::Source(Source::Parameter(i)) => {
                self.parameters.push(*i);
                let parameter = &graph.parameters()[*i];
                vec![self.body.parameter(&parameter.name, &parameter.shape)?]
            }
            _ => {
                let mut inputs = Vec::with_capacity(node.inputs.len());
                for v in &node.inputs {
                    inputs.push(self.get(*v)?);
                }
                self.body.copy_node(graph, node, &inputs)
            }
        };
        self.map.extend(node.outputs.iter().copied().zip(outputs));
        Ok(self.map[&value])
    }

    /// The sum of contributions, if there are any.
    fn total(&mut self, contributions: &[ValueId]) -> Result<Option<ValueId>, GraphError> {
        let mut here = Vec::with_capacity(contributions.len());
        for v in contributions {
            here.push(self.get(*v)?);
        }
        sum(&mut self.body, &here)
    }

    /// All steps of a value of the pullback, or of what it is a reshape of.
    fn stack(&mut self, value: ValueId) -> Result<Stack, GraphError> {
        let mut root = value;
        while let Some((Op::Reshape(_), inputs)) = self.maker(root) {
            root = inputs[0];
        }
        if let Some(stack) = self.stacks.get(&root) {
            return Ok(Stack::Outer(*stack));
        }
        let here = self.get(root)?;
        let known = self.body.outputs().iter().position(|(_, v)| *v == here);
        Ok(Stack::Output(known.unwrap_or_else(|| {
            self.body.output("stack", here);
            self.body.outputs().len() - 1
        })))
    }

    fn maker(&self, value: ValueId) -> Option<(&Op, &[ValueId])> {
        let node = self.pullback.graph.nodes().iter().find(|n| n.outputs.contains(&value))?;
        Some((&node.op, &node.inputs))
    }

    /// How one contribution to a parameter's gradient is taken over all steps at once.
    fn over_time(&mut self, contribution: ValueId) -> Result<OverTime, GraphError> {
        let mut root = contribution;
        while let Some((Op::Reshape(_), inputs)) = self.maker(root) {
            root = inputs[0];
        }
        let columns = |v: ValueId| self.pullback.graph.ty(v).last();
        match self.maker(root) {
            Some((Op::MatMul(MatMul { transpose_a: true, transpose_b: false }), &[a, b]))
                if self.pullback.graph.shape(a).len() == 2 =>
            {
                let columns = [columns(a), columns(b)];
                Ok(OverTime::Product([self.stack(a)?, self.stack(b)?], columns))
            }
            Some((Op::Reduce(Reduce { reduction: Reduction::Sum, first: 0, last }), &[x])) => {
                // Of the operand as it is shaped here, as its axes are what is summed.
                let (last, shape) = (*last, self.pullback.graph.shape(x).to_vec());
                Ok(OverTime::Sum { stack: self.stack(x)?, shape, last })
            }
            _ => {
                let shape = self.pullback.graph.shape(contribution).to_vec();
                Ok(OverTime::Sum { stack: self.stack(contribution)?, shape, last: 0 })
            }
        }
    }
}

/// A sum over all steps.
enum OverTime {
    /// Of Aᵀ·B, of so many columns each.
    Product([Stack; 2], [usize; 2]),
    /// Of the first axes of what has this shape at each step.
    Sum { stack: Stack, shape: Vec<usize>, last: usize },
}

/// Adds the gradients of a loop's operands; whether it has any.
pub(super) fn add(scan: &Scan, b: &mut Backward) -> Result<bool, GraphError> {
    if !scan.differentiable {
        return Ok(false);
    }
    let (states, body) = (scan.states, &*scan.body);
    let inputs = b.inputs.to_vec();
    let steps = b.graph.shape(inputs[states])[0];
    let pullback = Pullback::new(body, |i| i < states || b.output_grads[i].is_some())?;

    // What is known of every step.
    let mut stacks: HashMap<ValueId, ValueId> = HashMap::new();
    for ((_, value), stack) in body.outputs().iter().zip(b.outputs) {
        stacks.insert(*value, *stack);
    }
    for node in body.nodes() {
        let Op::Source(Source::Input(i)) = node.op else { continue };
        let stack = match i < states {
            false => inputs[i],
            true => {
                let shape = [&[1], body.inputs()[i].ty.shape.as_slice()].concat();
                let begin = b.graph.reshape(inputs[i], &shape)?;
                let from = usize::from(scan.reverse);
                let after = b.graph.slice(b.outputs[i], 0, from, steps - 1)?;
                let parts = if scan.reverse { [after, begin] } else { [begin, after] };
                if steps == 1 { begin } else { b.graph.apply1(Concat { axis: 0 }, &parts)? }
            }
        };
        stacks.insert(node.outputs[0], stack);
    }

    // The loop backwards: its states are the gradients of the states.
    let mut r = Reversed {
        pullback: &pullback,
        body: Graph::new(),
        map: HashMap::new(),
        stacks,
        sequences: Vec::new(),
        parameters: Vec::new(),
    };
    let carried: Vec<ValueId> = body.inputs()[..states]
        .iter()
        .map(|i| r.body.input(&format!("d {}", i.name), i.ty.clone()))
        .collect();
    for (i, seed) in pullback.seeds.iter().enumerate() {
        let Some(seed) = *seed else { continue };
        let (name, value) = &body.outputs()[i];
        let given = b.output_grads[i].map(|stack| r.slice(&format!("d {name}"), stack, body.ty(*value)));
        let parts: Vec<ValueId> = carried.get(i).copied().into_iter().chain(given).collect();
        let total = sum(&mut r.body, &parts)?.expect("seeded");
        r.map.insert(seed, total);
    }
    for (i, input) in body.inputs()[..states].iter().enumerate() {
        let total = match r.total(&pullback.inputs[i])? {
            Some(total) => total,
            None => r.body.constant(&input.ty.shape, vec![0.0; input.ty.len()]),
        };
        r.body.output(&format!("d {}", input.name), total);
    }
    let mut slices = Vec::new();
    for i in states..body.inputs().len() {
        if b.needs(i)
            && let Some(total) = r.total(&pullback.inputs[i])?
        {
            slices.push((i, r.body.outputs().len()));
            r.body.output(&format!("d {}", body.inputs()[i].name), total);
        }
    }
    let mut sums = Vec::new();
    for (p, contributions) in pullback.parameters.iter().enumerate() {
        for v in contributions.iter().filter(|_| b.needs(body.inputs().len() + p)) {
            sums.push((p, r.over_time(*v)?));
        }
    }
    let Reversed { body: backwards, sequences, parameters, .. } = r;

    let zeros = body.inputs()[..states]
        .iter()
        .map(|i| b.graph.constant(&i.ty.shape, vec![0.0; i.ty.len()]))
        .collect::<Vec<ValueId>>();
    let weights = parameters.iter().map(|p| inputs[body.inputs().len() + p]);
    let operands: Vec<ValueId> = zeros.into_iter().chain(sequences).chain(weights).collect();
    let back = Scan { body: Arc::new(backwards), states, reverse: !scan.reverse, differentiable: false };
    let outputs = b.graph.apply(back, &operands)?;

    for i in (0..states).filter(|i| b.needs(*i)).collect::<Vec<_>>() {
        let last = if scan.reverse { steps - 1 } else { 0 };
        let gradient = b.graph.slice(outputs[i], 0, last, 1)?;
        let gradient = b.graph.reshape(gradient, &body.inputs()[i].ty.shape)?;
        b.give(i, gradient);
    }
    for (input, output) in slices {
        b.give(input, outputs[output]);
    }
    let stack_of = |stack: Stack| match stack {
        Stack::Outer(value) => value,
        Stack::Output(i) => outputs[i],
    };
    let mut totals: Vec<Vec<ValueId>> = vec![Vec::new(); body.parameters().len()];
    for (p, sum) in sums {
        let total = match sum {
            OverTime::Product(stacks, columns) => {
                let [mut left, mut right] = stacks.map(stack_of);
                for (side, columns) in [(&mut left, columns[0]), (&mut right, columns[1])] {
                    let rows = b.graph.ty(*side).len() / columns.max(1);
                    *side = b.graph.reshape(*side, &[rows, columns])?;
                }
                b.graph.apply1(MatMul { transpose_a: true, transpose_b: false }, &[left, right])?
            }
            OverTime::Sum { stack, shape, last } => {
                let all = b.graph.reshape(stack_of(stack), &[&[steps], shape.as_slice()].concat())?;
                b.graph.apply1(Reduce { reduction: Reduction::Sum, first: 0, last: last + 1 }, &[all])?
            }
        };
        totals[p].push(b.graph.reshape(total, &body.parameters()[p].shape)?);
    }
    for (p, parts) in totals.iter().enumerate() {
        if let Some(total) = sum(b.graph, parts)? {
            b.give(body.inputs().len() + p, total);
        }
    }
    Ok(true)
}
