//! A loop over time: one graph run once a step, its states handed from step to step.

use std::collections::HashMap;
use std::sync::Arc;

use crate::differentiate::{Backward, gradients_of, sum};
use crate::error::GraphError;
use crate::evaluate::{Bindings, evaluate};
use crate::graph::{Graph, ValueId};
use crate::operation::{Op, Operation};
use crate::ops::concat::Concat;
use crate::ops::matmul::MatMul;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::source::Source;
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// A recurrence. The body's first inputs are states, the others slices of sequences; its first
/// outputs are the states after the step. Its parameters are the same at every step.
///
/// Inputs: each state before the first step; each sequence, `[steps, ..]` of the body's input; each
/// parameter of the body. Outputs: for each output of the body all its values, `[steps, ..]`.
///
/// What the gradient needs of a step is among the outputs too, behind those of the model, so that
/// nothing is computed twice. The gradient is a loop in the other direction. The gradient of a weight
/// that rows are multiplied by is left out of it, as one product over all steps; that of any other
/// parameter is returned for each step and summed, so it should be small.
#[derive(Clone, Debug)]
pub struct Scan {
    body: Arc<Graph>,
    states: usize,
    reverse: bool,
    differentiable: bool,
}

impl PartialEq for Scan {
    fn eq(&self, other: &Scan) -> bool {
        Arc::ptr_eq(&self.body, &other.body) && (self.states, self.reverse) == (other.states, other.reverse)
    }
}

impl Scan {
    /// A loop over `body`, of whose inputs and outputs the first `states` are states; from the last
    /// step to the first if `reverse`.
    ///
    /// # Errors
    /// If a state after a step differs in type from that before, or an operation of the body has no
    /// gradient or is random (it would draw the same numbers at every step).
    pub fn new(mut body: Graph, states: usize, reverse: bool) -> Result<Scan, GraphError> {
        let wrong = |problem: &str| GraphError::Shape {
            operation: "scan",
            scope: body.scope(),
            problem: problem.into(),
        };
        if body.inputs().len() <= states || body.outputs().len() < states {
            return Err(wrong(
                "the body wants its states and at least one slice, and must return the states",
            ));
        }
        let is_state = |i: usize| {
            let before = &body.inputs()[i].ty;
            body.ty(body.outputs()[i].1) == before && before.dtype == DType::F32
        };
        if !(0..states).all(is_state) {
            return Err(wrong("a state is not of floats, or has another shape after the step than before"));
        }
        if body.nodes().iter().any(|n| matches!(n.op, Op::Dropout(_))) {
            return Err(wrong("dropout in the body would drop the same elements at every step"));
        }
        if body.nodes().iter().any(|n| matches!(n.op, Op::Scan(_) | Op::BatchSum(_) | Op::BatchMoments(_))) {
            return Err(wrong("the body holds a loop, or sums over the batch"));
        }
        if body.loss().is_some() || !body.gradients().is_empty() || !body.buffers().is_empty() {
            return Err(wrong(
                "the body has a loss, gradients or running statistics; only outputs are handed on",
            ));
        }
        let pullback = Pullback::new(&body, |_| true)?;
        for (i, value) in pullback.read_of(&body).into_iter().enumerate() {
            body.output(&format!("kept.{i}"), value);
        }
        Ok(Scan { body: Arc::new(body), states, reverse, differentiable: true })
    }

    /// What runs at each step.
    pub fn body(&self) -> &Graph {
        &self.body
    }

    /// How many of the body's inputs, and of its outputs, are states.
    pub fn states(&self) -> usize {
        self.states
    }

    /// Whether the last step comes first.
    pub fn reverse(&self) -> bool {
        self.reverse
    }

    /// Number of sequences.
    fn sequences(&self) -> usize {
        self.body.inputs().len() - self.states
    }

    /// The steps in the order in which they are taken.
    fn order(&self, steps: usize) -> impl Iterator<Item = usize> + use<> {
        let reverse = self.reverse;
        (0..steps).map(move |i| if reverse { steps - 1 - i } else { i })
    }
}

/// A body with the operations behind it that compute its gradients.
struct Pullback {
    graph: Graph,
    /// The gradient of each output, where it has one.
    seeds: Vec<Option<ValueId>>,
    /// Contributions to the gradient of each input and of each parameter.
    inputs: Vec<Vec<ValueId>>,
    parameters: Vec<Vec<ValueId>>,
}

impl Pullback {
    fn new(body: &Graph, seeded: impl Fn(usize) -> bool) -> Result<Pullback, GraphError> {
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
    fn read_of(&self, body: &Graph) -> Vec<ValueId> {
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

impl Operation for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let (body, states) = (&self.body, self.states);
        let expected = body.inputs().len() + body.parameters().len();
        if inputs.len() != expected {
            return Err(format!("wants {expected} states, sequences and parameters, got {}", inputs.len()));
        }
        let Some(&steps) = inputs[states].shape.first() else {
            return Err("a sequence wants a first axis, the steps".into());
        };
        let over_time = |ty: &Type| Type { shape: [&[steps], ty.shape.as_slice()].concat(), dtype: ty.dtype };
        let states_and_slices = body.inputs().iter().enumerate().map(|(i, input)| match i < states {
            true => input.ty.clone(),
            false => over_time(&input.ty),
        });
        let parameters = body.parameters().iter().map(|p| Type::f32(p.shape.clone()));
        let names = body.inputs().iter().map(|i| &i.name).chain(body.parameters().iter().map(|p| &p.name));
        for ((want, got), name) in states_and_slices.chain(parameters).zip(inputs).zip(names) {
            if want != *got {
                let text = |ty: &Type| format!("{:?} {:?}", ty.dtype, ty.shape);
                return Err(format!("`{name}` is {}, but the body wants {}", text(got), text(&want)));
            }
        }
        if steps == 0 {
            return Err("there are no steps".into());
        }
        Ok(body.outputs().iter().map(|(_, v)| over_time(body.ty(*v))).collect())
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        let steps = inputs[self.states].shape[0] as f64;
        steps * self.body.nodes().iter().map(|n| self.body.cost(n).flops).sum::<f64>()
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        if !self.differentiable {
            return Ok(false);
        }
        let (states, body) = (self.states, &*self.body);
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
                    let from = usize::from(self.reverse);
                    let after = b.graph.slice(b.outputs[i], 0, from, steps - 1)?;
                    let parts = if self.reverse { [after, begin] } else { [begin, after] };
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
        let scan = Scan { body: Arc::new(backwards), states, reverse: !self.reverse, differentiable: false };
        let outputs = b.graph.apply(scan, &operands)?;

        for i in (0..states).filter(|i| b.needs(*i)).collect::<Vec<_>>() {
            let last = if self.reverse { steps - 1 } else { 0 };
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

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (body, states) = (&*self.body, self.states);
        let steps = inputs[states].shape[0];
        let (sequences, parameters) = inputs[states..].split_at(self.sequences());
        let mut bindings = Bindings {
            parameters: parameters.iter().map(|&p| p.clone()).collect(),
            inputs: inputs[..body.inputs().len()].iter().map(|&x| x.clone()).collect(),
            loss_scale: 1.0,
        };
        let stacked = |v: ValueId| Tensor::full([&[steps], body.shape(v)].concat(), 0.0);
        let mut outputs: Vec<Tensor> = body.outputs().iter().map(|(_, v)| stacked(*v)).collect();
        for t in self.order(steps) {
            for ((slice, sequence), input) in
                bindings.inputs[states..].iter_mut().zip(sequences).zip(&body.inputs()[states..])
            {
                let len = input.ty.len();
                *slice = Tensor::new(input.ty.shape.clone(), sequence.data[t * len..][..len].to_vec());
            }
            let values = evaluate(body, &bindings);
            for (i, ((_, v), output)) in body.outputs().iter().zip(&mut outputs).enumerate() {
                let value = &values[v.index()];
                output.data[t * value.data.len()..][..value.data.len()].copy_from_slice(&value.data);
                if i < states {
                    bindings.inputs[i] = value.clone();
                }
            }
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::ops::batch_sum::BatchSum;
    use crate::ops::dropout::Dropout;
    use crate::ops::unary::Unary;

    /// h' = tanh(x + h·Wᵀ + b) · scale; returns h' and h'·h.
    fn body() -> Graph {
        let mut g = Graph::new();
        let h = g.input("h", Type::f32([2, 3]));
        let x = g.input("x", Type::f32([2, 3]));
        let w = g.parameter("w", &[3, 3]).unwrap();
        let bias = g.parameter("b", &[3]).unwrap();
        let scale = g.parameter("scale", &[]).unwrap();
        let a = g.linear(h, w, Some(bias)).unwrap();
        let a = g.add(a, x).unwrap();
        let next = g.apply1(Unary::Tanh, &[a]).unwrap();
        let next = g.mul(next, scale).unwrap();
        let both = g.mul(next, h).unwrap();
        g.output("h", next);
        g.output("both", both);
        g
    }

    #[test]
    fn gradients() {
        for reverse in [false, true] {
            let scan = Scan::new(body(), 1, reverse).unwrap();
            for output in [0, 1] {
                for steps in [1, 4] {
                    check(&[&[2, 3], &[steps, 2, 3], &[3, 3], &[3], &[]], |g, x| {
                        Ok(g.apply(scan.clone(), x)?[output])
                    });
                }
            }
            check(&[&[2, 3], &[4, 2, 3], &[3, 3], &[3], &[]], |g, x| {
                let outputs = g.apply(scan.clone(), x)?;
                g.mul(outputs[0], outputs[1])
            });
        }
    }

    #[test]
    fn two_states_one_of_which_depends_on_nothing() {
        let mut g = Graph::new();
        let h = g.input("h", Type::f32([2]));
        let c = g.input("c", Type::f32([2]));
        let x = g.input("x", Type::f32([2]));
        let next = g.mul(h, x).unwrap();
        let sum = g.add(next, c).unwrap();
        g.output("h", sum);
        g.output("c", x);
        let scan = Scan::new(g, 2, false).unwrap();
        check(&[&[2], &[2], &[3, 2]], |g, x| Ok(g.apply(scan.clone(), x)?[0]));
        check(&[&[2], &[2], &[3, 2]], |g, x| Ok(g.apply(scan.clone(), x)?[1]));
    }

    #[test]
    fn what_cannot_be_a_body() {
        let error = |states: usize, g: Graph| Scan::new(g, states, false).unwrap_err().to_string();
        assert!(error(2, body()).contains("at least one slice"));
        let mut g = Graph::new();
        let _ = g.input("h", Type::f32([2]));
        let x = g.input("x", Type::f32([3]));
        g.output("h", x);
        assert!(error(1, g).contains("another shape"));
        let refused = |op: fn(&mut Graph, ValueId) -> Result<ValueId, GraphError>, problem: &str| {
            let mut g = body();
            let h = g.outputs()[0].1;
            op(&mut g, h).unwrap();
            assert!(error(1, g).contains(problem), "{problem}");
        };
        let dropout = |g: &mut Graph, h| g.apply1(Dropout { rate: 0.5, site: 0, samples: 2 }, &[h]);
        refused(dropout, "the same elements");
        refused(|g, h| g.apply1(BatchSum, &[h]), "sums over the batch");
        let twice = |g: &mut Graph, _| {
            let zeros = g.constant(&[2, 3], vec![0.0; 6]);
            let all = g.constant(&[1, 2, 3], vec![0.0; 6]);
            let weights = [g.parameter("w", &[3, 3])?, g.parameter("b", &[3])?, g.parameter("scale", &[])?];
            let operands = [&[zeros, all], weights.as_slice()].concat();
            Ok(g.apply(Scan::new(body(), 1, false)?, &operands)?[0])
        };
        refused(twice, "holds a loop");
        let loss = |g: &mut Graph, h| {
            let loss = g.sum_all(h)?;
            g.set_loss(loss);
            Ok(loss)
        };
        refused(loss, "has a loss");
    }

    #[test]
    fn operands_that_do_not_fit_are_named() {
        let mut g = Graph::new();
        let h = g.input("h", Type::f32([2, 3]));
        let x = g.input("x", Type::i32([4, 2, 3]));
        let weights = [g.parameter("w", &[3, 3]), g.parameter("b", &[3]), g.parameter("scale", &[])];
        let operands: Vec<ValueId> = [h, x].into_iter().chain(weights.map(Result::unwrap)).collect();
        let error = g.apply(Scan::new(body(), 1, false).unwrap(), &operands).unwrap_err().to_string();
        assert!(error.contains("`x` is I32 [4, 2, 3], but the body wants F32 [4, 2, 3]"), "{error}");
    }

    #[test]
    fn a_gradient_has_none_itself() {
        let mut g = Graph::new();
        let shapes: [&[usize]; 5] = [&[2, 3], &[4, 2, 3], &[3, 3], &[3], &[]];
        let operands: Vec<ValueId> =
            (0..5).map(|i| g.parameter(&format!("p{i}"), shapes[i]).unwrap()).collect();
        let y = g.apply(Scan::new(body(), 1, false).unwrap(), &operands).unwrap()[0];
        let y = g.sum_all(y).unwrap();
        let seed = g.loss_scale();
        let first = gradients_of(&mut g, &[(y, seed)], &operands[..1], false).unwrap()[0][0];
        let first = g.sum_all(first).unwrap();
        let again = gradients_of(&mut g, &[(first, seed)], &operands[2..3], false);
        assert!(matches!(again, Err(GraphError::NoGradient { operation: "scan", .. })));
    }
}
