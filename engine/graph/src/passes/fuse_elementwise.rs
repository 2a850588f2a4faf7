//! Joins neighbouring element-wise operations into one sweep over memory.

use std::collections::HashMap;

use crate::error::GraphError;
use crate::graph::{Graph, Node, ValueId};
use crate::operation::Op;
use crate::ops::binary::Binary;
use crate::ops::broadcast_to::BroadcastTo;
use crate::ops::fused::{Fused, Instruction, Register};
use crate::ops::source::Source;
use crate::passes::simplify::drop_unread;
use crate::shape::spread;

/// The most inputs a group may have: its tiles must fit the first-level cache.
const MAX_INPUTS: usize = 8;
/// The most instructions of a group.
const MAX_INSTRUCTIONS: usize = 32;

/// How many times as large as the other operand one must be for [`recompute`].
const SMALL: usize = 8;

/// Groups element-wise operations of one shape that feed each other. To be run after
/// differentiation.
pub fn fuse_elementwise(graph: &Graph) -> Result<Graph, GraphError> {
    let graph = drop_unread(graph)?;
    let graph = drop_unread(&recompute(&graph, &group(&graph))?)?;
    build(&graph, &group(&graph))
}

/// Makes every element-wise operation a group of its own: what the planner lowers when fusion is
/// off.
pub fn lower_elementwise(graph: &Graph) -> Result<Graph, GraphError> {
    let graph = drop_unread(graph)?;
    let alone = (0..graph.nodes().len()).map(|i| is_elementwise(&graph.nodes()[i]).then_some(i));
    build(&graph, &alone.collect::<Vec<_>>())
}

fn is_elementwise(node: &Node) -> bool {
    matches!(node.op, Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Dropout(_))
}

/// For every element-wise node the last node of its group, where the group is to be run.
fn group(graph: &Graph) -> Vec<Option<usize>> {
    let nodes = graph.nodes();
    let mut producer = vec![usize::MAX; graph.types().len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.types().len()];
    for (index, node) in nodes.iter().enumerate() {
        node.outputs.iter().for_each(|v| producer[v.index()] = index);
        node.inputs.iter().for_each(|v| readers[v.index()].push(index));
    }
    let mut group_of: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate().filter(|(_, n)| is_elementwise(n)) {
        let mut joined = vec![index];
        for v in &node.inputs {
            let Some(other) = group_of[producer[v.index()]] else { continue };
            if joined.contains(&other) || graph.shape(nodes[other].outputs[0]) != graph.shape(node.outputs[0])
            {
                continue;
            }
            let candidates = &members[&other];
            if candidates.iter().all(|m| joined.contains(m)) {
                continue;
            }
            let all: Vec<usize> = joined.iter().chain(candidates).copied().collect();
            // The group runs where this node stands: nothing else may need its results earlier.
            let in_time = candidates.iter().all(|&m| {
                readers[nodes[m].outputs[0].index()].iter().all(|&r| r >= index || all.contains(&r))
            });
            if in_time && all.len() <= MAX_INSTRUCTIONS && outside_inputs(graph, &all).len() <= MAX_INPUTS {
                joined = all;
            }
        }
        joined.sort_unstable();
        for &m in &joined {
            if let Some(old) = group_of[m].replace(index) {
                members.remove(&old);
            }
        }
        members.insert(index, joined);
    }
    group_of
}

/// Gives every group its own copy of a sum, difference or product with a small operand that another
/// group computes: reading the large operand again costs what reading the result would, and the result
/// need not be stored, unless something else reads it.
fn recompute(graph: &Graph, group_of: &[Option<usize>]) -> Result<Graph, GraphError> {
    let nodes = graph.nodes();
    let roots = graph.roots();
    let mut producer = vec![usize::MAX; graph.types().len()];
    for (index, node) in nodes.iter().enumerate() {
        node.outputs.iter().for_each(|v| producer[v.index()] = index);
    }
    let cheap = |index: usize| {
        let node = &nodes[index];
        let [a, b] = node.inputs[..] else { return false };
        let (len_a, len_b) = (graph.ty(a).len(), graph.ty(b).len());
        let large = if len_a > len_b { a } else { b };
        matches!(node.op, Op::Binary(Binary::Add | Binary::Sub | Binary::Mul))
            && SMALL * len_a.min(len_b) <= len_a.max(len_b)
            && group_of[producer[large.index()]] != group_of[index]
            && !roots.contains(&node.outputs[0])
            && nodes
                .iter()
                .enumerate()
                .all(|(reader, n)| group_of[reader].is_some() || !n.inputs.contains(&node.outputs[0]))
    };
    let mut moved: HashMap<ValueId, ValueId> = HashMap::new();
    let mut copies: HashMap<(ValueId, usize), ValueId> = HashMap::new();
    graph.rewrite(|new, index, node, inputs| {
        let mut inputs = inputs.to_vec();
        for (input, v) in inputs.iter_mut().zip(&node.inputs) {
            let made = producer[v.index()];
            let (Some(own), Some(other)) = (group_of[index], group_of[made]) else { continue };
            if own == other || !cheap(made) {
                continue;
            }
            *input = *copies.entry((*v, own)).or_insert_with(|| {
                let from: Vec<ValueId> = nodes[made].inputs.iter().map(|v| moved[v]).collect();
                new.copy_node(graph, &nodes[made], &from)[0]
            });
        }
        let outputs = new.copy_node(graph, node, &inputs);
        moved.extend(node.outputs.iter().copied().zip(outputs.iter().copied()));
        Ok(outputs)
    })
}

/// The values that a set of nodes reads from outside itself, scalar constants left out.
fn outside_inputs(graph: &Graph, nodes: &[usize]) -> Vec<ValueId> {
    let inside: Vec<ValueId> = nodes.iter().map(|&n| graph.nodes()[n].outputs[0]).collect();
    let mut inputs = Vec::new();
    for &n in nodes {
        for v in &graph.nodes()[n].inputs {
            if !inside.contains(v) && !inputs.contains(v) && literal(graph, *v).is_none() {
                inputs.push(*v);
            }
        }
    }
    inputs
}

/// The number behind a scalar constant.
fn literal(graph: &Graph, value: ValueId) -> Option<f32> {
    if graph.ty(value).len() != 1 {
        return None;
    }
    graph.nodes().iter().find_map(|n| match n.op {
        Op::Source(Source::Constant(i)) if n.outputs[0] == value => Some(graph.constants()[i][0]),
        _ => None,
    })
}

fn build(graph: &Graph, group_of: &[Option<usize>]) -> Result<Graph, GraphError> {
    let nodes = graph.nodes();
    let roots = graph.roots();
    let mut moved: HashMap<ValueId, ValueId> = HashMap::new();
    let mut fused = graph.rewrite(|new, index, node, inputs| {
        let current =
            |moved: &HashMap<_, _>, i: usize| moved.get(&node.inputs[i]).copied().unwrap_or(inputs[i]);
        match group_of[index] {
            None => {
                let inputs: Vec<ValueId> = (0..inputs.len()).map(|i| current(&moved, i)).collect();
                Ok(new.copy_node(graph, node, &inputs))
            }
            // Inputs of the group that this member reads are known to `moved` when the group runs.
            Some(last) if last != index => {
                for (i, v) in node.inputs.iter().enumerate() {
                    let now = current(&moved, i);
                    moved.entry(*v).or_insert(now);
                }
                Ok(vec![inputs[0]])
            }
            Some(_) => {
                for (i, v) in node.inputs.iter().enumerate() {
                    let now = current(&moved, i);
                    moved.entry(*v).or_insert(now);
                }
                let members: Vec<usize> = (0..=index).filter(|&n| group_of[n] == Some(index)).collect();
                let read_outside = |v: &ValueId| {
                    roots.contains(v)
                        || nodes
                            .iter()
                            .enumerate()
                            .any(|(n, node)| !members.contains(&n) && node.inputs.contains(v))
                };
                let outside = outside_inputs(graph, &members);
                let shape = graph.shape(node.outputs[0]).to_vec();
                let mut register: HashMap<ValueId, Register> =
                    outside.iter().enumerate().map(|(i, v)| (*v, i)).collect();
                let mut operands = Vec::new();
                for v in &outside {
                    let mut now = moved[v];
                    if spread(new.shape(now), &shape).is_none() {
                        now = new.apply1(BroadcastTo { shape: shape.clone() }, &[now])?;
                    }
                    operands.push(now);
                }
                let mut instructions: Vec<Instruction> = Vec::new();
                let (mut outputs, mut results) = (Vec::new(), Vec::new());
                for &m in &members {
                    let member = &nodes[m];
                    for v in &member.inputs {
                        if let (false, Some(x)) = (register.contains_key(v), literal(graph, *v)) {
                            register.insert(*v, outside.len() + instructions.len());
                            instructions.push(Instruction::Literal(x));
                        }
                    }
                    let r: Vec<Register> = member.inputs.iter().map(|v| register[v]).collect();
                    register.insert(member.outputs[0], outside.len() + instructions.len());
                    instructions.push(match member.op {
                        Op::Dropout(op) => Instruction::Dropout(op, r[0]),
                        Op::Unary(op) => Instruction::Unary(op, r[0]),
                        Op::Binary(op) => Instruction::Binary(op, r[0], r[1]),
                        _ => Instruction::Select(r[0], r[1], r[2]),
                    });
                    if read_outside(&member.outputs[0]) {
                        outputs.push(register[&member.outputs[0]]);
                        results.push(member.outputs[0]);
                    }
                }
                let made = new.apply(Fused { shape, instructions, outputs }, &operands)?;
                for (old, value) in results.iter().zip(&made) {
                    moved.insert(*old, *value);
                }
                let own = moved.get(&node.outputs[0]).copied().unwrap_or(made[0]);
                Ok(vec![own])
            }
        }
    })?;
    fused.redirect(graph, &moved);
    Ok(fused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::reduce::Reduction;
    use crate::ops::unary::Unary;
    use crate::{Bindings, Tensor, Type, differentiate, evaluate};

    /// x - m is needed before and after a sum over the rows: both sweeps take it from x.
    #[test]
    fn a_difference_is_taken_again_instead_of_stored() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([16, 4]));
        let m = g.input("m", Type::f32([4]));
        let centered = g.sub(x, m).unwrap();
        let square = g.apply1(Unary::Square, &[centered]).unwrap();
        let sum = g.reduce(square, Reduction::Sum, 0).unwrap();
        let y = g.mul(centered, sum).unwrap();
        g.output("y", y);
        let fused = fuse_elementwise(&g).unwrap();
        let sweeps: Vec<_> = fused.nodes().iter().filter(|n| matches!(n.op, Op::Fused(_))).collect();
        assert_eq!(sweeps.len(), 2);
        for sweep in sweeps {
            assert_eq!(sweep.outputs.len(), 1);
            assert_eq!(sweep.inputs[..2].iter().map(|v| fused.shape(*v).len()).sum::<usize>(), 3, "x and m");
        }
        let inputs = vec![Tensor::full([16, 4], 3.0), Tensor::full([4], 1.0)];
        let bindings = Bindings { parameters: vec![], inputs, loss_scale: 1.0 };
        let read = |g: &Graph| evaluate(g, &bindings)[g.outputs()[0].1.index()].clone();
        assert_eq!(read(&g), read(&fused));
    }

    #[test]
    fn a_fused_graph_computes_the_same_with_fewer_sweeps() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 3, 4]));
        let w = g.parameter("w", &[4]).unwrap();
        let c = g.parameter("c", &[2, 1, 4]).unwrap();
        let a = g.mul(x, w).unwrap();
        let b = g.apply1(Unary::Tanh, &[a]).unwrap();
        let d = g.add(b, c).unwrap();
        let e = g.mul(d, b).unwrap();
        let f = g.add_scalar(e, 0.5).unwrap();
        let square = g.apply1(Unary::Square, &[f]).unwrap();
        let loss = g.sum_all(square).unwrap();
        g.set_loss(loss);
        g.output("d", d);
        differentiate(&mut g).unwrap();
        let fused = fuse_elementwise(&g).unwrap();
        let single = lower_elementwise(&g).unwrap();
        let count = |g: &Graph| g.nodes().iter().filter(|n| matches!(n.op, Op::Fused(_))).count();
        assert!(count(&fused) <= 3, "{} sweeps", count(&fused));
        assert!(count(&single) > 8);

        let ramp = |shape: &[usize]| {
            let mut i = 0.0;
            Tensor::from_fn(shape, |_| {
                i += 0.37;
                f64::sin(i)
            })
        };
        let bindings = Bindings {
            parameters: vec![ramp(&[4]), ramp(&[2, 1, 4])],
            inputs: vec![ramp(&[2, 3, 4])],
            loss_scale: 0.5,
        };
        let expected = evaluate(&g, &bindings);
        for other in [&fused, &single] {
            let got = evaluate(other, &bindings);
            for (a, b) in g.roots().iter().zip(other.roots()) {
                assert_eq!(expected[a.index()], got[b.index()]);
            }
        }
    }
}
