//! Functions of one operand, element by element.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::binary::Binary;
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// A function of one number. The `…Grad` forms are derivatives, and have none themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// -x
    Neg,
    /// |x|
    Abs,
    /// -1, 0 or 1
    Sign,
    /// eˣ
    Exp,
    /// ln x
    Log,
    /// √x
    Sqrt,
    /// 1/√x
    Rsqrt,
    /// 1/x
    Recip,
    /// x²
    Square,
    /// tanh x
    Tanh,
    /// 1/(1+e⁻ˣ)
    Sigmoid,
    /// max(x, 0)
    Relu,
    /// 1 where x > 0, else 0: the derivative of `Relu`
    Step,
    /// x Φ(x) with the exact normal distribution function (Hendrycks & Gimpel 2016)
    GeluErf,
    /// Derivative of `GeluErf`
    GeluErfGrad,
    /// GELU by its tanh approximation
    GeluTanh,
    /// Derivative of `GeluTanh`
    GeluTanhGrad,
    /// x / (1+e⁻ˣ)
    Silu,
    /// Derivative of `Silu`
    SiluGrad,
    /// x for x > 0, else eˣ - 1
    Elu,
    /// Derivative of `Elu`
    EluGrad,
    /// The error function
    Erf,
    /// sin x
    Sin,
    /// cos x
    Cos,
    /// x, through which no gradient flows: a factor that is to be taken as given
    Detach,
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

impl Unary {
    /// The function in f64.
    pub fn eval(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let normal_cdf = |x: f64| 0.5 * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2));
        let gelu_inner = |x: f64| (SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)).tanh();
        match self {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Sign if x == 0.0 => 0.0,
            Unary::Sign => x.signum(),
            Unary::Exp => x.exp(),
            Unary::Log => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::Rsqrt => 1.0 / x.sqrt(),
            Unary::Recip => 1.0 / x,
            Unary::Square => x * x,
            Unary::Tanh => x.tanh(),
            Unary::Sigmoid => sigmoid(x),
            Unary::Relu => x.max(0.0),
            Unary::Step => f64::from(x > 0.0),
            Unary::GeluErf => x * normal_cdf(x),
            Unary::GeluErfGrad => normal_cdf(x) + x * INV_SQRT_2PI * (-0.5 * x * x).exp(),
            Unary::GeluTanh => 0.5 * x * (1.0 + gelu_inner(x)),
            Unary::GeluTanhGrad => {
                let t = gelu_inner(x);
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * x * x)
            }
            Unary::Silu => x * sigmoid(x),
            Unary::SiluGrad => {
                let s = sigmoid(x);
                s * (1.0 + x * (1.0 - s))
            }
            Unary::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Unary::EluGrad => {
                if x > 0.0 {
                    1.0
                } else {
                    x.exp()
                }
            }
            Unary::Erf => libm::erf(x),
            Unary::Sin => x.sin(),
            Unary::Cos => x.cos(),
            Unary::Detach => x,
        }
    }

    /// Rough cost of one evaluation in floating-point operations.
    pub fn element_flops(self) -> f64 {
        match self {
            Unary::Detach => 0.0,
            Unary::Neg | Unary::Abs | Unary::Sign | Unary::Relu | Unary::Step | Unary::Square => 1.0,
            Unary::Sqrt | Unary::Rsqrt | Unary::Recip => 4.0,
            Unary::GeluErfGrad | Unary::GeluTanhGrad => 30.0,
            _ => 20.0,
        }
    }
}

impl Operation for Unary {
    fn name(&self) -> &'static str {
        match self {
            Unary::Neg => "neg",
            Unary::Abs => "abs",
            Unary::Sign => "sign",
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Sqrt => "sqrt",
            Unary::Rsqrt => "rsqrt",
            Unary::Recip => "recip",
            Unary::Square => "square",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Relu => "relu",
            Unary::Step => "step",
            Unary::GeluErf => "gelu",
            Unary::GeluErfGrad => "gelu_grad",
            Unary::GeluTanh => "gelu_tanh",
            Unary::GeluTanhGrad => "gelu_tanh_grad",
            Unary::Silu => "silu",
            Unary::SiluGrad => "silu_grad",
            Unary::Elu => "elu",
            Unary::EluGrad => "elu_grad",
            Unary::Erf => "erf",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
            Unary::Detach => "detach",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs {
            [x] if x.dtype == DType::F32 => Ok(vec![x.clone()]),
            _ => Err(format!("wants one operand of floats, got {inputs:?}")),
        }
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        self.element_flops() * inputs[0].len() as f64
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (x, y, dy) = (b.inputs[0], b.outputs[0], b.grad());
        let derivative = match self {
            Unary::Neg => {
                let dx = b.apply(Unary::Neg, &[dy])?;
                b.give(0, dx);
                return Ok(true);
            }
            Unary::Sign | Unary::Step | Unary::Detach => {
                let zero = b.graph.scalar(0.0);
                let dx = b.apply(Binary::Mul, &[dy, zero])?;
                b.give(0, dx);
                return Ok(true);
            }
            Unary::GeluErfGrad | Unary::GeluTanhGrad | Unary::SiluGrad | Unary::EluGrad => return Ok(false),
            Unary::Abs => b.apply(Unary::Sign, &[x])?,
            Unary::Exp => y,
            Unary::Log => b.apply(Unary::Recip, &[x])?,
            Unary::Sqrt => {
                let half = b.graph.scalar(0.5);
                b.apply(Binary::Div, &[half, y])?
            }
            Unary::Rsqrt => {
                let scaled = b.graph.scale(y, -0.5)?;
                b.apply(Binary::Div, &[scaled, x])?
            }
            Unary::Recip => {
                let square = b.apply(Unary::Square, &[y])?;
                b.apply(Unary::Neg, &[square])?
            }
            Unary::Square => b.graph.scale(x, 2.0)?,
            Unary::Tanh => {
                let square = b.apply(Unary::Square, &[y])?;
                let one = b.graph.scalar(1.0);
                b.apply(Binary::Sub, &[one, square])?
            }
            Unary::Sigmoid => {
                let one = b.graph.scalar(1.0);
                let rest = b.apply(Binary::Sub, &[one, y])?;
                b.apply(Binary::Mul, &[y, rest])?
            }
            // From the output, so that the value before it need not be kept.
            Unary::Relu => b.apply(Unary::Step, &[y])?,
            Unary::GeluErf => b.apply(Unary::GeluErfGrad, &[x])?,
            Unary::GeluTanh => b.apply(Unary::GeluTanhGrad, &[x])?,
            Unary::Silu => b.apply(Unary::SiluGrad, &[x])?,
            Unary::Elu => b.apply(Unary::EluGrad, &[x])?,
            Unary::Erf => {
                let square = b.apply(Unary::Square, &[x])?;
                let minus = b.apply(Unary::Neg, &[square])?;
                let bell = b.apply(Unary::Exp, &[minus])?;
                b.graph.scale(bell, std::f32::consts::FRAC_2_SQRT_PI)?
            }
            Unary::Sin => b.apply(Unary::Cos, &[x])?,
            Unary::Cos => {
                let sin = b.apply(Unary::Sin, &[x])?;
                b.apply(Unary::Neg, &[sin])?
            }
        };
        let dx = b.apply(Binary::Mul, &[dy, derivative])?;
        b.give(0, dx);
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        vec![inputs[0].map(|x| self.eval(x))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        use Unary::*;
        let smooth =
            [Neg, Exp, Square, Tanh, Sigmoid, GeluErf, GeluTanh, Silu, Elu, Erf, Sin, Cos, Abs, Relu];
        for op in smooth {
            check(&[&[3, 4]], |g, x| g.apply1(op, &[x[0]]));
        }
        for op in [Log, Sqrt, Rsqrt, Recip] {
            check(&[&[3, 4]], |g, x| {
                // Away from the pole at zero.
                let positive = g.apply1(Exp, &[x[0]])?;
                g.apply1(op, &[positive])
            });
        }
    }

    #[test]
    fn what_is_detached_counts_as_given() {
        let mut g = crate::Graph::new();
        let x = g.parameter("x", &[2]).unwrap();
        let given = g.apply1(Unary::Detach, &[x]).unwrap();
        let product = g.mul(given, x).unwrap();
        let loss = g.sum_all(product).unwrap();
        g.set_loss(loss);
        crate::differentiate(&mut g).unwrap();
        let bindings = crate::Bindings {
            parameters: vec![Tensor::new([2], vec![3.0, -5.0])],
            inputs: Vec::new(),
            loss_scale: 1.0,
        };
        let values = crate::evaluate(&g, &bindings);
        assert_eq!(values[loss.index()].data, [34.0], "x x");
        assert_eq!(values[g.gradients()[0].1.index()].data, [3.0, -5.0], "x, and not 2 x");
    }

    #[test]
    fn a_derivative_refuses_to_be_differentiated() {
        let mut g = crate::Graph::new();
        let x = g.parameter("x", &[2]).unwrap();
        let y = g.apply1(Unary::GeluErfGrad, &[x]).unwrap();
        let loss = g.sum_all(y).unwrap();
        g.set_loss(loss);
        assert!(matches!(
            crate::differentiate(&mut g),
            Err(GraphError::NoGradient { operation: "gelu_grad", .. })
        ));
    }
}
