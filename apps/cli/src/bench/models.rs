//! The models whose training step is timed.

use bessemer::forecast::models::{DLinear, NHits, Network, PatchTst};
use bessemer::graph::ops::attention::Attention;
use bessemer::nn::layers::{Activation, EncoderLayer, Linear, Lstm, Masks};
use bessemer::nn::losses::Loss;
use bessemer::nn::{GraphError, Init, Trace, Value};
use bessemer::plan::Parameters;
use bessemer::waves;
use bessemer::waves::models::{Quasimoto, Siren};
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
    /// LSTM: input [32, 96, 7], 2 layers of 128, last state to 96
    Lstm,
    /// Causal attention alone: 8 heads of 64 over 1,024 positions
    #[value(name = "attention-1k")]
    Attention1k,
    /// Likewise over 4,096
    #[value(name = "attention-4k")]
    Attention4k,
    /// Likewise over 16,384
    #[value(name = "attention-16k")]
    Attention16k,
    /// Likewise over 32,768
    #[value(name = "attention-32k")]
    Attention32k,
    /// 16 packets of the Quasimoto reference over (x, t); all of 1,000 points
    #[value(name = "waves-1d")]
    Waves1d,
    /// 8 of them over (x, y, z, t); all of 8,000 points
    #[value(name = "waves-4d")]
    Waves4d,
    /// 6 of them over five axes of space and t; all of 32,768 points
    #[value(name = "waves-6d")]
    Waves6d,
    /// SIREN of 2 layers of 64 over one axis; all of 1,000 points
    Siren,
    /// SIREN of 4 layers of 256 over two axes; all of 256 x 256 points
    #[value(name = "siren-image")]
    SirenImage,
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
            BenchModel::Lstm => "lstm",
            BenchModel::Attention1k => "attention-1k",
            BenchModel::Attention4k => "attention-4k",
            BenchModel::Attention16k => "attention-16k",
            BenchModel::Attention32k => "attention-32k",
            BenchModel::Waves1d => "waves-1d",
            BenchModel::Waves4d => "waves-4d",
            BenchModel::Waves6d => "waves-6d",
            BenchModel::Siren => "siren",
            BenchModel::SirenImage => "siren-image",
        }
    }

    /// Samples in a batch, unless asked otherwise.
    pub fn batch(self) -> usize {
        match self {
            BenchModel::Mlp | BenchModel::Lstm => 32,
            BenchModel::Encoder => 224,
            BenchModel::Nhits | BenchModel::Dlinear | BenchModel::Patchtst => 1024,
            // Heads know nothing of each other, so each is a sample.
            BenchModel::Attention1k
            | BenchModel::Attention4k
            | BenchModel::Attention16k
            | BenchModel::Attention32k => 8,
            BenchModel::Waves1d | BenchModel::Siren => 1000,
            BenchModel::Waves4d => 8000,
            BenchModel::Waves6d => 32_768,
            BenchModel::SirenImage => 65_536,
        }
    }

    /// The shape of a sample, and of its target.
    fn shapes(self) -> (&'static [usize], usize) {
        match self {
            BenchModel::Mlp => (&[96], 96),
            BenchModel::Encoder => (&[42, 16], 96),
            BenchModel::Nhits | BenchModel::Dlinear | BenchModel::Patchtst => (&[336], 96),
            BenchModel::Lstm => (&[96, 7], 96),
            BenchModel::Attention1k => (&[1 << 10, 3 * HEAD], (1 << 10) * HEAD),
            BenchModel::Attention4k => (&[1 << 12, 3 * HEAD], (1 << 12) * HEAD),
            BenchModel::Attention16k => (&[1 << 14, 3 * HEAD], (1 << 14) * HEAD),
            BenchModel::Attention32k => (&[1 << 15, 3 * HEAD], (1 << 15) * HEAD),
            BenchModel::Siren => (&[1], 1),
            BenchModel::Waves1d | BenchModel::SirenImage => (&[2], 1),
            BenchModel::Waves4d => (&[4], 1),
            BenchModel::Waves6d => (&[6], 1),
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
            BenchModel::Lstm => {
                let h = t.scope("lstm", |t| Lstm::new(7, 128).with_layers(2).last(t, x))?;
                t.scope("head", |t| Linear::new(128, targets).forward(t, h))?
            }
            BenchModel::Attention1k
            | BenchModel::Attention4k
            | BenchModel::Attention16k
            | BenchModel::Attention32k => attention(t, x, targets)?,
            BenchModel::Waves1d
            | BenchModel::Waves4d
            | BenchModel::Waves6d
            | BenchModel::Siren
            | BenchModel::SirenImage => self.wave().network().forward(t, x, self.wave_shape())?,
        };
        let loss = Loss::Mse.sum(t, forecast, y, None)?;
        t.graph.set_loss(loss);
        Ok(())
    }

    /// Writes initial values that are not drawn as the trace says.
    pub fn start(self, parameters: &mut Parameters) {
        if matches!(self, BenchModel::Waves1d | BenchModel::Waves4d | BenchModel::Waves6d) {
            self.wave().network().start(parameters, self.wave_shape());
        }
    }

    /// The model of a signal.
    fn wave(self) -> waves::Model {
        let packets = |count| waves::Model::Quasimoto(Quasimoto { count });
        match self {
            BenchModel::Waves4d => packets(8),
            BenchModel::Waves6d => packets(6),
            BenchModel::SirenImage => {
                waves::Model::Siren(Siren { width: 256, layers: 4, ..Siren::default() })
            }
            BenchModel::Siren => waves::Model::Siren(Siren::default()),
            _ => packets(16),
        }
    }

    fn wave_shape(self) -> waves::models::Shape {
        waves::models::Shape { axes: self.shapes().0[0], channels: 1, seed: 1 }
    }

    /// Numbers in the inputs of a batch.
    pub fn inputs(self, batch: usize) -> usize {
        self.shapes().0.iter().product::<usize>() * batch
    }

    /// Numbers in the targets of a batch.
    pub fn targets(self, batch: usize) -> usize {
        self.shapes().1 * batch
    }
}

/// The widths and the dropout of NeuralForecast's defaults.
const PATCHTST: PatchTst =
    PatchTst { width: 128, heads: 16, feedforward: 256, dropout: 0.2, ..PatchTst::PAPER };

/// Width of an attention head.
const HEAD: usize = 64;

/// Attention over queries, keys and values that a parameter is added to, so that it has gradients.
fn attention(t: &mut Trace, x: Value, targets: usize) -> Result<Value, GraphError> {
    let shift = t.parameter("shift", &[3 * HEAD], Init::ZEROS)?;
    let qkv = t.graph.add(x, shift)?;
    let scale = 1.0 / (HEAD as f32).sqrt();
    let causal = Attention { causal: true, ..Attention::new(1, scale) };
    let y = t.graph.apply(causal, &[qkv])?[0];
    t.graph.reshape(y, &[t.samples(), targets])
}

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
