//! One file an operation: what it is, its shape rule, its gradient, its reference evaluation.

pub mod attention;
pub mod avg_pool1d;
pub mod batch_sum;
pub mod binary;
pub mod broadcast_to;
pub mod concat;
pub mod conv1d;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
pub mod fused;
pub mod layer_norm;
pub mod linear;
pub mod matmul;
pub mod max_pool1d;
pub mod pad;
pub mod permute;
pub mod reduce;
pub mod reshape;
pub mod rms_norm;
pub mod select;
pub mod slice;
pub mod softmax;
pub mod source;
pub mod unary;
pub mod unfold;
