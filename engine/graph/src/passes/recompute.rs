//! Drops values between the forward and the backward pass, and computes them again where they are read.
//!
//! Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, without fixed checkpoints: at the
//! point where most memory is alive, whatever costs least to compute again for its size is dropped, until
//! the budget is met.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::GraphError;
use crate::graph::{Graph, Node};
use crate::operation::{Cost, Op};

/// A value that is dropped and computed again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputed {
    /// The operation that gives it.
    pub operation: &'static str,
    /// Where in the model that stands.
    pub scope: Arc<str>,
    /// Floats that are free in the meantime.
    pub floats: usize,
    /// What is computed again for it.
    pub cost: Cost,
}

/// What [`recompute`] did.
#[derive(Clone, Debug)]
pub struct Recompute {
    /// The graph with repeated operations. Passes that join equal work must not follow.
    pub graph: Graph,
    /// What was dropped, in the order of choice.
    pub choices: Vec<Recomputed>,
    /// Floats of values alive at once, at most, before.
    pub before: usize,
    /// The same after.
    pub after: usize,
}

/// Nominal rates that a node's time is estimated by: operations and bytes a second.
const RATES: (f64, f64) = (2e11, 5e10);
/// Seconds that any call takes.
const CALL: f64 = 1e-6;
/// Nodes that may be computed again for one value.
const LONGEST_CHAIN: usize = 12;
/// Times that a value is dropped, at most.
const DROPS: usize = 2;
/// A value so many times smaller than what is dropped may live longer for its sake.
const SMALL: usize = 16;

/// Brings the memory of values that are alive at once down to a share of what it is, if it can: see
/// [`Recompute::after`].
pub fn recompute(graph: &Graph, share: f64) -> Result<Recompute, GraphError> {
    let mut schedule = Schedule::new(graph);
    let (_, before) = schedule.peak();
    let budget = (before as f64 * share) as usize;
    let mut choices = Vec::new();
    let mut refused = HashSet::new();
    let mut drops = vec![0; graph.types().len()];
    // The least memory so far, and the fewest choices that it takes.
    let (mut least, mut fewest) = (schedule.clone(), (before, 0));
    loop {
        let (at, live) = schedule.peak();
        if live < fewest.0 {
            (least, fewest) = (schedule.clone(), (live, choices.len()));
        }
        if live <= budget {
            break;
        }
        let Some(best) = schedule
            .cheapest(at, &|value, before| drops[value] < DROPS && !refused.contains(&(value, before)))
        else {
            break;
        };
        let mut next = schedule.clone();
        next.apply(&best);
        // What is needed to compute it again may take as much, or more at another place.
        let lives = next.live();
        if lives[at] >= live || lives.iter().any(|other| *other > live) {
            refused.insert((schedule.origin[best.value], best.before));
            continue;
        }
        schedule = next;
        // Positions have moved.
        refused.clear();
        drops[schedule.origin[best.value]] += 1;
        let node = &graph.nodes()[schedule.node_of(best.value)];
        choices.push(Recomputed {
            operation: node.op.operation().name(),
            scope: node.scope.clone(),
            floats: schedule.len(best.value),
            cost: best.cost,
        });
    }
    // A budget that can't be met is not paid for in vain.
    let (after, count) = fewest;
    choices.truncate(count);
    Ok(Recompute { graph: least.build()?, choices, before, after })
}

/// A node of the old graph, once or once again.
#[derive(Clone)]
struct Entry {
    node: usize,
    again: bool,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

/// Nodes in order, some of them several times. Values are those of the old graph, and further ones for
/// what is computed again.
#[derive(Clone)]
struct Schedule<'a> {
    graph: &'a Graph,
    entries: Vec<Entry>,
    /// The old value that a value equals.
    origin: Vec<usize>,
    /// The values that equal a value of the old graph.
    versions: Vec<Vec<usize>>,
    /// The value whose memory a value shares: itself, unless it is a reshape.
    root: Vec<usize>,
    /// Of values of the old graph: whether they take memory of the arena.
    stored: Vec<bool>,
    /// Of values of the old graph: whether the outside reads them.
    kept: Vec<bool>,
}

/// When a value is written and read.
#[derive(Clone, Default)]
struct Life {
    first: usize,
    reads: Vec<usize>,
    last: usize,
}

/// A value to drop.
struct Candidate {
    value: usize,
    /// Position before which it is computed again.
    before: usize,
    /// Entries to repeat, in order.
    chain: Vec<usize>,
    cost: Cost,
}

impl<'a> Schedule<'a> {
    fn new(graph: &'a Graph) -> Schedule<'a> {
        let count = graph.types().len();
        let mut root: Vec<usize> = (0..count).collect();
        let mut stored = vec![true; count];
        let mut kept = vec![false; count];
        for node in graph.nodes() {
            match node.op {
                Op::Reshape(_) => root[node.outputs[0].index()] = root[node.inputs[0].index()],
                Op::Source(_) => stored[node.outputs[0].index()] = false,
                _ => {}
            }
        }
        // Gradients of parameters are summed where the lane keeps them.
        graph.gradients().iter().for_each(|(_, v)| stored[root[v.index()]] = false);
        graph.roots().iter().for_each(|v| kept[root[v.index()]] = true);
        let ids = |values: &[crate::ValueId]| values.iter().map(|v| v.index()).collect();
        let entry = |(node, n): (usize, &Node)| Entry {
            node,
            again: false,
            inputs: ids(&n.inputs),
            outputs: ids(&n.outputs),
        };
        let entries = graph.nodes().iter().enumerate().map(entry).collect();
        let versions = (0..count).map(|v| vec![v]).collect();
        Schedule { graph, entries, origin: (0..count).collect(), versions, root, stored, kept }
    }

    /// Floats of a value, if it takes any.
    fn len(&self, value: usize) -> usize {
        let origin = self.origin[value];
        if self.stored[origin] && self.root[value] == value { self.graph.types()[origin].len() } else { 0 }
    }

    fn is_reshape(&self, entry: &Entry) -> bool {
        matches!(self.graph.nodes()[entry.node].op, Op::Reshape(_))
    }

    /// The node that gives a value.
    fn node_of(&self, value: usize) -> usize {
        let gives = |e: &&Entry| e.outputs.contains(&value);
        self.entries.iter().find(gives).expect("every value is given by a node").node
    }

    /// Lives of the values that own memory; reads are in order.
    fn lives(&self) -> Vec<Life> {
        let mut lives = vec![Life::default(); self.origin.len()];
        for (at, entry) in self.entries.iter().enumerate() {
            if self.is_reshape(entry) {
                continue;
            }
            for &v in &entry.inputs {
                let life = &mut lives[self.root[v]];
                life.reads.push(at);
                life.last = at;
            }
            for &v in &entry.outputs {
                lives[v].first = at;
                lives[v].last = at;
            }
        }
        let end = self.entries.len();
        for (v, life) in lives.iter_mut().enumerate() {
            // The outside reads the first of several equal values.
            if v < self.kept.len() && self.kept[v] {
                life.last = end;
                life.reads.push(end);
            }
        }
        lives
    }

    /// Floats alive at every position.
    fn live(&self) -> Vec<usize> {
        let mut change = vec![0isize; self.entries.len() + 2];
        for (v, life) in self.lives().iter().enumerate() {
            let len = self.len(v) as isize;
            change[life.first] += len;
            change[life.last.min(self.entries.len()) + 1] -= len;
        }
        let mut live = 0;
        change
            .iter()
            .map(|change| {
                live += change;
                live as usize
            })
            .collect()
    }

    /// Where most memory is alive, and how much.
    fn peak(&self) -> (usize, usize) {
        let live = self.live();
        let most = live.iter().copied().max().unwrap_or(0);
        (live.iter().position(|live| *live == most).unwrap_or(0), most)
    }

    /// The position of the entry that gives each value.
    fn producers(&self) -> Vec<usize> {
        let mut producers = vec![0; self.origin.len()];
        for (position, entry) in self.entries.iter().enumerate() {
            entry.outputs.iter().for_each(|&v| producers[v] = position);
        }
        producers
    }

    /// The value alive at a position, but not read or written there, that costs least to compute again
    /// for its size, of those that are allowed: (value of the old graph, position of its next read).
    fn cheapest(&self, at: usize, allowed: &dyn Fn(usize, usize) -> bool) -> Option<Candidate> {
        let lives = self.lives();
        let producer = self.producers();
        let mut best: Option<(f64, Candidate)> = None;
        for (value, life) in lives.iter().enumerate() {
            let stays = self.kept.get(value).is_some_and(|kept| *kept);
            let idle = life.first < at && life.last > at && !life.reads.contains(&at);
            if self.len(value) == 0 || stays || !idle {
                continue;
            }
            let Some(&before) = life.reads.iter().find(|&&read| read > at) else { continue };
            if before >= self.entries.len() || !allowed(self.origin[value], before) {
                continue;
            }
            let mut chain = Vec::new();
            if !self.chain(value, value, before, &lives, &producer, &mut chain) {
                continue;
            }
            chain.sort_unstable();
            let mut cost = Cost::default();
            let mut seconds = 0.0;
            for &position in &chain {
                let node = self.graph.cost(&self.graph.nodes()[self.entries[position].node]);
                seconds += (node.flops / RATES.0).max(node.bytes / RATES.1) + CALL;
                cost.flops += node.flops;
                cost.bytes += node.bytes;
            }
            let each = seconds / self.len(value) as f64;
            if best.as_ref().is_none_or(|(least, _)| each < *least) {
                best = Some((each, Candidate { value, before, chain, cost }));
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    /// A value equal to `value` that is there just before a position, and read there or later.
    fn alive(
        &self,
        value: usize,
        before: usize,
        except: usize,
        lives: &[Life],
        producer: &[usize],
    ) -> Option<usize> {
        let versions = self.versions[self.origin[value]].iter().copied();
        versions.filter(|v| *v < lives.len() && producer[*v] < before).find(|&v| {
            let root = self.root[v];
            root != except && (!self.stored[self.origin[root]] || lives[root].last >= before)
        })
    }

    /// Collects the entries that give `value` from what is alive before a position; whether it can be
    /// done.
    fn chain(
        &self,
        value: usize,
        dropped: usize,
        before: usize,
        lives: &[Life],
        producer: &[usize],
        chain: &mut Vec<usize>,
    ) -> bool {
        let position = producer[value];
        if chain.contains(&position) {
            return true;
        }
        let entry = &self.entries[position];
        let op = &self.graph.nodes()[entry.node].op;
        if chain.len() == LONGEST_CHAIN || matches!(op, Op::BatchSum(_) | Op::BatchMoments(_)) {
            return false;
        }
        chain.push(position);
        entry.inputs.iter().all(|&input| {
            let root = self.root[input];
            let small = root != dropped && self.len(root) * SMALL <= self.len(dropped);
            small
                || self.alive(input, before, dropped, lives, producer).is_some()
                || (root != dropped && self.chain(root, dropped, before, lives, producer, chain))
        })
    }

    /// Computes the candidate again before its next read, and has it read from there on.
    fn apply(&mut self, candidate: &Candidate) {
        let known = (self.lives(), self.producers());
        let before = candidate.before;
        let mut map: HashMap<usize, usize> = HashMap::new();
        let mut repeated = Vec::new();
        for &position in &candidate.chain {
            self.repeat(position, before, candidate.value, &known, &mut map, &mut repeated);
            // What shares their memory.
            let owners = self.entries[position].outputs.clone();
            for other in 0..before {
                let entry = &self.entries[other];
                if self.is_reshape(entry) && owners.contains(&self.root[entry.outputs[0]]) {
                    self.repeat(other, before, candidate.value, &known, &mut map, &mut repeated);
                }
            }
        }
        // Others of the chain are there for this read alone.
        let only = |v: &usize| self.root[*v] == candidate.value;
        let moved: HashMap<usize, usize> = map.into_iter().filter(|(old, _)| only(old)).collect();
        for entry in &mut self.entries[before..] {
            for input in &mut entry.inputs {
                *input = moved.get(input).copied().unwrap_or(*input);
            }
        }
        self.entries.splice(before..before, repeated);
        // Reshapes that come later may have moved to other memory.
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            if self.is_reshape(entry) {
                self.root[entry.outputs[0]] = self.root[entry.inputs[0]];
            }
        }
    }

    /// Repeats one entry, with what is mapped or alive as inputs.
    fn repeat(
        &mut self,
        position: usize,
        before: usize,
        dropped: usize,
        (lives, producer): &(Vec<Life>, Vec<usize>),
        map: &mut HashMap<usize, usize>,
        repeated: &mut Vec<Entry>,
    ) {
        let entry = self.entries[position].clone();
        let is_reshape = self.is_reshape(&entry);
        let inputs: Vec<usize> = entry
            .inputs
            .iter()
            .map(|v| map.get(v).copied().or(self.alive(*v, before, dropped, lives, producer)).unwrap_or(*v))
            .collect();
        let mut outputs = Vec::new();
        for &old in &entry.outputs {
            let new = self.origin.len();
            self.origin.push(self.origin[old]);
            self.versions[self.origin[old]].push(new);
            self.root.push(if is_reshape { self.root[inputs[0]] } else { new });
            map.insert(old, new);
            outputs.push(new);
        }
        repeated.push(Entry { node: entry.node, again: true, inputs, outputs });
    }

    /// The graph of this schedule.
    fn build(&self) -> Result<Graph, GraphError> {
        let mut entries = self.entries.iter();
        let mut made: Vec<Option<crate::ValueId>> = vec![None; self.origin.len()];
        self.graph.rewrite(|new, _, _, _| {
            // Everything up to the next node of the old graph.
            for entry in entries.by_ref() {
                let node = &self.graph.nodes()[entry.node];
                let inputs: Vec<_> =
                    entry.inputs.iter().map(|&v| made[v].expect("nodes are in order")).collect();
                new.set_scope(&node.scope);
                let outputs = new.copy_node(self.graph, node, &inputs);
                entry.outputs.iter().zip(&outputs).for_each(|(&v, &id)| made[v] = Some(id));
                if !entry.again {
                    return Ok(outputs);
                }
            }
            unreachable!("a schedule holds every node of its graph")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differentiate;
    use crate::evaluate::{Bindings, evaluate};
    use crate::ops::unary::Unary;
    use crate::passes::{fuse_elementwise, fuse_linear, simplify};
    use crate::{Tensor, Type, ValueId};

    /// Layers of linear, tanh and a sum, with their gradients.
    fn layers(count: usize) -> Graph {
        let mut g = Graph::new();
        let x = g.input("x", Type::f32([8, 4]));
        let mut h = x;
        for i in 0..count {
            g.enter(&format!("layer{i}"));
            let w = g.parameter("w", &[4, 4]).unwrap();
            let y = g.linear(h, w, None).unwrap();
            let y = g.reshape(y, &[4, 8]).unwrap();
            let y = g.apply1(Unary::Sin, &[y]).unwrap();
            let y = g.reshape(y, &[8, 4]).unwrap();
            h = g.add(y, h).unwrap();
            g.leave();
        }
        let h = g.apply1(Unary::Sin, &[h]).unwrap();
        let loss = g.sum_all(h).unwrap();
        g.set_loss(loss);
        g.output("h", h);
        differentiate(&mut g).unwrap();
        g
    }

    fn roots_of(g: &Graph) -> Vec<Vec<f64>> {
        let tensor = |shape: &[usize], seed: usize| {
            let len: usize = shape.iter().product();
            let data = (0..len).map(|i| ((i * 7 + seed * 3) % 11) as f64 / 11.0 - 0.4).collect();
            Tensor::new(shape, data)
        };
        let parameters: Vec<_> =
            g.parameters().iter().enumerate().map(|(i, p)| tensor(&p.shape, i)).collect();
        let inputs: Vec<_> = g.inputs().iter().map(|i| tensor(&i.ty.shape, 5)).collect();
        let bindings = Bindings { parameters, inputs, loss_scale: 1.0 };
        let values = evaluate(g, &bindings);
        g.roots().iter().map(|v: &ValueId| values[v.index()].data.clone()).collect()
    }

    #[test]
    fn less_is_alive_and_nothing_changes() {
        let plain = simplify(&layers(8)).unwrap();
        for graph in [plain.clone(), fuse_elementwise(&fuse_linear(&plain).unwrap()).unwrap()] {
            let expected = roots_of(&graph);
            let mut last = usize::MAX;
            for share in [1.0, 0.8, 0.6, 0.4] {
                let less = recompute(&graph, share).unwrap();
                assert!(less.after as f64 <= share * less.before as f64, "{share}: {}", less.after);
                assert!(less.after <= last);
                last = less.after;
                assert_eq!(less.choices.is_empty(), share == 1.0);
                assert_eq!(roots_of(&less.graph), expected, "{share}");
                // The schedule of the new graph is what was promised.
                assert_eq!(Schedule::new(&less.graph).peak().1, less.after);
            }
        }
    }

    /// Gated layers over three axes: the gradient of a linear layer reads a reshape of what is also read
    /// as it is.
    fn gated(count: usize) -> Graph {
        let mut g = Graph::new();
        let mut h = g.input("x", Type::f32([3, 4, 4]));
        for i in 0..count {
            g.enter(&format!("layer{i}"));
            let (w, gate) = (g.parameter("w", &[4, 4]).unwrap(), g.parameter("gate", &[4, 4]).unwrap());
            let y = g.linear(h, w, None).unwrap();
            let y = g.apply1(Unary::Tanh, &[y]).unwrap();
            let z = g.linear(y, gate, None).unwrap();
            let z = g.apply1(Unary::Sigmoid, &[z]).unwrap();
            h = g.mul(y, z).unwrap();
            g.output(&format!("h{i}"), h);
            g.leave();
        }
        let loss = g.sum_all(h).unwrap();
        g.set_loss(loss);
        differentiate(&mut g).unwrap();
        g
    }

    #[test]
    fn reshapes_follow_what_is_computed_again() {
        let graph = simplify(&gated(6)).unwrap();
        let expected = roots_of(&graph);
        let whole = recompute(&graph, 1.0).unwrap();
        for percent in (0..100).step_by(7) {
            let less = recompute(&graph, f64::from(percent) / 100.0).unwrap();
            assert_eq!(roots_of(&less.graph), expected, "{percent} %");
            assert_eq!(Schedule::new(&less.graph).peak().1, less.after, "{percent} %");
            assert!(percent > 80 || less.after < whole.after, "{percent} %");
        }
    }

    #[test]
    fn what_the_outside_reads_is_not_dropped() {
        for named in [false, true] {
            let mut g = Graph::new();
            let x = g.input("x", Type::f32([8, 4]));
            let w = g.parameter("w", &[8, 4]).unwrap();
            let y = g.mul(x, w).unwrap();
            let y = g.apply1(Unary::Sin, &[y]).unwrap();
            if named {
                g.output("y", y);
            }
            let mut h = y;
            for _ in 0..4 {
                h = g.apply1(Unary::Cos, &[h]).unwrap();
            }
            let h = g.mul(h, y).unwrap();
            let loss = g.sum_all(h).unwrap();
            g.set_loss(loss);
            differentiate(&mut g).unwrap();
            let dropped = recompute(&g, 0.0).unwrap().choices;
            assert_eq!(dropped.iter().any(|choice| choice.operation == "sin"), !named, "{dropped:?}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_approached() {
        let less = recompute(&layers(6), 0.0).unwrap();
        assert!(less.after < less.before && less.after > 0);
        assert!(!less.choices.is_empty());
    }
}
