//! Joins a linear layer with the activation or the residual that follows it.

use std::collections::HashMap;

use crate::error::GraphError;
use crate::graph::{Graph, Node, ValueId};
use crate::operation::Op;
use crate::ops::binary::Binary;
use crate::ops::linear::Linear;
use crate::ops::unary::Unary;

/// Rewrites linear → activation and linear → add into one node each. To be run after
/// differentiation.
pub fn fuse_linear(graph: &Graph) -> Result<Graph, GraphError> {
    let nodes = graph.nodes();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.types().len()];
    for (index, node) in nodes.iter().enumerate() {
        for v in &node.inputs {
            readers[v.index()].push(index);
        }
    }
    let roots = graph.roots();
    // Reader that absorbs a linear node, and the reverse.
    let mut absorbed: HashMap<usize, usize> = HashMap::new();
    let mut absorbs: HashMap<usize, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let Op::Linear(Linear { activation: None, residual: false, .. }) = node.op else { continue };
        let z = node.outputs[0];
        let Some(&first) = readers[z.index()].first() else { continue };
        let fits = match nodes[first].op {
            Op::Unary(op) => activation(op),
            Op::Binary(Binary::Add) => {
                let same = nodes[first].inputs.iter().all(|v| graph.shape(*v) == graph.shape(z));
                let alone = readers[z.index()].len() == 1 && !roots.contains(&z);
                same && alone && !absorbs.contains_key(&first)
            }
            _ => false,
        };
        if fits {
            absorbed.insert(index, first);
            absorbs.insert(first, index);
        }
    }
    // What a linear node would have read, until its reader is reached.
    let mut held: HashMap<usize, Vec<ValueId>> = HashMap::new();
    let mut before: HashMap<ValueId, ValueId> = HashMap::new();
    graph
        .rewrite(|new, index, node, inputs| {
            if absorbed.contains_key(&index) {
                held.insert(index, inputs.to_vec());
                // A stand-in, replaced below: nothing reads it before its reader does.
                return Ok(vec![inputs[0]]);
            }
            if let Some(linear) = absorbs.get(&index) {
                let mut operands = held.remove(linear).expect("a node comes before its reader");
                let Op::Linear(op) = nodes[*linear].op else {
                    unreachable!("only linear nodes are absorbed")
                };
                let z = nodes[*linear].outputs[0];
                return match node.op {
                    Op::Unary(activation) => {
                        let fused = Linear { activation: Some(activation), ..op };
                        let outputs = new.apply(fused, &operands)?;
                        before.insert(z, outputs[1]);
                        Ok(vec![outputs[0]])
                    }
                    _ => {
                        let other = usize::from(node.inputs[0] == z);
                        operands.push(resolve(&before, node, inputs, other));
                        new.apply(Linear { residual: true, ..op }, &operands)
                    }
                };
            }
            let inputs: Vec<ValueId> = (0..inputs.len()).map(|i| resolve(&before, node, inputs, i)).collect();
            Ok(new.copy_node(graph, node, &inputs))
        })
        .map(|mut fused| {
            // A value read from outside may be one that was before an activation.
            fused.redirect(graph, &before);
            fused
        })
}

/// The new value of an input, looking up values that moved into a fused node.
fn resolve(before: &HashMap<ValueId, ValueId>, node: &Node, inputs: &[ValueId], i: usize) -> ValueId {
    before.get(&node.inputs[i]).copied().unwrap_or(inputs[i])
}

fn activation(op: Unary) -> bool {
    use Unary::*;
    matches!(op, Relu | GeluErf | GeluTanh | Silu | Tanh | Sigmoid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bindings, Tensor, Type, differentiate, evaluate};

    #[test]
    fn a_fused_graph_computes_the_same() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([3, 4]));
        let w1 = g.parameter("w1", &[5, 4]).unwrap();
        let b1 = g.parameter("b1", &[5]).unwrap();
        let w2 = g.parameter("w2", &[4, 5]).unwrap();
        let h = g.linear(x, w1, Some(b1)).unwrap();
        let h = g.apply1(Unary::GeluErf, &[h]).unwrap();
        let h = g.linear(h, w2, None).unwrap();
        let h = g.add(x, h).unwrap();
        let square = g.apply1(Unary::Square, &[h]).unwrap();
        let loss = g.sum_all(square).unwrap();
        g.set_loss(loss);
        differentiate(&mut g).unwrap();
        let fused = fuse_linear(&g).unwrap();
        let names: Vec<_> = fused.nodes().iter().map(|n| n.op.operation().name()).collect();
        assert!(names.contains(&"linear+activation") && names.contains(&"linear+residual"), "{names:?}");

        let wave = |shape: &[usize], f: f64| {
            let mut i = 0.0;
            Tensor::from_fn(shape, |_| {
                i += 1.0;
                (i * f).sin()
            })
        };
        let bindings = Bindings {
            parameters: vec![wave(&[5, 4], 0.3), wave(&[5], 0.7), wave(&[4, 5], 1.1)],
            inputs: vec![wave(&[3, 4], 0.9)],
            loss_scale: 0.5,
        };
        let (a, b) = (evaluate(&g, &bindings), evaluate(&fused, &bindings));
        for ((_, va), (_, vb)) in g.gradients().iter().zip(fused.gradients()) {
            assert_eq!(a[va.index()], b[vb.index()]);
        }
    }
}
