//! Reverse-mode differentiation: appends to a graph the operations that compute its gradients.

use crate::error::GraphError;
use crate::graph::{Graph, Node, ValueId};
use crate::operation::Op;
use crate::ops::binary::Binary;
use crate::ops::source::Source;
use crate::shape::DType;

/// What an operation's gradient rule works with.
pub struct Backward<'a> {
    /// The graph to append to.
    pub graph: &'a mut Graph,
    /// The operation's inputs.
    pub inputs: &'a [ValueId],
    /// The operation's outputs.
    pub outputs: &'a [ValueId],
    /// The gradient of each output; `None` where nothing depends on it.
    pub output_grads: &'a [Option<ValueId>],
    needed: Vec<bool>,
    given: Vec<Option<ValueId>>,
}

impl Backward<'_> {
    /// Whether anything needs the gradient of an input.
    pub fn needs(&self, input: usize) -> bool {
        self.needed[input]
    }

    /// Gives the gradient of an input.
    pub fn give(&mut self, input: usize, grad: ValueId) {
        debug_assert_eq!(self.graph.shape(grad), self.graph.shape(self.inputs[input]));
        self.given[input] = Some(grad);
    }

    /// The gradient of the first output.
    pub fn grad(&self) -> ValueId {
        self.output_grads[0].expect("differentiation visits an operation only if an output has a gradient")
    }

    /// Appends an operation with one output.
    pub fn apply(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, GraphError> {
        self.graph.apply1(op, inputs)
    }

    /// Sums a gradient over the axes along which an operand was broadcast.
    pub fn unbroadcast(&mut self, grad: ValueId, input: usize) -> Result<ValueId, GraphError> {
        let target = self.graph.shape(self.inputs[input]).to_vec();
        self.graph.sum_to(grad, &target)
    }
}

/// Appends the gradient of the graph's loss by every parameter, and declares them.
///
/// The gradient starts from the step's loss scale, so that gradients of micro-batches simply add.
/// An operation without a gradient between a parameter and the loss is an error.
pub fn differentiate(graph: &mut Graph) -> Result<(), GraphError> {
    let Some(loss) = graph.loss() else { return Ok(()) };
    let seed = graph.loss_scale();
    let targets: Vec<ValueId> = graph
        .nodes()
        .iter()
        .filter(|n| matches!(n.op, Op::Source(Source::Parameter(_))))
        .map(|n| n.outputs[0])
        .collect();
    let contributions = gradients_of(graph, &[(loss, seed)], &targets, true)?;
    for (target, values) in targets.iter().zip(contributions) {
        let index = graph.nodes().iter().find_map(|n| match n.op {
            Op::Source(Source::Parameter(index)) if n.outputs[0] == *target => Some(index),
            _ => None,
        });
        for value in values {
            graph.add_gradient(index.expect("targets are parameters"), value);
        }
    }
    Ok(())
}

/// Appends the gradient of the sum of `output * seed` over pairs (output, seed) by each of `targets`;
/// for each target its contributions (one, summed, unless `separate`; none where no output depends on
/// it).
pub fn gradients_of(
    graph: &mut Graph,
    seeded: &[(ValueId, ValueId)],
    targets: &[ValueId],
    separate: bool,
) -> Result<Vec<Vec<ValueId>>, GraphError> {
    let nodes: Vec<Node> = graph.nodes().to_vec();
    let count = graph.types().len();

    // Which values lead from a target to the output.
    let mut reaches = vec![false; count];
    for &t in targets {
        reaches[t.index()] = true;
    }
    for node in &nodes {
        if node.inputs.iter().any(|v| reaches[v.index()]) {
            for v in &node.outputs {
                reaches[v.index()] |= graph.ty(*v).dtype == DType::F32;
            }
        }
    }

    let mut grads: Vec<Vec<ValueId>> = vec![Vec::new(); count];
    for (output, seed) in seeded {
        grads[output.index()].push(*seed);
    }
    for node in nodes.iter().rev() {
        if matches!(node.op, Op::Source(_)) || !node.outputs.iter().any(|v| reaches[v.index()]) {
            continue;
        }
        graph.set_scope(&node.scope);
        let mut output_grads = Vec::with_capacity(node.outputs.len());
        for v in &node.outputs {
            let parts = std::mem::take(&mut grads[v.index()]);
            output_grads.push(sum(graph, &parts)?);
        }
        if output_grads.iter().all(Option::is_none) {
            continue;
        }
        let mut backward = Backward {
            needed: node.inputs.iter().map(|v| reaches[v.index()]).collect(),
            given: vec![None; node.inputs.len()],
            graph,
            inputs: &node.inputs,
            outputs: &node.outputs,
            output_grads: &output_grads,
        };
        if !node.op.operation().gradient(&mut backward)? {
            return Err(GraphError::NoGradient {
                operation: node.op.operation().name(),
                scope: node.scope.to_string(),
            });
        }
        let given = backward.given;
        for (input, grad) in node.inputs.iter().zip(given) {
            if let (true, Some(grad)) = (reaches[input.index()], grad) {
                grads[input.index()].push(grad);
            }
        }
    }
    let mut result = Vec::with_capacity(targets.len());
    for t in targets {
        let parts = std::mem::take(&mut grads[t.index()]);
        result.push(match separate {
            true => parts,
            false => sum(graph, &parts)?.into_iter().collect(),
        });
    }
    graph.set_scope("");
    Ok(result)
}

pub(crate) fn sum(graph: &mut Graph, parts: &[ValueId]) -> Result<Option<ValueId>, GraphError> {
    let mut parts = parts.iter().copied();
    let Some(mut total) = parts.next() else { return Ok(None) };
    for part in parts {
        total = graph.apply1(Binary::Add, &[total, part])?;
    }
    Ok(Some(total))
}
