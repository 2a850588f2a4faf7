//! Layers, losses and initialisers.

#![forbid(unsafe_code)]

#[cfg(test)]
mod gradient_check;
pub mod init;
pub mod layers;
pub mod losses;
mod summary;
mod trace;

pub use bessemer_graph::GraphError;
pub use init::{Init, initialize};
pub use losses::Loss;
pub use summary::Summary;
pub use trace::{Trace, Value};
