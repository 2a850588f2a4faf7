//! One layer a file. A layer is a plain description; its parameters are declared when it is traced.

mod activation;
mod avg_pool1d;
mod batch_norm1d;
mod conv1d;
mod dropout;
mod embedding;
mod encoder_layer;
mod interpolate1d;
mod layer_norm;
mod linear;
mod max_pool1d;
mod multi_head_attention;
mod residual;
mod revin;
mod rms_norm;
mod series_decomposition;

pub use activation::Activation;
pub use avg_pool1d::AvgPool1d;
pub use batch_norm1d::BatchNorm1d;
pub use conv1d::Conv1d;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use encoder_layer::{EncoderLayer, Norm};
pub use interpolate1d::{Interpolate1d, Interpolation};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use max_pool1d::MaxPool1d;
pub use multi_head_attention::{Masks, MultiHeadAttention};
pub use residual::Residual;
pub use revin::{RevIn, SeriesStatistics};
pub use rms_norm::RmsNorm;
pub use series_decomposition::SeriesDecomposition;
