//! Where a sender may not radiate to: to itself and to its neighbours.

use bessemer_phase_reader::Model;

use super::CacheStatistics;
use super::level::Level;

/// The nodes that one sender may radiate to.
pub(super) enum Allowed<'a> {
    /// All but itself and where its edges lead.
    Edges(&'a Model<'a>, u16),
    /// All whose bit is not set.
    Mask(&'a [u64]),
    /// These, in ascending order.
    List(&'a [u16]),
}

impl Allowed<'_> {
    #[inline(always)]
    pub fn holds(&self, node: u16) -> bool {
        match self {
            Allowed::Edges(model, source) => node != *source && !model.leads((*source).into(), node),
            Allowed::Mask(mask) => mask[usize::from(node) / 64] >> (node % 64) & 1 == 0,
            Allowed::List(list) => list.binary_search(&node).is_ok(),
        }
    }
}

/// The second and the third level of the cache. They depend on edges only, which never change, so that nothing in
/// them becomes wrong.
///
/// Without either, a search looks at the sender's edges for every node that scores well.
pub(super) struct Exclusions {
    neighbours: Level<u16, Box<[u64]>>,
    candidates: Level<u16, Box<[u16]>>,
}

impl Exclusions {
    /// Of so many senders each.
    pub fn new(neighbours: usize, candidates: usize) -> Exclusions {
        Exclusions { neighbours: Level::new(neighbours), candidates: Level::new(candidates) }
    }

    pub fn statistics(&self, statistics: &mut CacheStatistics) {
        statistics.neighbours = self.neighbours.statistics();
        statistics.candidates = self.candidates.statistics();
    }

    /// For a search from `source`.
    pub fn allowed<'a>(&'a mut self, model: &'a Model<'a>, source: u16) -> Allowed<'a> {
        if self.candidates.is_on() {
            if self.candidates.get(&source).is_none() {
                let made;
                let mask = match self.neighbours.is_on() {
                    true => mask_of(&mut self.neighbours, model, source),
                    false => {
                        made = mask(model, source);
                        Some(&made[..])
                    }
                };
                let allowed = mask.map_or(Allowed::Edges(model, source), Allowed::Mask);
                let list = (0..model.shape.nodes as u16).filter(|node| allowed.holds(*node)).collect();
                self.candidates.put(source, list);
            }
            if let Some(list) = self.candidates.peek(&source) {
                return Allowed::List(list);
            }
        } else if self.neighbours.is_on()
            && let Some(mask) = mask_of(&mut self.neighbours, model, source)
        {
            return Allowed::Mask(mask);
        }
        Allowed::Edges(model, source)
    }
}

/// From the level, where it is put if it was not there.
fn mask_of<'a>(neighbours: &'a mut Level<u16, Box<[u64]>>, model: &Model, source: u16) -> Option<&'a [u64]> {
    if neighbours.get(&source).is_none() {
        neighbours.put(source, mask(model, source));
    }
    neighbours.peek(&source).map(|mask| &mask[..])
}

/// A bit for each node, set where it may not be radiated to.
fn mask(model: &Model, source: u16) -> Box<[u64]> {
    let mut mask = vec![0u64; model.shape.nodes.div_ceil(64)].into_boxed_slice();
    for node in model.targets(source.into()).chain([source]) {
        mask[usize::from(node) / 64] |= 1 << (node % 64);
    }
    mask
}
