//! Activation functions.

use bessemer_graph::GraphError;
use bessemer_graph::ops::unary::Unary;
use serde::{Deserialize, Serialize};

use crate::trace::{Trace, Value};

/// A function applied element by element between layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0)
    #[default]
    Relu,
    /// x Φ(x), exactly (Hendrycks & Gimpel 2016); PyTorch's default GELU.
    GeluErf,
    /// x Φ(x) by its tanh approximation.
    GeluTanh,
    /// x / (1 + e⁻ˣ) (Elfwing, Uchibe & Doya 2018), also known as Swish.
    Silu,
    /// x where positive, else eˣ - 1 (Clevert, Unterthiner & Hochreiter 2016).
    Elu,
    /// tanh x
    Tanh,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
}

impl Activation {
    /// The function of every element; the shape stays.
    pub fn forward(self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let function = match self {
            Activation::Relu => Unary::Relu,
            Activation::GeluErf => Unary::GeluErf,
            Activation::GeluTanh => Unary::GeluTanh,
            Activation::Silu => Unary::Silu,
            Activation::Elu => Unary::Elu,
            Activation::Tanh => Unary::Tanh,
            Activation::Sigmoid => Unary::Sigmoid,
        };
        t.apply(function, &[x])
    }
}
