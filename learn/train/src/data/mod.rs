//! From a source of items to batches: what trains, in which order, in what company, and how far ahead.
//!
//! Everything here that is drawn is a function of a seed and a number (of an epoch, a position, a batch) and
//! never of what was drawn before, so that a training goes on anywhere with the same bits.

mod buckets;
mod padding;
mod permutation;
mod prefetch;
mod queue;
mod random;
mod source;
mod split;
mod stratified;
mod stream;
mod weighted;

pub use buckets::{BatchSize, BucketOptions, LengthBuckets};
pub use padding::{Padding, pad};
pub use permutation::Permutation;
pub use prefetch::{Prefetch, Start, prefetch};
pub use source::{Source, Subset};
pub use split::{Duplicates, Split};
pub use stratified::StratifiedOrder;
pub use stream::ShuffledStream;
pub use weighted::WeightedSampling;
