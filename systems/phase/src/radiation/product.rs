//! All active nodes and all nodes at once, as a product of matrices.

use bessemer_kernels::gemm::{Epilogue, gemm_packed, pack_b, packed_len};
use bessemer_phase_reader::{COSINE_BITS, Model, Radiate, score};

use crate::tables::Tables;

/// cos(a + b) = cos a cos b - sin a sin b: scores are inner products in R²ᴰ. They are worked out as floats for
/// all pairs; what may be among the best, given how far a float can be from the score in integers, is then
/// ranked by that score. The result is that of [`Scan`](bessemer_phase_reader::Scan), to the last node.
#[derive(Clone, Debug, Default)]
pub struct Product {
    packed: Vec<f32>,
    rows: Vec<f32>,
    scores: Vec<f32>,
    candidates: Vec<(f32, u16)>,
    ranked: Vec<(i32, u16)>,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

/// How far a score of floats may be from that of the table, for each dimension: half a step of the table for
/// its cosine, and as much again for all roundings of the product.
const ERROR: f32 = 1.0 / (1 << COSINE_BITS) as f32;

impl Product {
    /// To be given phases by [`Product::refresh`].
    pub fn new(tables: &Tables) -> Product {
        let n = tables.cosines.len();
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
        let cosines: Vec<f32> = (0..n).map(|i| angle(i).cos() as f32).collect();
        let sines: Vec<f32> = (0..n).map(|i| angle(i).sin() as f32).collect();
        Product { cosines, sines, ..Product::default() }
    }

    /// Takes over the nodes' phases, `[nodes, D]`; to be called whenever they have changed.
    pub fn refresh(&mut self, phase: &[i16], dimensions: usize) {
        let (nodes, k) = (phase.len() / dimensions, 2 * dimensions);
        self.rows.clear();
        for own in phase.chunks_exact(dimensions) {
            self.rows.extend(own.iter().map(|p| self.cosines[*p as usize]));
            self.rows.extend(own.iter().map(|p| -self.sines[*p as usize]));
        }
        self.packed.resize(packed_len(k, nodes), 0.0);
        pack_b(k, nodes, &self.rows, (1, k), &mut self.packed);
    }
}

impl Radiate for Product {
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]) {
        let (d, k, nodes) = (model.shape.dimensions, model.shape.radiation, model.shape.nodes);
        self.rows.clear();
        for &source in sources {
            let context = &context[source as usize * d..][..d];
            self.rows.extend(context.iter().map(|p| self.cosines[*p as usize]));
            self.rows.extend(context.iter().map(|p| self.sines[*p as usize]));
        }
        self.scores.resize(sources.len() * nodes, 0.0);
        let out = (&mut self.scores[..], nodes);
        let strides = (2 * d, 1);
        gemm_packed(
            sources.len(),
            nodes,
            2 * d,
            &self.rows,
            strides,
            &self.packed,
            out,
            Epilogue::default(),
            None,
        );
        let margin = 2.0 * ERROR * d as f32;
        for ((&source, scores), best) in
            sources.iter().zip(self.scores.chunks_exact(nodes)).zip(reached.chunks_exact_mut(k))
        {
            // `candidates` begins with the best k in order; behind them is what came close to the k-th of its
            // time, which only rises.
            let mut floor = f32::NEG_INFINITY;
            self.candidates.clear();
            self.ranked.clear();
            for (node, &ours) in scores.iter().enumerate() {
                if ours < floor {
                    continue;
                }
                let node = node as u16;
                if node == source || model.leads(source as usize, node) {
                    continue;
                }
                self.candidates.push((ours, node));
                let len = self.candidates.len();
                let place = self.candidates[..(len - 1).min(k)].partition_point(|(other, _)| *other >= ours);
                if place < k && place < len - 1 {
                    self.candidates[place..].rotate_right(1);
                }
                if len >= k {
                    floor = self.candidates[k - 1].0 - margin;
                }
                if len > 4 * k + 64 {
                    self.candidates.retain(|(other, _)| *other >= floor);
                }
            }
            let context = &context[source as usize * d..][..d];
            let close = self.candidates.iter().filter(|(ours, _)| *ours >= floor);
            self.ranked.extend(close.map(|(_, node)| (-score(model, context, *node as usize), *node)));
            self.ranked.sort_unstable();
            best.fill(source);
            best.iter_mut().zip(&self.ranked).for_each(|(best, (_, node))| *best = *node);
        }
    }
}
