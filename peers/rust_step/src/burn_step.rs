//! The two models in Burn, on its Flex backend.

use burn::module::{Module, Param};
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Gelu, LayerNorm, LayerNormConfig, Linear, LinearConfig, Relu};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Tensor, activation::softmax};

use crate::timing::{Report, measure};

const LEARNING_RATE: f64 = 1e-3;

fn optimizer() -> ModuleOptimizer {
    AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.999).with_epsilon(1e-8).with_weight_decay(0.01).init()
}

/// Times a step of `model` under `forward`, on one random batch.
fn time<M: Module, const I: usize>(
    model: M,
    device: &Device,
    input: [usize; I],
    target: [usize; 2],
    forward: impl Fn(&M, Tensor<I>) -> Tensor<2>,
) -> Report {
    // The batch needs no gradient, so it stays on the plain device.
    let input = Tensor::<I>::random(input, Distribution::Normal(0.0, 1.0), device);
    let target = Tensor::<2>::random(target, Distribution::Normal(0.0, 1.0), device);
    let parameters = model.num_params();
    let mut model = Some(model);
    let mut optimizer = optimizer();
    measure(parameters, || {
        let current = model.take().expect("put back by the step before");
        let prediction = forward(&current, input.clone());
        let loss = MseLoss::new().forward(prediction, target.clone(), Reduction::Mean);
        let value = loss.clone().into_scalar::<f32>();
        let gradients = GradientsParams::from_grads(loss.backward(), &current);
        model = Some(optimizer.step(LEARNING_RATE, current, gradients));
        value
    })
}

#[derive(Module, Debug)]
struct Mlp {
    linear1: Linear,
    linear2: Linear,
    linear3: Linear,
    relu: Relu,
}

/// 96-512-512-96 with ReLU, batch 32.
pub fn mlp() -> Report {
    let device = Device::flex().autodiff();
    let model = Mlp {
        linear1: LinearConfig::new(96, 512).init(&device),
        linear2: LinearConfig::new(512, 512).init(&device),
        linear3: LinearConfig::new(512, 96).init(&device),
        relu: Relu::new(),
    };
    time(model, &device, [32, 96], [32, 96], |model, x| {
        let x = model.relu.forward(model.linear1.forward(x));
        let x = model.relu.forward(model.linear2.forward(x));
        model.linear3.forward(x)
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

#[derive(Module, Debug)]
struct Encoder {
    embed: Linear,
    position: Param<Tensor<2>>,
    layers: Vec<EncoderLayer>,
    head: Linear,
}

#[derive(Module, Debug)]
struct EncoderLayer {
    query_key_value: Linear,
    project: Linear,
    norm1: LayerNorm,
    linear1: Linear,
    gelu: Gelu,
    linear2: Linear,
    norm2: LayerNorm,
}

impl EncoderLayer {
    fn new(device: &Device) -> Self {
        EncoderLayer {
            query_key_value: LinearConfig::new(WIDTH, 3 * WIDTH).init(device),
            project: LinearConfig::new(WIDTH, WIDTH).init(device),
            norm1: LayerNormConfig::new(WIDTH).init(device),
            linear1: LinearConfig::new(WIDTH, FEED_FORWARD).init(device),
            gelu: Gelu::new(),
            linear2: LinearConfig::new(FEED_FORWARD, WIDTH).init(device),
            norm2: LayerNormConfig::new(WIDTH).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.norm1.forward(x.clone() + self.attend(x));
        let hidden = self.gelu.forward(self.linear1.forward(x.clone()));
        self.norm2.forward(x + self.linear2.forward(hidden))
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let head_width = WIDTH / HEADS;
        // [batch, tokens, 3, heads, head width], taken apart along the third axis.
        let packed = self.query_key_value.forward(x);
        let part = |index: usize| {
            packed
                .clone()
                .narrow(2, index * WIDTH, WIDTH)
                .reshape([BATCH, TOKENS, HEADS, head_width])
                .swap_dims(1, 2)
        };
        let scores = part(0).matmul(part(1).transpose()) / (head_width as f64).sqrt();
        let context = softmax(scores, 3).matmul(part(2));
        self.project.forward(context.swap_dims(1, 2).reshape([BATCH, TOKENS, WIDTH]))
    }
}

/// Three post-norm transformer layers over 42 tokens of 16 features, batch 224.
pub fn encoder() -> Report {
    let device = Device::flex().autodiff();
    let position = Tensor::random([TOKENS, WIDTH], Distribution::Uniform(-0.02, 0.02), &device);
    let model = Encoder {
        embed: LinearConfig::new(FEATURES, WIDTH).init(&device),
        position: Param::from_tensor(position),
        layers: (0..LAYERS).map(|_| EncoderLayer::new(&device)).collect(),
        head: LinearConfig::new(TOKENS * WIDTH, OUTPUT).init(&device),
    };
    let forward = |model: &Encoder, x: Tensor<3>| {
        let mut x = model.embed.forward(x) + model.position.val().unsqueeze::<3>();
        for layer in &model.layers {
            x = layer.forward(x);
        }
        model.head.forward(x.reshape([BATCH, TOKENS * WIDTH]))
    };
    time(model, &device, [BATCH, TOKENS, FEATURES], [BATCH, OUTPUT], forward)
}
