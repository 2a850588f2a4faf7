//! Layers, losses and initialisers.

pub mod init;
pub mod layers;
pub mod losses;
mod trace;

pub use bessemer_graph::GraphError;
pub use init::{Init, initialize};
pub use trace::{Trace, Value};
