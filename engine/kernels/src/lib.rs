//! Single-threaded CPU kernels over slices, with run-time choice of instruction set.

pub mod arena;
pub mod attention;
pub mod chunks;
pub mod conv1d;
pub mod elementwise;
pub mod embedding;
pub mod gemm;
pub mod isa;
pub mod math;
pub mod moments;
pub mod norm;
pub mod optimizer;
pub mod peak;
pub mod pool;
pub mod pool1d;
pub mod random;
pub mod reduce;
pub mod simd;
pub mod softmax;
pub mod transpose;
pub mod wave_packets;

pub use isa::{Isa, isa};
