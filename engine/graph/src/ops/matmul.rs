//! Matrix product.

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::operation::Operation;
use crate::ops::reshape::Reshape;
use crate::shape::Type;
use crate::tensor::Tensor;

/// The product of the last two axes, either operand transposed on the way.
///
/// `a` is `[.., m, k]` (or `[.., k, m]` transposed); `b` is `[k, n]`, shared by all of `a`'s rows, or
/// has the same leading axes as `a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMul {
    /// `a` is stored as `[.., k, m]`.
    pub transpose_a: bool,
    /// `b` is stored as `[.., n, k]`.
    pub transpose_b: bool,
}

/// The product's sizes: batches, m, n, k.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Number of independent products.
    pub batch: usize,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// `b` is one matrix for all products.
    pub shared: bool,
}

impl MatMul {
    /// Sizes of the product of two shapes, rows of a shared product folded into one.
    pub fn sizes(&self, a: &[usize], b: &[usize]) -> Result<Sizes, String> {
        let problem = || {
            let t = |t: bool| if t { "ᵀ" } else { "" };
            format!("can't multiply {a:?}{} by {b:?}{}", t(self.transpose_a), t(self.transpose_b))
        };
        if a.len() < 2 || b.len() < 2 {
            return Err(problem());
        }
        let (a_lead, a_last) = a.split_at(a.len() - 2);
        let (b_lead, b_last) = b.split_at(b.len() - 2);
        let (m, ka) = if self.transpose_a { (a_last[1], a_last[0]) } else { (a_last[0], a_last[1]) };
        let (kb, n) = if self.transpose_b { (b_last[1], b_last[0]) } else { (b_last[0], b_last[1]) };
        let shared = b_lead.is_empty();
        if ka != kb || !(shared || a_lead == b_lead) || (shared && self.transpose_a && !a_lead.is_empty()) {
            return Err(problem());
        }
        let batch = a_lead.iter().product();
        match shared {
            true => Ok(Sizes { batch: 1, m: batch * m, n, k: ka, shared }),
            false => Ok(Sizes { batch, m, n, k: ka, shared }),
        }
    }
}

impl Operation for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [a, b] = inputs else { return Err("wants two operands".into()) };
        self.sizes(&a.shape, &b.shape)?;
        let mut shape = a.shape[..a.shape.len() - 2].to_vec();
        shape.push(a.shape[a.shape.len() - if self.transpose_a { 1 } else { 2 }]);
        shape.push(b.shape[b.shape.len() - if self.transpose_b { 2 } else { 1 }]);
        Ok(vec![Type::f32(shape)])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape).expect("inferred");
        2.0 * (s.batch * s.m) as f64 * s.n as f64 * s.k as f64
    }

    fn gradient(&self, back: &mut Backward) -> Result<bool, GraphError> {
        let (a, b, dy) = (back.inputs[0], back.inputs[1], back.grad());
        let (a_shape, b_shape) = (back.graph.shape(a).to_vec(), back.graph.shape(b).to_vec());
        let product = |ta, tb| MatMul { transpose_a: ta, transpose_b: tb };
        if back.needs(0) {
            let da = match self.transpose_a {
                false => back.apply(product(false, !self.transpose_b), &[dy, b])?,
                true => back.apply(product(self.transpose_b, true), &[b, dy])?,
            };
            back.give(0, da);
        }
        if back.needs(1) {
            // A shared right operand sums over every row of the left one.
            let (mut a, mut dy) = (a, dy);
            if b_shape.len() == 2 && a_shape.len() > 2 {
                let flat = |s: &[usize]| vec![s[..s.len() - 1].iter().product(), s[s.len() - 1]];
                a = back.apply(Reshape { shape: flat(&a_shape) }, &[a])?;
                let dy_shape = flat(back.graph.shape(dy));
                dy = back.apply(Reshape { shape: dy_shape }, &[dy])?;
            }
            let db = match self.transpose_b {
                false => back.apply(product(!self.transpose_a, false), &[a, dy])?,
                true => back.apply(product(true, self.transpose_a), &[dy, a])?,
            };
            back.give(1, db);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [a, b] = inputs else { unreachable!("inferred") };
        let s = self.sizes(&a.shape, &b.shape).expect("inferred");
        let mut data = vec![0.0; s.batch * s.m * s.n];
        for batch in 0..s.batch {
            let (a, b) = (&a.data[batch * s.m * s.k..], &b.data[batch * s.k * s.n..]);
            for i in 0..s.m {
                for j in 0..s.n {
                    let term = |p: usize| {
                        let x = if self.transpose_a { a[p * s.m + i] } else { a[i * s.k + p] };
                        let y = if self.transpose_b { b[j * s.k + p] } else { b[p * s.n + j] };
                        x * y
                    };
                    data[(batch * s.m + i) * s.n + j] = (0..s.k).map(term).sum();
                }
            }
        }
        let types: Vec<Type> = inputs.iter().map(|t| Type::f32(t.shape.clone())).collect();
        vec![Tensor::new(self.infer(&types).expect("inferred")[0].shape.clone(), data)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients_in_every_orientation() {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            let op = MatMul { transpose_a: ta, transpose_b: tb };
            let a: &[usize] = if ta { &[3, 2] } else { &[2, 3] };
            let b: &[usize] = if tb { &[4, 3] } else { &[3, 4] };
            check(&[a, b], |g, x| g.apply1(op, x));
            let (a, b) = ([&[2], a].concat(), [&[2], b].concat());
            check(&[&a, &b], |g, x| g.apply1(op, x));
            if !ta {
                check(&[&a, &b[1..]], |g, x| g.apply1(op, x));
            }
        }
    }
}
