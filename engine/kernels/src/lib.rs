//! Single-threaded CPU kernels over slices, with run-time choice of instruction set.

pub mod elementwise;
pub mod isa;
pub mod math;
pub mod norm;
pub mod optimizer;
pub mod random;
pub mod reduce;
pub mod simd;
pub mod softmax;
pub mod transpose;

pub use isa::{Isa, isa};
