//! Operations to kernel calls: one file an operation (or a family), and a line in [`lower`].

mod attention;
pub(crate) mod batch_moments;
mod conv1d;
mod cross_entropy;
mod elementwise;
mod embedding;
mod linear;
mod matmul;
mod movement;
mod norm;
mod pool1d;
mod reduce;
mod scan;
mod softmax;
mod wave_packets;
mod weight;

use std::sync::Arc;

use bessemer_graph::{Graph, Node, Op, Type};

use crate::error::PlanError;
use crate::frame::{Accumulate, Call, Frame, Place};
use crate::options::PlanOptions;
use crate::packs::Packs;
use crate::plan::Step;
use crate::stashes::Stashes;

/// A node with its operands' places, to be turned into a call.
pub(crate) struct Site<'a> {
    pub graph: &'a Graph,
    pub node: &'a Node,
    pub reads: Vec<Place>,
    pub writes: Vec<Place>,
    pub accumulate: Vec<Accumulate>,
    /// By output: it is all that its parameter's gradient is made of.
    pub whole_gradient: Vec<bool>,
    pub packs: &'a mut Packs,
    pub stashes: &'a mut Stashes,
    pub constants: &'a mut Vec<f32>,
    pub options: &'a PlanOptions,
    /// Micro-batches in a step.
    pub micro_batches: usize,
}

/// A call, the scratch it needs, and the name of the kernel that runs.
pub(crate) struct Lowered {
    pub call: Call,
    pub scratch: usize,
    pub kernel: &'static str,
    /// Whether idle threads help.
    pub shared: bool,
    /// Bytes that it reads less than its operands have as floats.
    pub saved_bytes: f64,
    /// Floats of the arena of loops.
    pub loop_len: usize,
    /// What a loop runs at each of its steps.
    pub inner: Arc<[Step]>,
}

impl Lowered {
    fn new(kernel: &'static str, call: impl Fn(&mut Frame) + Send + Sync + 'static) -> Lowered {
        Lowered {
            call: Box::new(call),
            scratch: 0,
            kernel,
            shared: false,
            saved_bytes: 0.0,
            loop_len: 0,
            inner: Arc::default(),
        }
    }

    fn with_scratch(self, scratch: usize) -> Lowered {
        Lowered { scratch, ..self }
    }

    /// What the weight of a product needs.
    fn with_weight(self, weight: &weight::WeightProduct) -> Lowered {
        let (scratch, shared, saved_bytes) = (weight.scratch(), weight.shares, weight.saved_bytes());
        Lowered { scratch, shared, saved_bytes, ..self }
    }
}

impl Site<'_> {
    /// The type of an input.
    fn input(&self, i: usize) -> &Type {
        self.graph.ty(self.node.inputs[i])
    }

    /// The type of an output.
    fn output(&self, i: usize) -> &Type {
        self.graph.ty(self.node.outputs[i])
    }

    /// The places read, as an array.
    fn reads<const R: usize>(&self) -> [Place; R] {
        std::array::from_fn(|i| self.reads[i].clone())
    }

    /// The places written, as an array.
    fn writes<const W: usize>(&self) -> [Place; W] {
        std::array::from_fn(|i| self.writes[i].clone())
    }

    /// An error that names this node.
    fn unsupported(&self, problem: impl Into<String>) -> PlanError {
        PlanError::Unsupported {
            operation: self.node.op.operation().name(),
            scope: self.node.scope.to_string(),
            problem: problem.into(),
        }
    }
}

/// Whether the kernels behind an operation can add to an output instead of replacing it.
pub(crate) fn accumulates(op: &Op) -> bool {
    matches!(
        op,
        Op::MatMul(_)
            | Op::Reduce(_)
            | Op::LayerNormGrad(_)
            | Op::RmsNormGrad(_)
            | Op::EmbeddingGrad(_)
            | Op::Conv1dWeightGrad(_)
            | Op::WavePacketsGrad(_)
    )
}

/// Turns a node into a call.
pub(crate) fn lower(site: &mut Site) -> Result<Lowered, PlanError> {
    let node = site.node;
    match &node.op {
        Op::Fused(op) => elementwise::lower(op, site),
        Op::MatMul(op) => matmul::lower(op, site),
        Op::Linear(op) => linear::lower(op, site),
        Op::Reduce(op) => reduce::lower(op, site),
        Op::BroadcastTo(_) => movement::broadcast(site),
        Op::Permute(op) => movement::permute(op, site),
        Op::Slice(op) => movement::slice(op, site),
        Op::Pad(op) => movement::pad(op, site),
        Op::Concat(op) => movement::concat(op, site),
        Op::Unfold(op) => movement::unfold(op, site),
        Op::Fold(op) => movement::fold(op, site),
        Op::Softmax(op) => softmax::forward(op, site),
        Op::SoftmaxGrad(op) => softmax::backward(op, site),
        Op::LayerNorm(op) => norm::layer_norm(op, site),
        Op::LayerNormGrad(_) => norm::layer_norm_grad(site),
        Op::RmsNorm(op) => norm::rms_norm(op, site),
        Op::RmsNormGrad(_) => norm::rms_norm_grad(site),
        Op::Attention(op) => attention::forward(op, site),
        Op::AttentionGrad(op) => attention::backward(op, site),
        Op::Scan(op) => scan::lower(op, site),
        Op::CrossEntropy(op) => cross_entropy::forward(op, site),
        Op::CrossEntropyGrad(op) => cross_entropy::backward(op, site),
        Op::Embedding(_) => embedding::forward(site),
        Op::EmbeddingGrad(_) => embedding::backward(site),
        Op::Conv1d(op) => conv1d::forward(op, site),
        Op::Conv1dInputGrad(op) => conv1d::input_grad(op, site),
        Op::Conv1dWeightGrad(op) => conv1d::weight_grad(op, site),
        Op::MaxPool1d(op) => pool1d::max(op, site),
        Op::MaxPool1dGrad(op) => pool1d::max_grad(op, site),
        Op::AvgPool1d(op) => pool1d::avg(op, site),
        Op::AvgPool1dGrad(op) => pool1d::avg_grad(op, site),
        Op::WavePackets(op) => wave_packets::forward(op, site),
        Op::WavePacketsGrad(op) => wave_packets::backward(op, site),
        Op::Source(_)
        | Op::Reshape(_)
        | Op::BatchSum(_)
        | Op::BatchMoments(_)
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Select(_)
        | Op::Dropout(_) => Err(site.unsupported("is handled before calls are made")),
    }
}
