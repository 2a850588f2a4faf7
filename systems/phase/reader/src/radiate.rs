//! Radiation: messages to the nodes whose phases answer best.

use crate::model::{Model, word};

/// Finds the nodes that active nodes radiate to.
pub trait Radiate {
    /// For every source the [`radiation`](crate::Shape::radiation) nodes with the highest [`score`], the best
    /// first and of equals the one with the lower number, but for itself and those that it has an edge to.
    /// `context` is `[nodes, D]`, what nodes hold at the time; `reached` is `[sources, radiation]`, filled up
    /// with the source's own number where there are fewer.
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]);
}

/// Σ cos(2π(context + phase)/N) over the dimensions, in [`COSINE_BITS`](crate::COSINE_BITS).
#[inline(always)]
pub fn score(model: &Model, context: &[i16], node: usize) -> i32 {
    let d = context.len();
    let own = &model.phase[node * d..][..d];
    let n = model.shape.phases as i32;
    let mut sum = 0;
    for (own, at) in own.iter().zip(context) {
        let turned = i32::from(word(*own)) + i32::from(*at);
        let turned = if turned >= n { turned - n } else { turned };
        sum += i32::from(word(model.cosines[turned as usize]));
    }
    sum
}

/// All nodes in turn: the definition, at no memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan;

impl Radiate for Scan {
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]) {
        let (d, k) = (model.shape.dimensions, model.shape.radiation);
        for (&source, best) in sources.iter().zip(reached.chunks_exact_mut(k)) {
            let context = &context[source as usize * d..][..d];
            // The k best in order, by insertion; their scores are worked out again rather than kept.
            let mut found = 0;
            for node in 0..model.shape.nodes as u16 {
                if node == source || model.leads(source as usize, node) {
                    continue;
                }
                let ours = score(model, context, node as usize);
                let mut place = found;
                while place > 0 && score(model, context, best[place - 1] as usize) < ours {
                    place -= 1;
                }
                if place < k {
                    let end = if found < k { found } else { k - 1 };
                    best.copy_within(place..end, place + 1);
                    best[place] = node;
                    found = end + 1;
                }
            }
            best[found..].fill(source);
        }
    }
}
