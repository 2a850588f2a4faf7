//! An index that is asked for the best nodes and may miss some.

use bessemer_phase_reader::COSINE_BITS;
use hnsw_rs::prelude::{Distance, Hnsw};

use super::Found;
use crate::tables::Tables;

/// Candidates for the neighbours of a node that is put in.
const CONSTRUCTION: usize = 100;
/// Layers at most, which is the crate's limit as well.
const LAYERS: usize = 16;

/// A graph of near nodes in layers (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search
/// using hierarchical navigable small world graphs", 2018), of the points (cos φ, -sin φ) in R²ᴰ.
///
/// Distances are integers, from the table of cosines, and nodes are put in one after another, with layers by a
/// generator that always begins alike: the same phases make the same graph, and the same questions have the same
/// answers.
pub struct Approximate {
    graph: Hnsw<'static, i16, Chord>,
    dimensions: usize,
    phases: i16,
    nodes: usize,
    ef: usize,
}

/// Half of |p - q|² = 2D - 2 Σ cos 2π(a - b)/N, in [`COSINE_BITS`]: below 2²⁴, so that a float holds it exactly.
#[derive(Clone)]
struct Chord {
    cosines: Vec<i16>,
}

impl Distance<i16> for Chord {
    fn eval(&self, a: &[i16], b: &[i16]) -> f32 {
        let n = self.cosines.len() as i32;
        let mut sum = 0;
        for (a, b) in a.iter().zip(b) {
            let turned = i32::from(*a) - i32::from(*b);
            let cosine = self.cosines[(if turned < 0 { turned + n } else { turned }) as usize];
            sum += (1 << COSINE_BITS) - i32::from(cosine);
        }
        sum as f32
    }
}

impl Approximate {
    /// For the nodes' phases, `[nodes, D]`, as they are now: with `m` neighbours of a node (twice as many in the
    /// lowest layer), and `ef` candidates at any time of a search.
    pub fn new(tables: &Tables, phase: &[i16], dimensions: usize, (m, ef): (usize, usize)) -> Approximate {
        let nodes = phase.len() / dimensions;
        let distance = Chord { cosines: tables.cosines.clone() };
        let mut graph = Hnsw::new(m, nodes, LAYERS, CONSTRUCTION, distance);
        // Many nodes begin at the same phases: without this, such nodes would hardly have neighbours.
        graph.set_keeping_pruned(true);
        for (node, own) in phase.chunks_exact(dimensions).enumerate() {
            graph.insert_slice((own, node));
        }
        Approximate { graph, dimensions, phases: tables.cosines.len() as i16, nodes, ef }
    }

    /// Nodes with high scores for a context of D phases, in the order of [`Tree::nearest`](super::Tree::nearest),
    /// most of them among the `k` best. There are fewer than `k` only if no more can be reached.
    pub fn nearest(&self, context: &[i16], k: usize, allowed: impl Fn(u32) -> bool, found: &mut Found) {
        // cos(a + b) = cos(b - (-a)): the point to be near to is that of the context turned over.
        let turned: Vec<i16> = context.iter().map(|p| if *p == 0 { 0 } else { self.phases - p }).collect();
        let most = (self.dimensions << COSINE_BITS) as i32;
        let mut width = self.ef.max(k);
        // The search knows nothing of what is not allowed, and is widened until enough is left.
        loop {
            found.clear();
            let near = self.graph.search(&turned, width, width);
            let near = near.into_iter().map(|near| (most - near.distance as i32, near.d_id as u32));
            found.extend(near.filter(|(_, node)| allowed(*node)));
            if found.len() >= k || width >= self.nodes {
                break;
            }
            width = (2 * width).min(self.nodes);
        }
        found.sort_unstable_by_key(|(score, node)| (-score, *node));
        found.truncate(k);
    }
}
