//! What every operation declares, and the list of them all.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::ops;
use crate::shape::Type;
use crate::tensor::Tensor;

/// The work of one execution of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations (a multiply-add counts two).
    pub flops: f64,
    /// Bytes read and written, once each.
    pub bytes: f64,
}

/// One operation: shape rule, cost, gradient, and a reference evaluation.
pub trait Operation {
    /// The field's name for it, as profiles show it.
    fn name(&self) -> &'static str;

    /// The outputs' types, or what is wrong with the inputs.
    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String>;

    /// Floating-point operations; by default one per output element.
    fn flops(&self, _inputs: &[Type], outputs: &[Type]) -> f64 {
        outputs.iter().map(|t| t.len() as f64).sum()
    }

    /// Adds the inputs' gradients through `backward`; `Ok(false)` if the operation has none.
    fn gradient(&self, backward: &mut Backward) -> Result<bool, GraphError>;

    /// Evaluates in f64, the obvious way.
    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor>;

    /// Work of one execution.
    fn cost(&self, inputs: &[Type], outputs: &[Type]) -> Cost {
        let elements: usize = inputs.iter().chain(outputs).map(Type::len).sum();
        Cost { flops: self.flops(inputs, outputs), bytes: 4.0 * elements as f64 }
    }
}

macro_rules! operations {
    ($($(#[$doc:meta])* $file:ident :: $name:ident),* $(,)?) => {
        /// Every operation. Adding one: a file in `ops/` and a line in this list.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $($(#[$doc])* $name(ops::$file::$name),)*
        }

        impl Op {
            /// The operation behind the variant.
            pub fn operation(&self) -> &dyn Operation {
                match self { $(Op::$name(op) => op,)* }
            }
        }

        $(impl From<ops::$file::$name> for Op {
            fn from(op: ops::$file::$name) -> Op { Op::$name(op) }
        })*
    };
}

operations! {
    /// A value given from outside.
    source::Source,
    /// One function of one operand, element by element.
    unary::Unary,
    /// One function of two operands, element by element, broadcast.
    binary::Binary,
    /// Condition ? a : b, element by element.
    select::Select,
    /// A group of element-wise operations run in one sweep.
    fused::Fused,
    /// Matrix product.
    matmul::MatMul,
    /// x·Wᵀ + bias, with an activation or a residual in the same sweep.
    linear::Linear,
    /// Sum, mean, maximum over axes.
    reduce::Reduce,
    /// Repeats along axes.
    broadcast_to::BroadcastTo,
    /// The same elements under another shape.
    reshape::Reshape,
    /// Reorders axes.
    permute::Permute,
    /// A range of one axis.
    slice::Slice,
    /// Lengthens one axis.
    pad::Pad,
    /// Joins along one axis.
    concat::Concat,
    /// Overlapping windows of the last axis.
    unfold::Unfold,
    /// Adjoint of `unfold`.
    unfold::Fold,
    /// Softmax or log-softmax over the last axis.
    softmax::Softmax,
    /// Gradient of softmax.
    softmax::SoftmaxGrad,
    /// Layer normalisation over the last axis.
    layer_norm::LayerNorm,
    /// Gradient of layer normalisation.
    layer_norm::LayerNormGrad,
    /// Root-mean-square normalisation over the last axis.
    rms_norm::RmsNorm,
    /// Gradient of RMS normalisation.
    rms_norm::RmsNormGrad,
    /// Multi-head scaled dot-product attention.
    attention::Attention,
    /// Gradient of attention.
    attention::AttentionGrad,
    /// A graph run once a time step.
    scan::Scan,
    /// Random zeroing.
    dropout::Dropout,
    /// Cross-entropy from logits.
    cross_entropy::CrossEntropy,
    /// Gradient of cross-entropy.
    cross_entropy::CrossEntropyGrad,
    /// Rows of a table by index.
    embedding::Embedding,
    /// Gradient of embedding.
    embedding::EmbeddingGrad,
    /// 1-D convolution.
    conv1d::Conv1d,
    /// Gradient of 1-D convolution by its input.
    conv1d::Conv1dInputGrad,
    /// Gradient of 1-D convolution by its weight.
    conv1d::Conv1dWeightGrad,
    /// 1-D maximum pooling.
    max_pool1d::MaxPool1d,
    /// Gradient of maximum pooling.
    max_pool1d::MaxPool1dGrad,
    /// 1-D average pooling.
    avg_pool1d::AvgPool1d,
    /// Gradient of average pooling.
    avg_pool1d::AvgPool1dGrad,
    /// Sums of wave packets.
    wave_packets::WavePackets,
    /// Gradient of sums of wave packets.
    wave_packets::WavePacketsGrad,
    /// Mean and variance of channels over all micro-batches of the step.
    batch_moments::BatchMoments,
    /// Sum over all micro-batches of the step.
    batch_sum::BatchSum,
}
