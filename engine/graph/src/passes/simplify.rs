//! Drops what nothing reads, computes equal things once, and skips what changes nothing.

use std::collections::HashMap;

use crate::error::GraphError;
use crate::graph::{Graph, Node, ValueId};
use crate::operation::Op;
use crate::ops::binary::Binary;
use crate::ops::concat::Concat;
use crate::ops::pad::{Pad, PadMode};
use crate::ops::reduce::Reduction;
use crate::ops::reshape::Reshape;
use crate::ops::source::Source;
use crate::shape::broadcast;

/// An operation and the values on one side of it.
type Made = (Op, Vec<ValueId>);

/// Simplifies a graph; the values read from outside stay the same, but for the rounding of sums from
/// which a factor was taken out.
pub fn simplify(graph: &Graph) -> Result<Graph, GraphError> {
    let rewritten = graph.rewrite({
        // By name and inputs: operations already there, with their outputs.
        let mut seen: HashMap<(&'static str, Vec<ValueId>), Vec<Made>> = HashMap::new();
        // For each value of the new graph: the operation behind it, for looking through.
        let mut made: HashMap<ValueId, Made> = HashMap::new();
        move |new, _, node, inputs| {
            let inputs = look_through(new, &made, node, inputs);
            if let Some(same) = identity(graph, new, &made, node, &inputs) {
                return Ok(vec![same]);
            }
            if let Some(joined) = join_pads(new, &mut made, &node.op, &inputs)? {
                return Ok(vec![joined]);
            }
            if reduces_nothing(new, node, &inputs) {
                let shape = graph.shape(node.outputs[0]).to_vec();
                return Ok(vec![new.apply1(Reshape { shape }, &inputs)?]);
            }
            let (op, inputs, factor) = match factor_out(new, &made, &node.op, &inputs) {
                Some((term, factor)) => (node.op.clone(), vec![term], Some(factor)),
                None => (node.op.clone(), inputs, None),
            };
            let equal = seen.entry((node.op.operation().name(), inputs.clone())).or_default();
            let outputs = match equal.iter().find(|(other, _)| *other == op) {
                Some((_, outputs)) => outputs.clone(),
                None => {
                    let outputs = new.copy_node(graph, node, &inputs);
                    equal.push((op.clone(), outputs.clone()));
                    made.insert(outputs[0], (op, inputs));
                    outputs
                }
            };
            match factor {
                Some(factor) => Ok(vec![new.mul(outputs[0], factor)?]),
                None => Ok(outputs),
            }
        }
    })?;
    drop_unread(&rewritten)
}

/// Reads past reshapes of reshapes, and past broadcasts into operations that broadcast themselves.
fn look_through(new: &Graph, made: &HashMap<ValueId, Made>, node: &Node, inputs: &[ValueId]) -> Vec<ValueId> {
    let mut inputs = inputs.to_vec();
    match &node.op {
        Op::Reshape(_) => {
            while let Some((Op::Reshape(_), from)) = made.get(&inputs[0]) {
                inputs[0] = from[0];
            }
        }
        Op::Binary(_) | Op::Select(_) => {
            let shape_of = |inputs: &[ValueId]| {
                inputs.iter().try_fold(Vec::new(), |shape, &v| broadcast(&shape, new.shape(v)))
            };
            let shape = shape_of(&inputs);
            for i in 0..inputs.len() {
                if let Some((Op::BroadcastTo(_), from)) = made.get(&inputs[i]) {
                    let before = std::mem::replace(&mut inputs[i], from[0]);
                    if shape_of(&inputs) != shape {
                        inputs[i] = before;
                    }
                }
            }
        }
        _ => {}
    }
    inputs
}

/// The value that an operation merely repeats, if it does.
fn identity(
    old: &Graph,
    new: &Graph,
    made: &HashMap<ValueId, Made>,
    node: &Node,
    inputs: &[ValueId],
) -> Option<ValueId> {
    let shape = old.shape(node.outputs[0]);
    let same_shape = |v: ValueId| (new.shape(v) == shape).then_some(v);
    let is_constant = |v: ValueId, x: f32| match made.get(&v) {
        Some((Op::Source(Source::Constant(i)), _)) => new.constants()[*i].iter().all(|c| *c == x),
        _ => false,
    };
    match &node.op {
        Op::Reshape(Reshape { .. }) => same_shape(inputs[0]),
        Op::BroadcastTo(_) => same_shape(inputs[0]),
        Op::Reduce(_) if reduces_nothing(new, node, inputs) => same_shape(inputs[0]),
        Op::Binary(Binary::Mul) if is_constant(inputs[1], 1.0) => same_shape(inputs[0]),
        Op::Binary(Binary::Mul) if is_constant(inputs[0], 1.0) => same_shape(inputs[1]),
        Op::Binary(Binary::Div) if is_constant(inputs[1], 1.0) => same_shape(inputs[0]),
        Op::Dropout(d) if d.rate == 0.0 => Some(inputs[0]),
        _ => None,
    }
}

/// Whether an operation reduces axes of length 1 only, or none.
fn reduces_nothing(new: &Graph, node: &Node, inputs: &[ValueId]) -> bool {
    matches!(&node.op, Op::Reduce(reduce) if reduce.sizes(new.shape(inputs[0])).1 == 1)
}

/// For the sum of two parts of an axis that follow each other, each padded with zeros to the whole: the
/// parts side by side. Such are the gradients of slices.
fn join_pads(
    new: &mut Graph,
    made: &mut HashMap<ValueId, Made>,
    op: &Op,
    inputs: &[ValueId],
) -> Result<Option<ValueId>, GraphError> {
    let Op::Binary(Binary::Add) = op else { return Ok(None) };
    let padded = |v: ValueId| match made.get(&v) {
        Some((Op::Pad(pad), from)) if pad.mode == PadMode::Zero => Some((*pad, from[0])),
        _ => None,
    };
    let (Some(a), Some(b)) = (padded(inputs[0]), padded(inputs[1])) else { return Ok(None) };
    let ((first, x), (second, y)) = if a.0.before <= b.0.before { (a, b) } else { (b, a) };
    let axis = first.axis;
    if second.axis != axis
        || new.shape(inputs[0]) != new.shape(inputs[1])
        || first.before + new.shape(x)[axis] != second.before
    {
        return Ok(None);
    }
    let pieces = |v: ValueId| match made.get(&v) {
        Some((Op::Concat(concat), parts)) if concat.axis == axis => parts.clone(),
        _ => vec![v],
    };
    let parts = [pieces(x), pieces(y)].concat();
    let joined = new.apply1(Concat { axis }, &parts)?;
    made.insert(joined, (Op::Concat(Concat { axis }), parts));
    if (first.before, second.after) == (0, 0) {
        return Ok(Some(joined));
    }
    let pad = Pad { after: second.after, ..first };
    let whole = new.apply1(pad, &[joined])?;
    made.insert(whole, (Op::Pad(pad), vec![joined]));
    Ok(Some(whole))
}

/// For a sum of products with a factor that is the same along all summed axes: the other factor, of
/// the shape of the product, and that factor.
fn factor_out(
    new: &Graph,
    made: &HashMap<ValueId, Made>,
    op: &Op,
    inputs: &[ValueId],
) -> Option<(ValueId, ValueId)> {
    let Op::Reduce(reduce) = op else { return None };
    let Some((Op::Binary(Binary::Mul), factors)) = made.get(&inputs[0]) else { return None };
    let shape = new.shape(inputs[0]);
    let same_along = |v: ValueId| {
        let own = new.shape(v);
        let missing = shape.len() - own.len();
        (reduce.first..reduce.last).all(|axis| axis < missing || own[axis - missing] == 1)
    };
    let taken = (0..2).find(|&i| new.shape(factors[1 - i]) == shape && same_along(factors[i]))?;
    (reduce.reduction == Reduction::Sum).then_some((factors[1 - taken], factors[taken]))
}

/// The graph without what nothing reads.
pub(super) fn drop_unread(graph: &Graph) -> Result<Graph, GraphError> {
    let mut read = vec![false; graph.types().len()];
    for root in graph.roots() {
        read[root.index()] = true;
    }
    let mut keep = vec![false; graph.nodes().len()];
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        // Inputs and parameters stay: their order is the interface.
        let source = matches!(node.op, Op::Source(Source::Parameter(_) | Source::Input(_)));
        keep[index] = source || node.outputs.iter().any(|v| read[v.index()]);
        if keep[index] {
            for v in &node.inputs {
                read[v.index()] = true;
            }
        }
    }
    graph.rewrite(|new, index, node, inputs| match keep[index] {
        true => Ok(new.copy_node(graph, node, inputs)),
        false => Ok(vec![]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Type;
    use crate::ops::reduce::Reduce;
    use crate::{Bindings, Tensor, evaluate};

    #[test]
    fn equal_work_is_done_once_and_unread_work_not_at_all() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 3]));
        let a = g.scale(x, 2.0).unwrap();
        let b = g.scale(x, 2.0).unwrap();
        g.scale(x, 3.0).unwrap();
        let one = g.scale(a, 1.0).unwrap();
        let y = g.add(one, b).unwrap();
        g.output("y", y);
        let simple = simplify(&g).unwrap();
        let names: Vec<_> = simple.nodes().iter().map(|n| n.op.operation().name()).collect();
        assert_eq!(names, ["input", "constant", "mul", "add"]);
        assert_eq!(simple.nodes()[3].inputs[0], simple.nodes()[3].inputs[1]);
    }

    #[test]
    fn gradients_of_slices_are_joined() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 7]));
        let parts: Vec<ValueId> =
            [(0, 2), (2, 4), (6, 1)].iter().map(|&(start, len)| g.slice(x, 1, start, len).unwrap()).collect();
        let pad = |g: &mut Graph, part: usize, before, after| {
            g.apply1(Pad { axis: 1, before, after, mode: PadMode::Zero }, &[parts[part]]).unwrap()
        };
        let pads = [pad(&mut g, 0, 0, 5), pad(&mut g, 1, 2, 1), pad(&mut g, 2, 6, 0)];
        let upper = g.add(pads[2], pads[1]).unwrap();
        let whole = g.add(upper, pads[0]).unwrap();
        g.output("whole", whole);
        let apart = g.add(pads[0], pads[2]).unwrap();
        g.output("apart", apart);
        let simple = simplify(&g).unwrap();
        let count = |name| simple.nodes().iter().filter(|n| n.op.operation().name() == name).count();
        assert_eq!((count("concat"), count("pad"), count("add")), (1, 2, 1));
        let mut i = 0.0;
        let x = Tensor::from_fn([2, 7], |_| {
            i += 1.0;
            i
        });
        let bindings = Bindings { inputs: vec![x.clone()], ..Default::default() };
        let values = evaluate(&simple, &bindings);
        assert_eq!(values[simple.outputs()[0].1.index()], x);
        let mut hole = x;
        (0..2).for_each(|row| hole.data[7 * row + 2..7 * row + 6].fill(0.0));
        assert_eq!(values[simple.outputs()[1].1.index()], hole);
    }

    #[test]
    fn axes_of_length_one_are_not_summed() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 1, 3]));
        for (name, first, last) in [("none", 3, 3), ("one", 1, 2), ("two", 0, 2)] {
            let y = g.apply1(Reduce { reduction: Reduction::Sum, first, last }, &[x]).unwrap();
            g.output(name, y);
        }
        let simple = simplify(&g).unwrap();
        let names: Vec<_> = simple.nodes().iter().map(|n| n.op.operation().name()).collect();
        assert_eq!(names, ["input", "sum"]);
    }

    #[test]
    fn factors_are_taken_out_of_sums() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([4, 3]));
        let row = g.input("row", Type::f32([3]));
        let column = g.input("column", Type::f32([4, 1]));
        let by_row = g.mul(x, row).unwrap();
        let by_column = g.mul(column, x).unwrap();
        for (name, value, axis) in
            [("out", by_row, 0), ("in", by_row, 1), ("out2", by_column, 1), ("in2", by_column, 0)]
        {
            let sum = g.reduce(value, Reduction::Sum, axis).unwrap();
            g.output(name, sum);
        }
        let plain = g.reduce(x, Reduction::Sum, 0).unwrap();
        g.output("plain", plain);
        let simple = simplify(&g).unwrap();
        let count = |name| simple.nodes().iter().filter(|n| n.op.operation().name() == name).count();
        assert_eq!(count("sum"), 4, "the plain sum serves twice");
        let ramp = |shape: &[usize], by: f64| {
            let mut i = 0.0;
            Tensor::from_fn(shape, |_| {
                i += by;
                i - 1.0
            })
        };
        let inputs = vec![ramp(&[4, 3], 0.25), ramp(&[3], 1.5), ramp(&[4, 1], 0.5)];
        let bindings = Bindings { parameters: vec![], inputs, loss_scale: 1.0 };
        let (before, after) = (evaluate(&g, &bindings), evaluate(&simple, &bindings));
        for ((name, a), (_, b)) in g.outputs().iter().zip(simple.outputs()) {
            assert_eq!(before[a.index()], after[b.index()], "{name}");
        }
    }

    #[test]
    fn broadcasts_are_left_to_the_operation_that_reads_them() {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([2, 3]));
        let s = g.input("s", Type::f32([2, 1]));
        let wide = g.broadcast_to(s, &[2, 3]).unwrap();
        let y = g.mul(x, wide).unwrap();
        let alone = g.mul(wide, wide).unwrap();
        g.output("y", y);
        g.output("alone", alone);
        let simple = simplify(&g).unwrap();
        let count = |name| simple.nodes().iter().filter(|n| n.op.operation().name() == name).count();
        assert_eq!(count("broadcast"), 1, "the product of two broadcasts still needs one");
        assert_eq!(simple.shape(simple.outputs()[1].1), [2, 3]);
    }
}
