//! Operations, shapes, differentiation and rewriting; no execution, no I/O.
//!
//! A [`Graph`] is the computation of one micro-batch. It is built with [`Graph::apply`] or the
//! shorthands of [`build`], differentiated by [`differentiate()`], rewritten by [`passes`], and then
//! handed to a planner. [`evaluate()`] runs any graph in f64, slowly and plainly: the oracle.

#![forbid(unsafe_code)]

pub mod build;
pub mod differentiate;
mod einsum;
mod error;
pub mod evaluate;
pub mod gradient_check;
mod graph;
mod operation;
pub mod ops;
pub mod passes;
pub mod shape;
mod tensor;

pub use differentiate::{Backward, differentiate, gradients_of};
pub use error::GraphError;
pub use evaluate::{Bindings, evaluate, evaluate_timed};
pub use graph::{Graph, Input, Node, Parameter, ValueId};
pub use operation::{Cost, Op, Operation};
pub use shape::{DType, Type};
pub use tensor::Tensor;
