//! Rewriting: graph in, equal but cheaper graph out.

mod fold_linear;
mod fuse_elementwise;
mod fuse_linear;
mod materialise_attention;
mod recompute;
mod simplify;

pub use fold_linear::{Fold, fold_linear};
pub use fuse_elementwise::{fuse_elementwise, lower_elementwise};
pub use fuse_linear::fuse_linear;
pub use materialise_attention::materialise_attention;
pub use recompute::{Recompute, Recomputed, recompute};
pub use simplify::simplify;
