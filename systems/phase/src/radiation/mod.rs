//! Where active nodes radiate to, found fast.

mod approximate;
mod exclusion;
mod finder;
mod level;
mod product;
mod statistics;
mod tree;

use bessemer_phase_reader::Model;
use serde::{Deserialize, Serialize};

pub use approximate::Approximate;
pub use finder::{Finder, Radiation};
pub use product::Product;
pub use statistics::{CacheStatistics, LevelStatistics};
pub use tree::{Tree, score};

use crate::network::Network;
use crate::options::FitOptions;
use exclusion::{Allowed, Exclusions};

/// From so many nodes on, the tree is searched: below, a product with all nodes is faster.
pub const TREE_FROM: usize = 8192;
/// Up to so many dimensions: with more, boxes rule out so little that looking at all nodes is faster at any size.
pub const TREE_DIMENSIONS: usize = 5;

/// Scores, in [`COSINE_BITS`](crate::reader::COSINE_BITS), and numbers of nodes.
pub type Found = Vec<(i32, u32)>;

/// How nodes are found while training. All but the last find the same ones, ties included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// By a tree from [`TREE_FROM`] nodes on if they have at most [`TREE_DIMENSIONS`], otherwise by a product.
    #[default]
    Auto,
    /// By a [`Product`] of matrices with all nodes.
    Product,
    /// By the same with factors rounded to bf16: more nodes are then ranked again.
    ProductBf16,
    /// By a k-d [`Tree`].
    Tree,
    /// By an [`Approximate`] index, which may miss some.
    Approximate,
}

impl Search {
    /// What is chosen for so many nodes.
    fn of_size(self, nodes: usize, dimensions: usize) -> Search {
        match self {
            Search::Auto if nodes >= TREE_FROM && dimensions <= TREE_DIMENSIONS => Search::Tree,
            Search::Auto => Search::Product,
            search => search,
        }
    }
}

/// All nodes in an order in which they are found fast. Any number of threads search it, each with a [`Finder`].
///
/// ```
/// use bessemer_phase::radiation::{Finder, Index};
/// use bessemer_phase::reader::{Radiate, Spread, State, propagate};
/// use bessemer_phase::{FitOptions, Network};
///
/// /// How a sample spreads whose input nodes have these indices.
/// fn spread(network: &Network, indices: &[i16], state: &mut State) -> Spread {
///     let options = FitOptions { cache: 1000, ..FitOptions::default() };
///     let index = Index::new(network, &options);
///     let mut finder = Finder::new(network.settings.nodes(), &options);
///     finder.begin(&index, true);
///     let spread = propagate(&network.view(), indices, state, &mut finder.on(&index), &mut ());
///     println!("{} answers were known", finder.statistics().patterns.hits);
///     spread
/// }
/// ```
pub struct Index {
    version: u64,
    kind: Kind,
    /// Neighbours and width of an approximate one.
    hnsw: (usize, usize),
}

enum Kind {
    Product(Product),
    Tree(Tree),
    Approximate(Approximate),
}

/// Buffers of searches.
#[derive(Default)]
struct Work {
    product: product::Work,
    nearest: Found,
}

impl Index {
    /// Of the kind that the options ask for, over the network's phases as they are.
    pub fn new(network: &Network, options: &FitOptions) -> Index {
        Index::of(network, options.search, (options.hnsw_m, options.hnsw_ef))
    }

    /// Likewise, but for an approximate one: an exact one is chosen by size instead.
    pub fn exact(network: &Network, options: &FitOptions) -> Index {
        match options.search {
            Search::Approximate => Index::of(network, Search::Auto, (0, 0)),
            search => Index::of(network, search, (0, 0)),
        }
    }

    fn of(network: &Network, search: Search, hnsw: (usize, usize)) -> Index {
        let d = network.shape.dimensions;
        // Where nothing radiates, nobody asks.
        let phase = if network.shape.radiation == 0 { &[] } else { &network.phase[..] };
        let kind = match search.of_size(network.shape.nodes, d) {
            Search::Tree => Kind::Tree(Tree::new(&network.tables, phase, d)),
            Search::Approximate => Kind::Approximate(Approximate::new(&network.tables, phase, d, hnsw)),
            search => {
                let half = search == Search::ProductBf16;
                Kind::Product(Product::new(&network.tables, phase, d, half))
            }
        };
        Index { version: network.phase.version(), kind, hnsw }
    }

    /// Takes over the nodes' phases where they have been written since.
    pub fn refresh(&mut self, network: &Network) {
        let (phase, d) = (&network.phase, network.shape.dimensions);
        if self.version == phase.version() || network.shape.radiation == 0 {
            return;
        }
        match &mut self.kind {
            Kind::Product(product) => product.refresh(phase, d),
            Kind::Tree(tree) => *tree = Tree::new(&network.tables, phase, d),
            Kind::Approximate(index) => {
                *index = Approximate::new(&network.tables, phase, d, self.hnsw);
            }
        }
        self.version = phase.version();
    }

    /// The [version](crate::Phases::version) of the phases that it knows.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether it never misses a node.
    pub fn is_exact(&self) -> bool {
        !matches!(self.kind, Kind::Approximate(_))
    }

    fn find(
        &self,
        work: &mut Work,
        model: &Model,
        sources: &[u16],
        context: &[i16],
        exclusions: &mut Exclusions,
        reached: &mut [u16],
    ) {
        let (d, k) = (model.shape.dimensions, model.shape.radiation);
        let mut each = |nearest: &dyn Fn(&[i16], &Allowed, &mut Found)| {
            for (&source, best) in sources.iter().zip(reached.chunks_exact_mut(k)) {
                let allowed = exclusions.allowed(model, source);
                nearest(&context[usize::from(source) * d..][..d], &allowed, &mut work.nearest);
                best.fill(source);
                best.iter_mut().zip(&work.nearest).for_each(|(best, (_, node))| *best = *node as u16);
            }
        };
        match &self.kind {
            Kind::Tree(tree) => each(&|context, allowed, found| {
                tree.nearest(context, k, |node| allowed.holds(node as u16), found)
            }),
            Kind::Approximate(index) => each(&|context, allowed, found| {
                index.nearest(context, k, |node| allowed.holds(node as u16), found)
            }),
            Kind::Product(product) => {
                product.find(&mut work.product, model, sources, context, exclusions, reached)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_chosen_for_many_nodes_of_few_dimensions() {
        let cases = [
            (Search::Auto, 8191, 5, Search::Product),
            (Search::Auto, 8192, 5, Search::Tree),
            (Search::Auto, 65_535, 6, Search::Product),
            (Search::Tree, 10, 64, Search::Tree),
            (Search::Approximate, 10, 5, Search::Approximate),
        ];
        for (search, nodes, dimensions, expected) in cases {
            assert_eq!(search.of_size(nodes, dimensions), expected);
        }
    }
}
