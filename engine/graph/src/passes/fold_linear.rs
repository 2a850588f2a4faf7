//! Makes one linear layer of two that follow each other with nothing between them.

use std::collections::HashMap;

use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::operation::Op;
use crate::ops::linear::Linear;
use crate::ops::source::Source;

/// A layer and the one it was folded into, by the indices of their parameters.
///
/// With weights A `[mid, in]` and B `[out, mid]` and biases a and b, the folded layer has the weight
/// B·A `[out, in]` and the bias B·a + b. These are parameters of the rewritten graph, after those of the
/// original one; whoever runs it computes them once for all rows, and from their gradients G and g takes
/// those of A (Bᵀ·G), B (G·Aᵀ + g·aᵀ), a (Bᵀ·g) and b (g).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Weight and bias of the first layer.
    pub inner: (usize, Option<usize>),
    /// Weight and bias of the second.
    pub outer: (usize, Option<usize>),
    /// Weight and bias of both.
    pub folded: (usize, Option<usize>),
}

/// Folds pairs of linear layers where that saves work: the product of the weights is taken once a step,
/// the product with the rows `repeat` times, as often as the graph is run. To be run before
/// differentiation.
pub fn fold_linear(graph: &Graph, repeat: f64) -> Result<(Graph, Vec<Fold>), GraphError> {
    let nodes = graph.nodes();
    let roots = graph.roots();
    let mut readers = vec![0usize; graph.types().len()];
    nodes.iter().flat_map(|n| &n.inputs).for_each(|v| readers[v.index()] += 1);
    let mut producer: HashMap<ValueId, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        producer.extend(node.outputs.iter().map(|v| (*v, index)));
    }
    // A parameter that nothing else reads.
    let own = |v: ValueId| match nodes[producer[&v]].op {
        Op::Source(Source::Parameter(index)) if readers[v.index()] == 1 => Some(index),
        _ => None,
    };
    // The weight and the bias of a plain linear layer.
    let layer = |index: usize| match nodes[index].op {
        Op::Linear(op @ Linear { activation: None, residual: false, .. }) => {
            let weight = own(nodes[index].inputs[1])?;
            let bias = if op.bias { Some(own(nodes[index].inputs[2])?) } else { None };
            Some((weight, bias))
        }
        _ => None,
    };
    // The second layer of each pair, and its first.
    let mut pairs: HashMap<usize, usize> = HashMap::new();
    for index in 0..nodes.len() {
        if layer(index).is_none() {
            continue;
        }
        let between = nodes[index].inputs[0];
        let first = producer[&between];
        let alone = readers[between.index()] == 1 && !roots.contains(&between);
        if layer(first).is_none() || !alone || pairs.contains_key(&first) {
            continue;
        }
        let weight = |node: usize| graph.shape(nodes[node].inputs[1]);
        let (out, mid, inside) = (weight(index)[0] as f64, weight(index)[1] as f64, weight(first)[1] as f64);
        let rows = repeat * graph.ty(between).len() as f64 / mid;
        let (apart, together) = (inside * mid + mid * out, inside * out + inside * mid * out / rows);
        // With room for rounding, so that micro-batches of all sizes are decided alike.
        if apart > together * (1.0 + 1e-9) {
            pairs.insert(index, first);
        }
    }
    let mut folds = Vec::new();
    let mut held: HashMap<usize, ValueId> = HashMap::new();
    let firsts: Vec<usize> = pairs.values().copied().collect();
    let folded = graph.rewrite(|new, index, node, inputs| {
        if firsts.contains(&index) {
            held.insert(index, inputs[0]);
            // A stand-in: nothing reads it but the second layer, which is replaced.
            return Ok(vec![inputs[0]]);
        }
        let Some(&first) = pairs.get(&index) else { return Ok(new.copy_node(graph, node, inputs)) };
        let (inner, outer) = (layer(first).expect("chosen"), layer(index).expect("chosen"));
        let shape = [graph.shape(node.inputs[1])[0], graph.shape(nodes[first].inputs[1])[1]];
        let mut place = new.parameters().len();
        // Names that no layer of the model has.
        let name = |tensor| format!("folded.{}.{tensor}", folds.len());
        let weight = new.parameter(&name("weight"), &shape)?;
        let mut operands = vec![held[&first], weight];
        let bias = inner.1.is_some() || outer.1.is_some();
        if bias {
            operands.push(new.parameter(&name("bias"), &shape[..1])?);
        }
        let weight = place;
        place += 1;
        folds.push(Fold { inner, outer, folded: (weight, bias.then_some(place)) });
        new.apply(Linear { bias, ..Linear::BIASED }, &operands)
    })?;
    Ok((folded, folds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Type;
    use crate::ops::unary::Unary;

    fn two_layers(between: Option<Unary>, twice: bool) -> Graph {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([10, 6]));
        let a = g.parameter("a", &[8, 6]).unwrap();
        let bias = g.parameter("a.bias", &[8]).unwrap();
        let b = g.parameter("b", &[5, 8]).unwrap();
        let mut h = g.linear(x, a, Some(bias)).unwrap();
        if let Some(op) = between {
            h = g.apply1(op, &[h]).unwrap();
        }
        if twice {
            g.output("h", h);
        }
        let y = g.linear(h, b, None).unwrap();
        g.output("y", y);
        g
    }

    #[test]
    fn only_layers_with_nothing_between_are_folded_where_it_saves_work() {
        let count = |g: &Graph, repeat| fold_linear(g, repeat).unwrap().1.len();
        assert_eq!(count(&two_layers(None, false), 10.0), 1);
        assert_eq!(count(&two_layers(None, false), 0.1), 0, "one row: the product of the weights costs more");
        assert_eq!(count(&two_layers(Some(Unary::Relu), false), 10.0), 0);
        assert_eq!(count(&two_layers(None, true), 10.0), 0, "what is between is read");
    }

    #[test]
    fn the_folded_layer_has_parameters_of_its_own() {
        let (g, folds) = fold_linear(&two_layers(None, false), 10.0).unwrap();
        let fold = Fold { inner: (0, Some(1)), outer: (2, None), folded: (3, Some(4)) };
        assert_eq!(folds, [fold]);
        assert_eq!((&g.parameters()[3].shape[..], &g.parameters()[4].shape[..]), (&[5, 6][..], &[5][..]));
        assert_eq!(g.nodes().iter().filter(|n| matches!(n.op, Op::Linear(_))).count(), 1);
    }
}
