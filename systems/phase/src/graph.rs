//! The static edges.

use bessemer_kernels::random::{Stream, uniform_at};

use crate::settings::Settings;

/// What the random numbers of edges are drawn for.
const SITE_EDGES: u32 = 0x5048_0001;

/// Edges from node to node, by the node that they leave. Inputs come first, then the intermediate layers, then
/// outputs; there is no other order of nodes anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Where the edges of a node begin in `targets`, `[nodes + 1]`.
    pub first: Vec<u32>,
    /// Where edges lead, `[edges]`, in ascending order for each node.
    pub targets: Vec<u16>,
}

impl Graph {
    /// Every intermediate node draws `cardinality` sources, none twice, from the inputs and the layers before
    /// its own, and every output from the inputs and all layers.
    pub fn random(settings: &Settings, seed: u64) -> Graph {
        let (inputs, nodes) = (settings.inputs, settings.nodes());
        let outputs = nodes - settings.outputs;
        let layer = settings.intermediate.div_ceil(settings.layers).max(1);
        let mut edges = Vec::with_capacity((nodes - inputs) * settings.cardinality);
        let mut drawn = Vec::new();
        for target in inputs..nodes {
            let candidates = match target < outputs {
                true => inputs + (target - inputs) / layer * layer,
                false => outputs,
            };
            let stream = Stream { seed, step: target as u64, site: SITE_EDGES };
            drawn.clear();
            let mut position = 0;
            while drawn.len() < settings.cardinality {
                let source = (f64::from(uniform_at(stream, position)) * candidates as f64) as usize;
                position += 1;
                if !drawn.contains(&source) {
                    drawn.push(source);
                    edges.push((source, target as u16));
                }
            }
        }
        edges.sort_unstable();
        let mut first = vec![0u32; nodes + 1];
        for (source, _) in &edges {
            first[source + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        Graph { first, targets: edges.into_iter().map(|(_, target)| target).collect() }
    }

    /// Where the edges of a node lead.
    pub fn targets(&self, node: usize) -> &[u16] {
        &self.targets[self.first[node] as usize..self.first[node + 1] as usize]
    }

    /// Nodes.
    pub fn nodes(&self) -> usize {
        self.first.len() - 1
    }

    /// The mean number of edges on the shortest way from any input to an output, over those that can be
    /// reached; 0 if none can.
    pub fn mean_path(&self, inputs: usize, outputs: usize) -> f64 {
        let mut distance = vec![0u32; self.nodes()];
        let mut reached: Vec<usize> = (0..inputs).collect();
        let mut place = 0;
        while place < reached.len() {
            let node = reached[place];
            for &target in self.targets(node) {
                let target = target as usize;
                if target >= inputs && distance[target] == 0 {
                    distance[target] = distance[node] + 1;
                    reached.push(target);
                }
            }
            place += 1;
        }
        let ways = distance[self.nodes() - outputs..].iter().filter(|way| **way > 0);
        let (sum, count) = ways.fold((0.0, 0.0), |(sum, count), way| (sum + f64::from(*way), count + 1.0));
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_lead_forwards_and_every_node_has_its_sources() {
        let settings = Settings::default();
        let graph = Graph::random(&settings, 1);
        let (inputs, nodes) = (settings.inputs, settings.nodes());
        let layer_of = |node: usize| match node {
            node if node < inputs => 0,
            node if node < nodes - settings.outputs => 1 + (node - inputs) / 50,
            _ => 9,
        };
        let mut sources = vec![0; nodes];
        for source in 0..nodes {
            let targets = graph.targets(source);
            assert!(targets.is_sorted_by(|a, b| a < b), "in order, and none twice");
            for &target in targets {
                assert!(layer_of(source) < layer_of(target as usize), "{source} to {target}");
                sources[target as usize] += 1;
            }
        }
        assert!(sources[..inputs].iter().all(|count| *count == 0));
        assert!(sources[inputs..].iter().all(|count| *count == settings.cardinality));
        assert_eq!(graph, Graph::random(&settings, 1));
        assert_ne!(graph, Graph::random(&settings, 2));
    }

    #[test]
    fn paths_are_counted_in_edges() {
        // 0 to 2 to 3, and 1 to 3.
        let graph = Graph { first: vec![0, 1, 2, 3, 3], targets: vec![2, 3, 3] };
        assert_eq!(graph.mean_path(2, 1), 1.0);
        assert_eq!(graph.mean_path(1, 1), 2.0);
        assert_eq!(Graph { first: vec![0, 0, 0], targets: vec![] }.mean_path(1, 1), 0.0);
    }
}
