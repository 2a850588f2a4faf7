//! Where active nodes radiate to, found fast and exactly.

mod cache;
mod product;
mod tree;

use std::num::NonZeroUsize;

use bessemer_phase_reader::{Model, Radiate};

pub use cache::CacheStatistics;
pub use product::Product;
pub use tree::{Tree, score};

use crate::network::Network;
use cache::Cache;

/// From so many nodes on, the tree is searched: below, a product with all nodes is faster.
pub const TREE_FROM: usize = 8192;

/// A way to find the best nodes, with a cache before it if that is wanted.
pub(crate) struct Radiation {
    /// The phases that the search knows.
    known: Option<Vec<i16>>,
    search: Search,
    cache: Option<Cache>,
}

enum Search {
    Product(Product),
    Tree(Tree),
}

impl Radiation {
    /// With a cache of so many answers, if any.
    pub fn new(network: &Network, cache: usize) -> Radiation {
        let search = match network.shape.nodes < TREE_FROM {
            true => Search::Product(Product::new(&network.tables)),
            false => Search::Tree(Tree::default()),
        };
        Radiation { known: None, search, cache: NonZeroUsize::new(cache).map(Cache::new) }
    }

    /// Takes over the nodes' phases where they have changed.
    pub fn refresh(&mut self, network: &Network) {
        if self.known.as_ref() == Some(&network.phase) || network.shape.radiation == 0 {
            return;
        }
        match &mut self.search {
            Search::Product(product) => product.refresh(&network.phase, network.shape.dimensions),
            Search::Tree(tree) => {
                *tree = Tree::new(&network.tables, &network.phase, network.shape.dimensions)
            }
        }
        if let Some(cache) = &mut self.cache {
            cache.invalidate();
        }
        self.known = Some(network.phase.clone());
    }

    pub fn statistics(&self) -> CacheStatistics {
        self.cache.as_ref().map(Cache::statistics).unwrap_or_default()
    }
}

impl Radiate for Search {
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]) {
        match self {
            Search::Product(product) => product.radiate(model, sources, context, reached),
            Search::Tree(tree) => tree.radiate(model, sources, context, reached),
        }
    }
}

impl Radiate for Radiation {
    fn radiate(&mut self, model: &Model, sources: &[u16], context: &[i16], reached: &mut [u16]) {
        match &mut self.cache {
            Some(cache) => cache.radiate(&mut self.search, model, sources, context, reached),
            None => self.search.radiate(model, sources, context, reached),
        }
    }
}
