//! Runs a graph in f64 with every operation's reference evaluation: the oracle of everything else.

use std::time::{Duration, Instant};

use crate::graph::{Graph, Node, ValueId};
use crate::operation::Op;
use crate::ops::source::Source;
use crate::tensor::Tensor;

/// What a graph's sources stand for.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    /// One per parameter.
    pub parameters: Vec<Tensor>,
    /// One per input.
    pub inputs: Vec<Tensor>,
    /// The factor on the summed loss.
    pub loss_scale: f64,
}

/// Evaluates every value of a graph.
pub fn evaluate(graph: &Graph, bindings: &Bindings) -> Vec<Tensor> {
    evaluate_timed(graph, bindings, &mut |_, _| {})
}

/// [`evaluate`], telling after each node how long it took.
pub fn evaluate_timed(
    graph: &Graph,
    bindings: &Bindings,
    watch: &mut dyn FnMut(&Node, Duration),
) -> Vec<Tensor> {
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.types().len());
    for node in graph.nodes() {
        let begun = Instant::now();
        let shape = |v: ValueId| graph.shape(v).to_vec();
        let outputs = match &node.op {
            Op::Source(Source::Input(i)) => vec![bindings.inputs[*i].clone()],
            Op::Source(Source::Parameter(i)) => vec![bindings.parameters[*i].clone()],
            Op::Source(Source::Constant(i)) => {
                let data = graph.constants()[*i].iter().map(|&x| x as f64).collect();
                vec![Tensor::new(shape(node.outputs[0]), data)]
            }
            Op::Source(Source::LossScale) => vec![Tensor::full([], bindings.loss_scale)],
            op => {
                let inputs: Vec<&Tensor> = node.inputs.iter().map(|v| &values[v.index()]).collect();
                op.operation().reference(&inputs)
            }
        };
        watch(node, begun.elapsed());
        for (value, id) in outputs.iter().zip(&node.outputs) {
            assert_eq!(value.shape, graph.shape(*id), "{} at `{}`", node.op.operation().name(), node.scope);
        }
        values.extend(outputs);
    }
    values
}
