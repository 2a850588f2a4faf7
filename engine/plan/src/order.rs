//! The order in which the nodes of a graph run, and when values are read.

use std::collections::HashMap;

use bessemer_graph::{Graph, Node, Op};

use crate::plan::is_exchange;

/// The order in which nodes run: as in the graph, but by segment first.
pub(crate) struct Order {
    pub nodes: Vec<usize>,
    pub segment: Vec<usize>,
    /// Producing position of every value.
    pub position: HashMap<usize, usize>,
    pub reader_positions: Vec<Vec<usize>>,
}

impl Order {
    pub fn new(graph: &Graph) -> Order {
        let mut value_segment = vec![0usize; graph.types().len()];
        let mut segment = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            let ready = node.inputs.iter().map(|v| value_segment[v.index()]).max().unwrap_or(0);
            let s = ready + usize::from(is_exchange(&node.op));
            node.outputs.iter().for_each(|v| value_segment[v.index()] = s);
            segment.push(s);
        }
        let mut nodes: Vec<usize> = (0..graph.nodes().len()).collect();
        // What joins micro-batches comes first in its segment: it is done before it starts.
        nodes.sort_by_key(|&n| (segment[n], !is_exchange(&graph.nodes()[n].op)));
        let mut position = HashMap::new();
        let mut reader_positions = vec![Vec::new(); graph.types().len()];
        for (p, &n) in nodes.iter().enumerate() {
            graph.nodes()[n].outputs.iter().for_each(|v| _ = position.insert(v.index(), p));
            // A reshape reads nothing itself.
            if !matches!(graph.nodes()[n].op, Op::Reshape(_)) {
                graph.nodes()[n].inputs.iter().for_each(|v| reader_positions[v.index()].push(p));
            }
        }
        Order { nodes, segment, position, reader_positions }
    }

    /// The first position of a segment.
    pub fn start_of(&self, segment: usize) -> usize {
        self.nodes.iter().position(|&n| self.segment[n] == segment).unwrap_or(self.nodes.len())
    }

    /// The segment of a position, with that of the last for the end.
    pub fn segment_at(&self, position: usize) -> usize {
        let last = self.nodes.len().saturating_sub(1);
        self.nodes.get(position.min(last)).map_or(0, |&n| self.segment[n])
    }

    pub fn producer<'a>(&self, graph: &'a Graph, value: usize) -> Option<&'a Node> {
        self.position.get(&value).map(|&p| &graph.nodes()[self.nodes[p]])
    }

    /// The last position that reads a value or a reshape of it.
    pub fn last_read(&self, graph: &Graph, alias: &[usize], value: usize) -> usize {
        (0..graph.types().len())
            .filter(|&v| alias[v] == value)
            .flat_map(|v| self.reader_positions[v].iter().copied())
            .max()
            .unwrap_or(0)
    }
}
