//! What the planner may do: each optimisation is a switch.

use bessemer_kernels::gemm::Half;

/// In what numbers products with weights are taken. Everything else is f32, and so are the weights
/// themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// Factors rounded to bf16, sums in f32: weights once a step, activations and gradients as they
    /// are read.
    Bf16,
    /// Factors rounded to f16, sums in f32: half the memory for weights, but slower, as no processor here
    /// multiplies them. What exceeds 65,504 becomes infinite: training needs gradients to be scaled.
    F16,
    /// Weights rounded to 8-bit integers with a scale for each output channel, once; what they multiply
    /// likewise with a scale for each row, as it is read; sums in 32-bit integers. Not for training.
    Int8,
}

impl Precision {
    /// The format of 16 bits, if it is one.
    pub(crate) fn half(self) -> Option<Half> {
        match self {
            Precision::Bf16 => Some(Half::Bf16),
            Precision::F16 => Some(Half::F16),
            Precision::F32 | Precision::Int8 => None,
        }
    }
}

/// Switches of the planner, all on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Append the gradient of the loss.
    pub training: bool,
    /// Drop unread and repeated work.
    pub simplify: bool,
    /// Make one linear layer of two with nothing between them, where that saves work.
    pub fold: bool,
    /// Join element-wise operations, and linear layers with what follows.
    pub fuse: bool,
    /// Run attention without materialising its scores (within loops, always).
    pub attention: bool,
    /// Keep weights packed for the product kernel, once a step.
    pub pack: bool,
    /// Multiply weight gradients of few rows once, at the end of a lane.
    pub defer: bool,
    /// Use the memory of a value again once nothing reads it any more.
    pub reuse: bool,
    /// Percent of the memory that the values of a micro-batch take that training may use: what is
    /// cheapest to compute again is dropped until then. `None` for all of it.
    pub activations: Option<u8>,
    /// The arithmetic of products with weights.
    pub precision: Precision,
    /// Samples in a micro-batch; chosen by the cost model if `None`.
    pub micro_batch: Option<usize>,
    /// Lanes; chosen by the cost model if `None`.
    pub lanes: Option<usize>,
}

impl PlanOptions {
    /// For a training step.
    pub const TRAIN: PlanOptions = PlanOptions {
        training: true,
        simplify: true,
        fold: true,
        fuse: true,
        attention: true,
        pack: true,
        defer: true,
        reuse: true,
        activations: None,
        precision: Precision::F32,
        micro_batch: None,
        lanes: None,
    };

    /// For prediction.
    pub const INFER: PlanOptions = PlanOptions { training: false, ..PlanOptions::TRAIN };
}
