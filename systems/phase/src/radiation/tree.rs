//! A k-d tree over the nodes' phases: exact, and in less than the time of looking at all nodes.

use bessemer_phase_reader::COSINE_BITS;

use super::Found;
use crate::tables::Tables;

/// Nodes in a leaf.
const LEAF: usize = 16;

/// Phases as points (cos φ, -sin φ) in R²ᴰ, all of the length √D: the best score is the least distance, as
/// |a - b|² = 2D - 2 score. Boxes around points bound scores from above; what they cannot rule out is scored in
/// integers, so that the result is that of [`Scan`](bessemer_phase_reader::Scan), to the last node.
///
/// (Friedman, Bentley and Finkel, "An algorithm for finding best matches in logarithmic expected time", 1977.)
#[derive(Clone, Debug, Default)]
pub struct Tree {
    dimensions: usize,
    cosines: Vec<i16>,
    /// (cos, sin) of each index.
    circle: Vec<[f32; 2]>,
    phase: Vec<i16>,
    /// Node numbers; every box is of a range of them.
    order: Vec<u32>,
    boxes: Vec<Box>,
    /// Of each box the least and the greatest of each coordinate, `[boxes, 2D, 2]`.
    bounds: Vec<[f32; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Box {
    from: usize,
    to: usize,
    /// The boxes of its halves; none if it is a leaf.
    halves: Option<[usize; 2]>,
}

impl Tree {
    /// For the nodes' phases, `[nodes, D]`, as they are now.
    pub fn new(tables: &Tables, phase: &[i16], dimensions: usize) -> Tree {
        let n = tables.cosines.len();
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
        let mut tree = Tree {
            dimensions,
            cosines: tables.cosines.clone(),
            circle: (0..n).map(|i| [angle(i).cos() as f32, angle(i).sin() as f32]).collect(),
            phase: phase.to_vec(),
            order: (0..(phase.len() / dimensions) as u32).collect(),
            ..Tree::default()
        };
        tree.divide(0, tree.order.len());
        tree
    }

    /// Makes the box of a range of nodes and all within it; gives its number.
    fn divide(&mut self, from: usize, to: usize) -> usize {
        let number = self.boxes.len();
        self.boxes.push(Box { from, to, halves: None });
        let width = 2 * self.dimensions;
        let mut bounds = vec![[f32::INFINITY, f32::NEG_INFINITY]; width];
        for node in &self.order[from..to] {
            for (i, [least, greatest]) in bounds.iter_mut().enumerate() {
                let x = coordinate(&self.circle, &self.phase, self.dimensions, *node, i);
                (*least, *greatest) = (least.min(x), greatest.max(x));
            }
        }
        let span = |i: &usize| bounds[*i][1] - bounds[*i][0];
        let widest = (0..width).max_by(|a, b| span(a).total_cmp(&span(b))).unwrap_or(0);
        let is_divisible = to - from > LEAF && span(&widest) > 0.0;
        self.bounds.extend(bounds);
        if is_divisible {
            let (circle, phase, d) = (&self.circle, &self.phase, self.dimensions);
            let middle = (to - from) / 2;
            self.order[from..to].select_nth_unstable_by(middle, |a, b| {
                let at = |node: &u32| coordinate(circle, phase, d, *node, widest);
                at(a).total_cmp(&at(b)).then(a.cmp(b))
            });
            let halves = [self.divide(from, from + middle), self.divide(from + middle, to)];
            self.boxes[number].halves = Some(halves);
        }
        number
    }

    /// The `k` nodes with the highest score for a context of D phases among those that are `allowed`, with their
    /// scores in [`COSINE_BITS`]: the best first, and of equals the one with the lower number.
    pub fn nearest(&self, context: &[i16], k: usize, allowed: impl Fn(u32) -> bool, best: &mut Found) {
        let d = self.dimensions;
        let query: Vec<f32> = (0..2)
            .flat_map(|side| context.iter().map(move |p| (*p, side)))
            .map(|(p, side)| self.circle[p as usize][side])
            .collect();
        // A score of the table may differ by half a step in each dimension, and floats are rounded.
        let margin = d as f32;
        let bound = |bounds: &[[f32; 2]]| {
            let gaps =
                query.iter().zip(bounds).map(|(q, [least, greatest])| (least - q).max(q - greatest).max(0.0));
            let distance: f32 = gaps.map(|gap| gap * gap).sum();
            (d as f32 - distance / 2.0) * (1 << COSINE_BITS) as f32 + margin
        };
        best.clear();
        if k == 0 {
            return;
        }
        let mut stack = vec![(f32::INFINITY, 0)];
        while let Some((most, number)) = stack.pop() {
            let floor = if best.len() == k { best[k - 1].0 as f32 } else { f32::NEG_INFINITY };
            if most < floor {
                continue;
            }
            let Box { from, to, halves } = self.boxes[number];
            if let Some(halves) = halves {
                let [a, b] = halves.map(|half| (bound(&self.bounds[half * 2 * d..][..2 * d]), half));
                // The better half is looked at first.
                stack.extend(if a.0 < b.0 { [a, b] } else { [b, a] });
                continue;
            }
            for &node in &self.order[from..to] {
                let score = score(&self.cosines, &self.phase[node as usize * d..][..d], context);
                let place = best.partition_point(|(other, at)| (-other, *at) < (-score, node));
                if place < k && allowed(node) {
                    best.truncate(k - 1);
                    best.insert(place, (score, node));
                }
            }
        }
    }
}

/// A coordinate of a node: cosines first, then sines, turned over.
fn coordinate(circle: &[[f32; 2]], phase: &[i16], d: usize, node: u32, i: usize) -> f32 {
    let [cosine, sine] = circle[phase[node as usize * d + i % d] as usize];
    if i < d { cosine } else { -sine }
}

/// Σ cos(2π(own + context)/N), as the reader has it, for any number of nodes.
pub fn score(cosines: &[i16], own: &[i16], context: &[i16]) -> i32 {
    let turned = own.iter().zip(context).map(|(a, b)| *a as usize + *b as usize);
    turned.map(|at| i32::from(cosines[if at >= cosines.len() { at - cosines.len() } else { at }])).sum()
}
