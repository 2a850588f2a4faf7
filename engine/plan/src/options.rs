//! What the planner may do: each optimisation is a switch.

/// Switches of the planner, all on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Append the gradient of the loss.
    pub training: bool,
    /// Drop unread and repeated work.
    pub simplify: bool,
    /// Join element-wise operations, and linear layers with what follows.
    pub fuse: bool,
    /// Run attention without materialising its scores.
    pub attention: bool,
    /// Keep weights packed for the product kernel, once a step.
    pub pack: bool,
    /// Multiply weight gradients of few rows once, at the end of a lane.
    pub defer: bool,
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
        fuse: true,
        attention: true,
        pack: true,
        defer: true,
        micro_batch: None,
        lanes: None,
    };

    /// For prediction.
    pub const INFER: PlanOptions = PlanOptions { training: false, ..PlanOptions::TRAIN };
}
