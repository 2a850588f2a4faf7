//! Replaces fused attention by products and a softmax: the baseline it is measured against.

use crate::error::GraphError;
use crate::graph::Graph;
use crate::operation::Op;

/// Spells every attention out. To be run before differentiation.
pub fn materialise_attention(graph: &Graph) -> Result<Graph, GraphError> {
    graph.rewrite(|new, _, node, inputs| match &node.op {
        Op::Attention(attention) => attention.materialise(new, inputs),
        _ => Ok(new.copy_node(graph, node, inputs)),
    })
}
