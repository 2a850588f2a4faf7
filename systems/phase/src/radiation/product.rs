//! All active nodes and all nodes at once, as a product of matrices.

use bessemer_kernels::gemm::{
    Epilogue, Half, gemm_packed, half_gemm_packed, pack_b, packed_len, pair_columns, pair_count, pair_rows,
};
use bessemer_phase_reader::{COSINE_BITS, Model, score};

use super::exclusion::{Allowed, Exclusions};
use crate::tables::Tables;

/// cos(a + b) = cos a cos b - sin a sin b: scores are inner products in R²ᴰ. They are worked out for all pairs, as
/// floats or from factors rounded to bf16; what may be among the best, given how far that can be from the score
/// in integers, is then ranked by that score. The result is that of [`Scan`](bessemer_phase_reader::Scan), to the last node.
#[derive(Clone, Debug)]
pub struct Product {
    /// Whether factors are rounded to bf16.
    half: bool,
    packed: Vec<f32>,
    rows: Vec<f32>,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

/// Buffers of a search.
#[derive(Default)]
pub(super) struct Work {
    rows: Vec<f32>,
    pairs: Vec<f32>,
    scores: Vec<f32>,
    candidates: Vec<(f32, u16)>,
    ranked: Vec<(i32, u16)>,
}

/// How far a score of floats may be from that of the table, for each dimension: half a step of the table for
/// its cosine, and as much again for all roundings of the product.
const ERROR: f32 = 1.0 / (1 << COSINE_BITS) as f32;
/// And what rounding adds to it: two factors by 2⁻⁹ of themselves each, where |cos a cos b| + |sin a sin b| ≤ 1.
const ERROR_OF_HALVES: f32 = 1.01 / 256.0;

impl Product {
    /// For the nodes' phases, `[nodes, D]`, as they are now; with `half`, factors are rounded to bf16.
    pub fn new(tables: &Tables, phase: &[i16], dimensions: usize, half: bool) -> Product {
        let n = tables.cosines.len();
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
        let cosines: Vec<f32> = (0..n).map(|i| angle(i).cos() as f32).collect();
        let sines: Vec<f32> = (0..n).map(|i| angle(i).sin() as f32).collect();
        let mut product = Product { half, packed: Vec::new(), rows: Vec::new(), cosines, sines };
        product.refresh(phase, dimensions);
        product
    }

    /// Takes over the nodes' phases, `[nodes, D]`; to be called whenever they have changed.
    pub(super) fn refresh(&mut self, phase: &[i16], dimensions: usize) {
        let (nodes, k) = (phase.len() / dimensions, 2 * dimensions);
        self.rows.clear();
        if self.half {
            for (side, sign) in [(&self.cosines, 1.0), (&self.sines, -1.0)] {
                for d in 0..dimensions {
                    let column = phase.iter().skip(d).step_by(dimensions);
                    self.rows.extend(column.map(|p| sign * side[*p as usize]));
                }
            }
            let mut pairs = vec![0.0; pair_count(k) * nodes];
            pair_rows(Half::Bf16, k, nodes, &self.rows, nodes, &mut pairs);
            self.packed.resize(packed_len(pair_count(k), nodes), 0.0);
            pack_b(pair_count(k), nodes, &pairs, (nodes, 1), &mut self.packed);
            return;
        }
        for own in phase.chunks_exact(dimensions) {
            self.rows.extend(own.iter().map(|p| self.cosines[*p as usize]));
            self.rows.extend(own.iter().map(|p| -self.sines[*p as usize]));
        }
        self.packed.resize(packed_len(k, nodes), 0.0);
        pack_b(k, nodes, &self.rows, (1, k), &mut self.packed);
    }

    pub(super) fn find(
        &self,
        work: &mut Work,
        model: &Model,
        sources: &[u16],
        context: &[i16],
        exclusions: &mut Exclusions,
        reached: &mut [u16],
    ) {
        let (d, k, nodes) = (model.shape.dimensions, model.shape.radiation, model.shape.nodes);
        let Work { rows, pairs, scores, candidates, ranked } = work;
        rows.clear();
        for &source in sources {
            let context = &context[source as usize * d..][..d];
            rows.extend(context.iter().map(|p| self.cosines[*p as usize]));
            rows.extend(context.iter().map(|p| self.sines[*p as usize]));
        }
        scores.resize(sources.len() * nodes, 0.0);
        let (m, out, epilogue) = (sources.len(), (&mut scores[..], nodes), Epilogue::default());
        let error = match self.half {
            false => {
                gemm_packed(m, nodes, 2 * d, rows, (2 * d, 1), &self.packed, out, epilogue, None);
                ERROR
            }
            true => {
                let width = pair_count(2 * d);
                pairs.resize(m * width, 0.0);
                pair_columns(Half::Bf16, m, 2 * d, rows, 2 * d, pairs);
                let a = (&pairs[..], (width, 1));
                half_gemm_packed(Half::Bf16, (m, nodes, 2 * d), a, &self.packed, out, epilogue, None);
                ERROR + ERROR_OF_HALVES
            }
        };
        let margin = 2.0 * error * d as f32;
        for ((&source, scores), best) in
            sources.iter().zip(scores.chunks_exact(nodes)).zip(reached.chunks_exact_mut(k))
        {
            let mut close = Close { k, margin, floor: f32::NEG_INFINITY, candidates };
            close.candidates.clear();
            match exclusions.allowed(model, source) {
                Allowed::List(list) => list.iter().for_each(|node| close.take(scores[*node as usize], *node)),
                allowed => {
                    for (node, &score) in scores.iter().enumerate() {
                        if score >= close.floor && allowed.holds(node as u16) {
                            close.take(score, node as u16);
                        }
                    }
                }
            }
            let floor = close.floor;
            let context = &context[source as usize * d..][..d];
            let close = candidates.iter().filter(|(score, _)| *score >= floor);
            ranked.clear();
            ranked.extend(close.map(|(_, node)| (-score(model, context, *node as usize), *node)));
            ranked.sort_unstable();
            best.fill(source);
            best.iter_mut().zip(&*ranked).for_each(|(best, (_, node))| *best = *node);
        }
    }
}

/// What may be among the best k.
struct Close<'a> {
    k: usize,
    margin: f32,
    /// What a score must reach for that; it only rises.
    floor: f32,
    /// Begins with the best k in order; behind them is what came close to the k-th of its time.
    candidates: &'a mut Vec<(f32, u16)>,
}

impl Close<'_> {
    #[inline(always)]
    fn take(&mut self, score: f32, node: u16) {
        if score < self.floor {
            return;
        }
        let (k, candidates) = (self.k, &mut *self.candidates);
        candidates.push((score, node));
        let len = candidates.len();
        let place = candidates[..(len - 1).min(k)].partition_point(|(other, _)| *other >= score);
        if place < k && place < len - 1 {
            candidates[place..].rotate_right(1);
        }
        if len >= k {
            self.floor = candidates[k - 1].0 - self.margin;
        }
        if len > 4 * k + 64 {
            let floor = self.floor;
            candidates.retain(|(other, _)| *other >= floor);
        }
    }
}
