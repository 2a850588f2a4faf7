//! A loop over time: one graph run once a step, its states handed from step to step.

mod gradient;

use std::sync::Arc;

use self::gradient::Pullback;
use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::evaluate::{Bindings, evaluate};
use crate::graph::{Graph, ValueId};
use crate::operation::{Op, Operation};
use crate::shape::{DType, Type};
use crate::tensor::Tensor;

/// A recurrence. The body's first inputs are states, the others slices of sequences; its first
/// outputs are the states after the step. Its parameters are the same at every step.
///
/// Inputs: each state before the first step; each sequence, `[steps, ..]` of the body's input; each
/// parameter of the body. Outputs: for each output of the body all its values, `[steps, ..]`.
///
/// What the gradient needs of a step is among the outputs too, behind those of the model, so that
/// nothing is computed twice. The gradient is a loop in the other direction. The gradient of a weight
/// that rows are multiplied by is left out of it, as one product over all steps; that of any other
/// parameter is returned for each step and summed, so it should be small.
#[derive(Clone, Debug)]
pub struct Scan {
    body: Arc<Graph>,
    states: usize,
    reverse: bool,
    differentiable: bool,
}

impl PartialEq for Scan {
    fn eq(&self, other: &Scan) -> bool {
        Arc::ptr_eq(&self.body, &other.body) && (self.states, self.reverse) == (other.states, other.reverse)
    }
}

impl Scan {
    /// A loop over `body`, of whose inputs and outputs the first `states` are states; from the last
    /// step to the first if `reverse`.
    ///
    /// # Errors
    /// If a state after a step differs in type from that before, or an operation of the body has no
    /// gradient or is random (it would draw the same numbers at every step).
    pub fn new(mut body: Graph, states: usize, reverse: bool) -> Result<Scan, GraphError> {
        let wrong = |problem: &str| GraphError::Shape {
            operation: "scan",
            scope: body.scope(),
            problem: problem.into(),
        };
        if body.inputs().len() <= states || body.outputs().len() < states {
            return Err(wrong(
                "the body wants its states and at least one slice, and must return the states",
            ));
        }
        let is_state = |i: usize| {
            let before = &body.inputs()[i].ty;
            body.ty(body.outputs()[i].1) == before && before.dtype == DType::F32
        };
        if !(0..states).all(is_state) {
            return Err(wrong("a state is not of floats, or has another shape after the step than before"));
        }
        if body.nodes().iter().any(|n| matches!(n.op, Op::Dropout(_))) {
            return Err(wrong("dropout in the body would drop the same elements at every step"));
        }
        if body.nodes().iter().any(|n| matches!(n.op, Op::Scan(_) | Op::BatchSum(_) | Op::BatchMoments(_))) {
            return Err(wrong("the body holds a loop, or sums over the batch"));
        }
        if body.loss().is_some() || !body.gradients().is_empty() || !body.buffers().is_empty() {
            return Err(wrong(
                "the body has a loss, gradients or running statistics; only outputs are handed on",
            ));
        }
        let pullback = Pullback::new(&body, |_| true)?;
        for (i, value) in pullback.read_of(&body).into_iter().enumerate() {
            body.output(&format!("kept.{i}"), value);
        }
        Ok(Scan { body: Arc::new(body), states, reverse, differentiable: true })
    }

    /// What runs at each step.
    pub fn body(&self) -> &Graph {
        &self.body
    }

    /// How many of the body's inputs, and of its outputs, are states.
    pub fn states(&self) -> usize {
        self.states
    }

    /// Whether the last step comes first.
    pub fn reverse(&self) -> bool {
        self.reverse
    }

    /// Number of sequences.
    fn sequences(&self) -> usize {
        self.body.inputs().len() - self.states
    }

    /// The steps in the order in which they are taken.
    fn order(&self, steps: usize) -> impl Iterator<Item = usize> + use<> {
        let reverse = self.reverse;
        (0..steps).map(move |i| if reverse { steps - 1 - i } else { i })
    }
}

impl Operation for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let (body, states) = (&self.body, self.states);
        let expected = body.inputs().len() + body.parameters().len();
        if inputs.len() != expected {
            return Err(format!("wants {expected} states, sequences and parameters, got {}", inputs.len()));
        }
        let Some(&steps) = inputs[states].shape.first() else {
            return Err("a sequence wants a first axis, the steps".into());
        };
        let over_time = |ty: &Type| Type { shape: [&[steps], ty.shape.as_slice()].concat(), dtype: ty.dtype };
        let states_and_slices = body.inputs().iter().enumerate().map(|(i, input)| match i < states {
            true => input.ty.clone(),
            false => over_time(&input.ty),
        });
        let parameters = body.parameters().iter().map(|p| Type::f32(p.shape.clone()));
        let names = body.inputs().iter().map(|i| &i.name).chain(body.parameters().iter().map(|p| &p.name));
        for ((want, got), name) in states_and_slices.chain(parameters).zip(inputs).zip(names) {
            if want != *got {
                let text = |ty: &Type| format!("{:?} {:?}", ty.dtype, ty.shape);
                return Err(format!("`{name}` is {}, but the body wants {}", text(got), text(&want)));
            }
        }
        if steps == 0 {
            return Err("there are no steps".into());
        }
        Ok(body.outputs().iter().map(|(_, v)| over_time(body.ty(*v))).collect())
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        let steps = inputs[self.states].shape[0] as f64;
        steps * self.body.nodes().iter().map(|n| self.body.cost(n).flops).sum::<f64>()
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        gradient::add(self, b)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (body, states) = (&*self.body, self.states);
        let steps = inputs[states].shape[0];
        let (sequences, parameters) = inputs[states..].split_at(self.sequences());
        let mut bindings = Bindings {
            parameters: parameters.iter().map(|&p| p.clone()).collect(),
            inputs: inputs[..body.inputs().len()].iter().map(|&x| x.clone()).collect(),
            loss_scale: 1.0,
        };
        let stacked = |v: ValueId| Tensor::full([&[steps], body.shape(v)].concat(), 0.0);
        let mut outputs: Vec<Tensor> = body.outputs().iter().map(|(_, v)| stacked(*v)).collect();
        for t in self.order(steps) {
            for ((slice, sequence), input) in
                bindings.inputs[states..].iter_mut().zip(sequences).zip(&body.inputs()[states..])
            {
                let len = input.ty.len();
                *slice = Tensor::new(input.ty.shape.clone(), sequence.data[t * len..][..len].to_vec());
            }
            let values = evaluate(body, &bindings);
            for (i, ((_, v), output)) in body.outputs().iter().zip(&mut outputs).enumerate() {
                let value = &values[v.index()];
                output.data[t * value.data.len()..][..value.data.len()].copy_from_slice(&value.data);
                if i < states {
                    bindings.inputs[i] = value.clone();
                }
            }
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differentiate::gradients_of;
    use crate::gradient_check::check;
    use crate::ops::batch_sum::BatchSum;
    use crate::ops::dropout::Dropout;
    use crate::ops::unary::Unary;

    /// h' = tanh(x + h·Wᵀ + b) · scale; returns h' and h'·h.
    fn body() -> Graph {
        let mut g = Graph::new();
        let h = g.input("h", Type::f32([2, 3]));
        let x = g.input("x", Type::f32([2, 3]));
        let w = g.parameter("w", &[3, 3]).unwrap();
        let bias = g.parameter("b", &[3]).unwrap();
        let scale = g.parameter("scale", &[]).unwrap();
        let a = g.linear(h, w, Some(bias)).unwrap();
        let a = g.add(a, x).unwrap();
        let next = g.apply1(Unary::Tanh, &[a]).unwrap();
        let next = g.mul(next, scale).unwrap();
        let both = g.mul(next, h).unwrap();
        g.output("h", next);
        g.output("both", both);
        g
    }

    #[test]
    fn gradients() {
        for reverse in [false, true] {
            let scan = Scan::new(body(), 1, reverse).unwrap();
            for output in [0, 1] {
                for steps in [1, 4] {
                    check(&[&[2, 3], &[steps, 2, 3], &[3, 3], &[3], &[]], |g, x| {
                        Ok(g.apply(scan.clone(), x)?[output])
                    });
                }
            }
            check(&[&[2, 3], &[4, 2, 3], &[3, 3], &[3], &[]], |g, x| {
                let outputs = g.apply(scan.clone(), x)?;
                g.mul(outputs[0], outputs[1])
            });
        }
    }

    #[test]
    fn two_states_one_of_which_depends_on_nothing() {
        let mut g = Graph::new();
        let h = g.input("h", Type::f32([2]));
        let c = g.input("c", Type::f32([2]));
        let x = g.input("x", Type::f32([2]));
        let next = g.mul(h, x).unwrap();
        let sum = g.add(next, c).unwrap();
        g.output("h", sum);
        g.output("c", x);
        let scan = Scan::new(g, 2, false).unwrap();
        check(&[&[2], &[2], &[3, 2]], |g, x| Ok(g.apply(scan.clone(), x)?[0]));
        check(&[&[2], &[2], &[3, 2]], |g, x| Ok(g.apply(scan.clone(), x)?[1]));
    }

    #[test]
    fn what_cannot_be_a_body() {
        let error = |states: usize, g: Graph| Scan::new(g, states, false).unwrap_err().to_string();
        assert!(error(2, body()).contains("at least one slice"));
        let mut g = Graph::new();
        let _ = g.input("h", Type::f32([2]));
        let x = g.input("x", Type::f32([3]));
        g.output("h", x);
        assert!(error(1, g).contains("another shape"));
        let refused = |op: fn(&mut Graph, ValueId) -> Result<ValueId, GraphError>, problem: &str| {
            let mut g = body();
            let h = g.outputs()[0].1;
            op(&mut g, h).unwrap();
            assert!(error(1, g).contains(problem), "{problem}");
        };
        let dropout = |g: &mut Graph, h| g.apply1(Dropout { rate: 0.5, site: 0, samples: 2 }, &[h]);
        refused(dropout, "the same elements");
        refused(|g, h| g.apply1(BatchSum, &[h]), "sums over the batch");
        let twice = |g: &mut Graph, _| {
            let zeros = g.constant(&[2, 3], vec![0.0; 6]);
            let all = g.constant(&[1, 2, 3], vec![0.0; 6]);
            let weights = [g.parameter("w", &[3, 3])?, g.parameter("b", &[3])?, g.parameter("scale", &[])?];
            let operands = [&[zeros, all], weights.as_slice()].concat();
            Ok(g.apply(Scan::new(body(), 1, false)?, &operands)?[0])
        };
        refused(twice, "holds a loop");
        let loss = |g: &mut Graph, h| {
            let loss = g.sum_all(h)?;
            g.set_loss(loss);
            Ok(loss)
        };
        refused(loss, "has a loss");
    }

    #[test]
    fn operands_that_do_not_fit_are_named() {
        let mut g = Graph::new();
        let h = g.input("h", Type::f32([2, 3]));
        let x = g.input("x", Type::i32([4, 2, 3]));
        let weights = [g.parameter("w", &[3, 3]), g.parameter("b", &[3]), g.parameter("scale", &[])];
        let operands: Vec<ValueId> = [h, x].into_iter().chain(weights.map(Result::unwrap)).collect();
        let error = g.apply(Scan::new(body(), 1, false).unwrap(), &operands).unwrap_err().to_string();
        assert!(error.contains("`x` is I32 [4, 2, 3], but the body wants F32 [4, 2, 3]"), "{error}");
    }

    #[test]
    fn a_gradient_has_none_itself() {
        let mut g = Graph::new();
        let shapes: [&[usize]; 5] = [&[2, 3], &[4, 2, 3], &[3, 3], &[3], &[]];
        let operands: Vec<ValueId> =
            (0..5).map(|i| g.parameter(&format!("p{i}"), shapes[i]).unwrap()).collect();
        let y = g.apply(Scan::new(body(), 1, false).unwrap(), &operands).unwrap()[0];
        let y = g.sum_all(y).unwrap();
        let seed = g.loss_scale();
        let first = gradients_of(&mut g, &[(y, seed)], &operands[..1], false).unwrap()[0][0];
        let first = g.sum_all(first).unwrap();
        let again = gradients_of(&mut g, &[(first, seed)], &operands[2..3], false);
        assert!(matches!(again, Err(GraphError::NoGradient { operation: "scan", .. })));
    }
}
