//! The models whose training step is timed.

use bessemer::forecast::models::{DLinear, NHits, Network, PatchTst};
use bessemer::nn::layers::{Activation, EncoderLayer, Linear, Masks};
use bessemer::nn::losses::Loss;
use bessemer::nn::{GraphError, Init, Trace, Value};
use clap::ValueEnum;

/// A model with its shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchModel {
    /// 96-512-512-96 with ReLU; batch 32
    Mlp,
    /// Transformer encoder: input [224, 42, 16], width 128, 8 heads, 3 post-norm layers,
    /// feed-forward 256, GELU, flattened head to 96
    Encoder,
    /// N-HiTS with its defaults: 336 lags to 96 steps; batch 1024
    Nhits,
    /// DLinear: 336 lags to 96 steps; batch 1024
    Dlinear,
    /// PatchTST: 336 lags to 96 steps, width 128, 16 heads, 3 layers with batch normalisation,
    /// feed-forward 256, dropout 0.2; batch 1024
    Patchtst,
}

impl BenchModel {
    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            BenchModel::Mlp => "mlp",
            BenchModel::Encoder => "encoder",
            BenchModel::Nhits => "nhits",
            BenchModel::Dlinear => "dlinear",
            BenchModel::Patchtst => "patchtst",
        }
    }

    /// Samples in a batch, unless asked otherwise.
    pub fn batch(self) -> usize {
        match self {
            BenchModel::Mlp => 32,
            BenchModel::Encoder => 224,
            BenchModel::Nhits | BenchModel::Dlinear | BenchModel::Patchtst => 1024,
        }
    }

    /// The shape of a sample, and of its target.
    fn shapes(self) -> (&'static [usize], usize) {
        match self {
            BenchModel::Mlp => (&[96], 96),
            BenchModel::Encoder => (&[42, 16], 96),
            BenchModel::Nhits | BenchModel::Dlinear | BenchModel::Patchtst => (&[336], 96),
        }
    }

    /// Writes the training graph: inputs `x` and `y`, mean squared error.
    pub fn trace(self, t: &mut Trace) -> Result<(), GraphError> {
        let (shape, targets) = self.shapes();
        let x = t.input("x", shape);
        let y = t.input("y", &[targets]);
        let forecast = match self {
            BenchModel::Mlp => mlp(t, x)?,
            BenchModel::Encoder => encoder(t, x)?,
            BenchModel::Nhits => NHits::default().forward(t, x, targets)?,
            BenchModel::Dlinear => DLinear::default().forward(t, x, targets)?,
            BenchModel::Patchtst => PATCHTST.forward(t, x, targets)?,
        };
        let loss = Loss::Mse.sum(t, forecast, y, None)?;
        t.graph.set_loss(loss);
        Ok(())
    }

    /// Numbers in the targets of a batch.
    pub fn targets(self, batch: usize) -> usize {
        self.shapes().1 * batch
    }
}

/// The widths and the dropout of NeuralForecast's defaults.
const PATCHTST: PatchTst =
    PatchTst { width: 128, heads: 16, feedforward: 256, dropout: 0.2, ..PatchTst::PAPER };

fn mlp(t: &mut Trace, x: Value) -> Result<Value, GraphError> {
    let h = t.scope("fc1", |t| Linear::new(96, 512).forward(t, x))?;
    let h = Activation::Relu.forward(t, h)?;
    let h = t.scope("fc2", |t| Linear::new(512, 512).forward(t, h))?;
    let h = Activation::Relu.forward(t, h)?;
    t.scope("fc3", |t| Linear::new(512, 96).forward(t, h))
}

fn encoder(t: &mut Trace, x: Value) -> Result<Value, GraphError> {
    const WIDTH: usize = 128;
    let (time, channels) = (t.graph.shape(x)[1], t.graph.shape(x)[2]);
    let h = t.scope("embed", |t| Linear::new(channels, WIDTH).forward(t, x))?;
    let position = t.parameter("position", &[time, WIDTH], Init::Normal { std: 0.02 })?;
    let mut h = t.graph.add(h, position)?;
    for layer in 0..3 {
        let encoder = EncoderLayer { activation: Activation::GeluErf, ..EncoderLayer::new(WIDTH, 8, 256) };
        h = t.scope(&format!("layers.{layer}"), |t| encoder.forward(t, h, Masks::default()))?;
    }
    let flat = t.graph.reshape(h, &[t.samples(), time * WIDTH])?;
    t.scope("head", |t| Linear::new(time * WIDTH, 96).forward(t, flat))
}
