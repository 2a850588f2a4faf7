//! PatchTST (Nie et al., "A Time Series is Worth 64 Words", 2023).

use bessemer_graph::ops::pad::{Pad, PadMode};
use bessemer_graph::ops::unfold::Unfold;
use bessemer_nn::layers::{Activation, Dropout, EncoderLayer, Linear, Masks, Norm, RevIn};
use bessemer_nn::{GraphError, Init, Trace, Value};
use serde::{Deserialize, Serialize};

use super::{Network, too_deep, too_large};

/// A transformer encoder over overlapping patches of one series.
///
/// The series is normalised by itself (RevIN), its last value repeated `stride` times, cut into
/// patches, embedded with a learned position, encoded, flattened and mapped to the horizon. Defaults
/// are those of the paper's ETTh1 and ETTh2 experiments (PatchTST/42).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchTst {
    /// Lags in a patch.
    pub patch: usize,
    /// Lags between starts of patches.
    pub stride: usize,
    /// Width of the encoder.
    pub width: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Width of the feed-forward part.
    pub feedforward: usize,
    /// Rate of dropout.
    pub dropout: f32,
    /// Normalisation in the encoder.
    pub norm: Norm,
    /// Normalise by the last value instead of the mean.
    pub subtract_last: bool,
    /// Learn RevIN's scale and shift.
    pub affine: bool,
}

impl PatchTst {
    /// The default.
    pub const PAPER: PatchTst = PatchTst {
        patch: 16,
        stride: 8,
        width: 16,
        heads: 4,
        layers: 3,
        feedforward: 128,
        dropout: 0.3,
        norm: Norm::Batch,
        subtract_last: false,
        affine: false,
    };
}

impl Default for PatchTst {
    fn default() -> Self {
        PatchTst::PAPER
    }
}

impl Network for PatchTst {
    fn forward(&self, t: &mut Trace, lags: Value, horizon: usize) -> Result<Value, GraphError> {
        let samples = t.samples();
        let lookback = t.graph.ty(lags).last();
        let series = t.graph.reshape(lags, &[samples, 1, lookback])?;
        let revin = RevIn { affine: self.affine, subtract_last: self.subtract_last, ..RevIn::new(2) };
        let (x, statistics) = revin.normalize(t, series)?;
        let x = t.graph.reshape(x, &[samples, lookback])?;
        let x = t.apply(Pad { axis: 1, before: 0, after: self.stride, mode: PadMode::Replicate }, &[x])?;
        let x = t.apply(Unfold { size: self.patch, step: self.stride }, &[x])?;
        let patches = t.graph.shape(x)[1];
        let x = t.scope("embed", |t| Linear::new(self.patch, self.width).forward(t, x))?;
        let position = t.parameter("position", &[patches, self.width], Init::Uniform { bound: 0.02 })?;
        let x = t.graph.add(x, position)?;
        let mut x = Dropout::new(self.dropout).forward(t, x)?;
        for layer in 0..self.layers {
            let encoder = EncoderLayer {
                dropout: self.dropout,
                activation: Activation::GeluErf,
                norm: self.norm,
                ..EncoderLayer::new(self.width, self.heads, self.feedforward)
            };
            x = t.scope(&format!("layer{layer}"), |t| encoder.forward(t, x, Masks::default()))?;
        }
        let flat = t.graph.reshape(x, &[samples, patches * self.width])?;
        let y = t.scope("head", |t| Linear::new(patches * self.width, horizon).forward(t, flat))?;
        let y = t.graph.reshape(y, &[samples, 1, horizon])?;
        let y = revin.denormalize(t, y, &statistics)?;
        t.graph.reshape(y, &[samples, horizon])
    }

    fn check(&self, lookback: usize, _: usize) -> Option<String> {
        let PatchTst { patch, stride, width, heads, feedforward, .. } = *self;
        if [patch, stride, width, heads, feedforward].contains(&0) {
            return Some("patch, stride, width, heads and feedforward must be at least 1".into());
        }
        let sizes = [("patch", patch), ("stride", stride), ("width", width), ("feedforward", feedforward)];
        if let Some(problem) = too_large(&sizes) {
            return Some(problem);
        }
        if !width.is_multiple_of(heads) {
            return Some(format!("width {width} is no multiple of heads {heads}"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Some(format!("dropout is {}, but must be in [0, 1)", self.dropout));
        }
        let room = lookback.saturating_add(stride);
        if room < patch {
            return Some(format!("patch {patch} is longer than lookback + stride {room}"));
        }
        too_deep(self.layers)
    }
}
