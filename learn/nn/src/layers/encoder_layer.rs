//! A layer of a transformer encoder.

use bessemer_graph::GraphError;
use serde::{Deserialize, Serialize};

use crate::layers::{
    Activation, BatchNorm1d, Dropout, LayerNorm, Linear, Masks, MultiHeadAttention, Residual,
};
use crate::trace::{Trace, Value};

/// Which normalisation stands around attention and feed-forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Of every position over its width.
    #[default]
    Layer,
    /// Of every channel of the width over all positions of the batch, as in PatchTST (Nie et al. 2023).
    Batch,
}

/// Self-attention and a feed-forward network, each with dropout, a residual connection and a
/// normalisation (Vaswani et al. 2017).
///
/// Parameters are named as in PyTorch's `nn.TransformerEncoderLayer`: `self_attn`, `linear1`,
/// `linear2`, `norm1`, `norm2`. Attention's probabilities themselves are not dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderLayer {
    /// Length of the last axis; a multiple of `heads`.
    pub width: usize,
    /// Heads of the attention.
    pub heads: usize,
    /// Width between the two linear maps.
    pub feedforward: usize,
    /// Rate of dropout.
    pub dropout: f32,
    /// Between the two linear maps.
    pub activation: Activation,
    /// Which normalisation.
    pub norm: Norm,
    /// Normalise before attention and feed-forward (Xiong et al. 2020) instead of after the sums.
    pub norm_first: bool,
    /// Position t sees positions up to t only.
    pub causal: bool,
}

impl EncoderLayer {
    /// Post-norm with layer normalisation, ReLU, no dropout.
    pub fn new(width: usize, heads: usize, feedforward: usize) -> EncoderLayer {
        EncoderLayer {
            width,
            heads,
            feedforward,
            dropout: 0.0,
            activation: Activation::Relu,
            norm: Norm::Layer,
            norm_first: false,
            causal: false,
        }
    }

    /// `[batch, time, width]`; the shape stays.
    pub fn forward(&self, t: &mut Trace, x: Value, masks: Masks) -> Result<Value, GraphError> {
        let x = self.block(t, x, "norm1", |t, x| self.attention(t, x, masks))?;
        self.block(t, x, "norm2", |t, x| self.feed_forward(t, x))
    }

    /// norm(x + part(x)), or x + part(norm(x)).
    fn block(
        &self,
        t: &mut Trace,
        x: Value,
        norm: &str,
        part: impl FnOnce(&mut Trace, Value) -> Result<Value, GraphError>,
    ) -> Result<Value, GraphError> {
        let residual = Residual::identity();
        if self.norm_first {
            return residual.forward(t, x, |t, x| {
                let x = t.scope(norm, |t| self.normalize(t, x))?;
                part(t, x)
            });
        }
        let sum = residual.forward(t, x, part)?;
        t.scope(norm, |t| self.normalize(t, sum))
    }

    fn attention(&self, t: &mut Trace, x: Value, masks: Masks) -> Result<Value, GraphError> {
        let layer =
            MultiHeadAttention { causal: self.causal, ..MultiHeadAttention::new(self.width, self.heads) };
        let y = t.scope("self_attn", |t| layer.self_attention(t, x, masks))?;
        Dropout::new(self.dropout).forward(t, y)
    }

    fn feed_forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let dropout = Dropout::new(self.dropout);
        let wide = t.scope("linear1", |t| Linear::new(self.width, self.feedforward).forward(t, x))?;
        let active = self.activation.forward(t, wide)?;
        let active = dropout.forward(t, active)?;
        let y = t.scope("linear2", |t| Linear::new(self.feedforward, self.width).forward(t, active))?;
        dropout.forward(t, y)
    }

    fn normalize(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        match self.norm {
            Norm::Layer => LayerNorm::new(self.width).forward(t, x),
            Norm::Batch => {
                let shape = t.graph.shape(x).to_vec();
                let positions = shape.iter().rev().skip(1).product();
                let flat = t.graph.reshape(x, &[positions, self.width])?;
                let y = BatchNorm1d::new(self.width).forward(t, flat)?;
                t.graph.reshape(y, &shape)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::init::initialize;
    use bessemer_kernels::optimizer::sum_lanes;
    use bessemer_kernels::pool::Pool;
    use bessemer_plan::{Batch, Executable, Parameters, PlanOptions};

    const LAYER: EncoderLayer = EncoderLayer {
        width: 4,
        heads: 2,
        feedforward: 3,
        dropout: 0.0,
        activation: Activation::GeluErf,
        norm: Norm::Layer,
        norm_first: false,
        causal: false,
    };

    #[test]
    fn gradients() {
        for norm_first in [false, true] {
            for norm in [Norm::Layer, Norm::Batch] {
                let layer = EncoderLayer { norm, norm_first, ..LAYER };
                check(2, &[&[2, 3, 4]], |t, x| layer.forward(t, x[0], Masks::default()));
            }
        }
    }

    /// Two layers with batch statistics: eight sums over the batch, forward and backward.
    #[test]
    fn batch_statistics_do_not_depend_on_the_division() {
        let x: Vec<f32> = (0..6 * 12).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
        let gradient = |options: PlanOptions| {
            let trace = |samples| {
                let mut t = Trace::new(samples, 6, true);
                let mut x = t.input("x", &[3, 4]);
                for (name, norm_first) in [("0", false), ("1", true)] {
                    let layer = EncoderLayer { norm: Norm::Batch, norm_first, ..LAYER };
                    x = t.scope(name, |t| layer.forward(t, x, Masks::default()))?;
                }
                let target = t.graph.scalar(0.3);
                let error = t.graph.sub(x, target)?;
                let square = t.graph.mul(error, error)?;
                let loss = t.graph.sum_all(square)?;
                t.graph.set_loss(loss);
                Ok(t)
            };
            let mut step = Executable::compile(&|n| Ok(trace(n)?.graph), 6, &options).unwrap();
            let mut parameters = Parameters::new(step.parameters());
            initialize(&mut parameters, trace(1).unwrap().inits(), 1);
            let batch = Batch { inputs: &[&x], loss_scale: 1.0 / 72.0, seed: 0, step: 0 };
            let loss = step.run(&Pool::new(2), &parameters, &batch).unwrap();
            let mut gradient = vec![0.0; parameters.as_slice().len()];
            step.with_gradients(|lanes| sum_lanes(lanes, &mut gradient));
            (loss, gradient)
        };
        let plain = PlanOptions {
            simplify: false,
            fold: false,
            fuse: false,
            attention: false,
            pack: false,
            ..PlanOptions::TRAIN
        };
        let (loss, whole) = gradient(PlanOptions { micro_batch: Some(6), ..PlanOptions::TRAIN });
        assert!(whole.iter().any(|g| g.abs() > 1e-2));
        for options in [PlanOptions::TRAIN, plain] {
            for micro_batch in [1, 2, 4] {
                let (same_loss, same) = gradient(PlanOptions { micro_batch: Some(micro_batch), ..options });
                assert!((loss - same_loss).abs() < 1e-5, "{micro_batch}: {same_loss}, not {loss}");
                for (a, b) in whole.iter().zip(&same) {
                    assert!((a - b).abs() < 1e-5, "micro-batches of {micro_batch}: {b}, not {a}");
                }
            }
        }
    }

    #[test]
    fn parameters_are_named_as_in_pytorch() {
        let mut t = Trace::new(2, 2, true);
        let x = t.input("x", &[3, 4]);
        LAYER.forward(&mut t, x, Masks::default()).unwrap();
        let names: Vec<_> = t.graph.parameters().iter().map(|p| p.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "self_attn.in_proj_weight",
                "self_attn.in_proj_bias",
                "self_attn.out_proj.weight",
                "self_attn.out_proj.bias",
                "norm1.weight",
                "norm1.bias",
                "linear1.weight",
                "linear1.bias",
                "linear2.weight",
                "linear2.bias",
                "norm2.weight",
                "norm2.bias",
            ]
        );
    }
}
