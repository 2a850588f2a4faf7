//! The two models in Candle.
//!
//! Its fused layer norm and softmax have no backward, so both are written from
//! the plain operations here (`layer_norm_slow`, `softmax`), as training needs.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::ops::{layer_norm_slow, softmax};
use candle_nn::{AdamW, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap, linear};

use crate::timing::{Report, measure};

/// Times a step of `forward` over the parameters in `variables`, on one random batch.
fn time(
    variables: Vec<Var>,
    input: &[usize],
    target: &[usize],
    forward: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Report> {
    let input = Tensor::randn(0f32, 1f32, input, &Device::Cpu)?;
    let target = Tensor::randn(0f32, 1f32, target, &Device::Cpu)?;
    let parameters = variables.iter().map(|variable| variable.elem_count()).sum();
    let mut optimizer = AdamW::new(
        variables,
        ParamsAdamW { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 },
    )?;
    let mut step = || -> Result<f32> {
        let loss = candle_nn::loss::mse(&forward(&input)?, &target)?;
        optimizer.backward_step(&loss)?;
        loss.to_scalar::<f32>()
    };
    step()?; // the first failure as an error, not a panic
    Ok(measure(parameters, || step().expect("it ran the first time")))
}

/// 96-512-512-96 with ReLU, batch 32.
pub fn mlp() -> Result<Report> {
    let variables = VarMap::new();
    let build = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let linear1 = linear(96, 512, build.pp("linear1"))?;
    let linear2 = linear(512, 512, build.pp("linear2"))?;
    let linear3 = linear(512, 96, build.pp("linear3"))?;
    time(variables.all_vars(), &[32, 96], &[32, 96], |x| {
        let x = linear1.forward(x)?.relu()?;
        let x = linear2.forward(&x)?.relu()?;
        linear3.forward(&x)
    })
}

const BATCH: usize = 224;
const TOKENS: usize = 42;
const FEATURES: usize = 16;
const WIDTH: usize = 128;
const HEADS: usize = 8;
const FEED_FORWARD: usize = 256;
const LAYERS: usize = 3;
const OUTPUT: usize = 96;

struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn new(build: VarBuilder) -> Result<Self> {
        Ok(Norm {
            weight: build.get_with_hints(WIDTH, "weight", candle_nn::Init::Const(1.0))?,
            bias: build.get_with_hints(WIDTH, "bias", candle_nn::Init::Const(0.0))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm_slow(x, &self.weight, &self.bias, 1e-5)
    }
}

struct EncoderLayer {
    query_key_value: Linear,
    project: Linear,
    norm1: Norm,
    linear1: Linear,
    linear2: Linear,
    norm2: Norm,
}

impl EncoderLayer {
    fn new(build: VarBuilder) -> Result<Self> {
        Ok(EncoderLayer {
            query_key_value: linear(WIDTH, 3 * WIDTH, build.pp("query_key_value"))?,
            project: linear(WIDTH, WIDTH, build.pp("project"))?,
            norm1: Norm::new(build.pp("norm1"))?,
            linear1: linear(WIDTH, FEED_FORWARD, build.pp("linear1"))?,
            linear2: linear(FEED_FORWARD, WIDTH, build.pp("linear2"))?,
            norm2: Norm::new(build.pp("norm2"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.norm1.forward(&(x + self.attend(x)?)?)?;
        let hidden = self.linear1.forward(&x)?.gelu_erf()?;
        self.norm2.forward(&(&x + self.linear2.forward(&hidden)?)?)
    }

    fn attend(&self, x: &Tensor) -> Result<Tensor> {
        let head_width = WIDTH / HEADS;
        // [3, batch, heads, tokens, head width]
        let packed = self
            .query_key_value
            .forward(x)?
            .reshape((BATCH, TOKENS, 3, HEADS, head_width))?
            .permute((2, 0, 3, 1, 4))?;
        let part = |index| packed.get(index)?.contiguous();
        let scores = (part(0)?.matmul(&part(1)?.t()?)? / (head_width as f64).sqrt())?;
        let context = softmax(&scores, 3)?.matmul(&part(2)?)?;
        self.project.forward(&context.transpose(1, 2)?.reshape((BATCH, TOKENS, WIDTH))?)
    }
}

/// Three post-norm transformer layers over 42 tokens of 16 features, batch 224.
pub fn encoder() -> Result<Report> {
    let variables = VarMap::new();
    let build = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let embed = linear(FEATURES, WIDTH, build.pp("embed"))?;
    let position = build.get_with_hints(
        (TOKENS, WIDTH),
        "position",
        candle_nn::Init::Uniform { lo: -0.02, up: 0.02 },
    )?;
    let layers = (0..LAYERS)
        .map(|index| EncoderLayer::new(build.pp("layers").pp(index)))
        .collect::<Result<Vec<_>>>()?;
    let head = linear(TOKENS * WIDTH, OUTPUT, build.pp("head"))?;
    time(variables.all_vars(), &[BATCH, TOKENS, FEATURES], &[BATCH, OUTPUT], |x| {
        let mut x = embed.forward(x)?.broadcast_add(&position)?;
        for layer in &layers {
            x = layer.forward(&x)?;
        }
        head.forward(&x.reshape((BATCH, TOKENS * WIDTH))?)
    })
}
