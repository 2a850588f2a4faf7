//! Shorthands for building graphs by hand.

use crate::error::GraphError;
use crate::graph::{Graph, ValueId};
use crate::ops::binary::Binary;
use crate::ops::broadcast_to::BroadcastTo;
use crate::ops::linear::Linear;
use crate::ops::matmul::MatMul;
use crate::ops::permute::Permute;
use crate::ops::reduce::{Reduce, Reduction, sum_to};
use crate::ops::reshape::Reshape;
use crate::ops::slice::Slice;
use crate::ops::wave_packets::WavePackets;

type Built = Result<ValueId, GraphError>;

impl Graph {
    /// a + b, broadcast.
    pub fn add(&mut self, a: ValueId, b: ValueId) -> Built {
        self.apply1(Binary::Add, &[a, b])
    }

    /// a - b, broadcast.
    pub fn sub(&mut self, a: ValueId, b: ValueId) -> Built {
        self.apply1(Binary::Sub, &[a, b])
    }

    /// a · b element by element, broadcast.
    pub fn mul(&mut self, a: ValueId, b: ValueId) -> Built {
        self.apply1(Binary::Mul, &[a, b])
    }

    /// a / b, broadcast.
    pub fn div(&mut self, a: ValueId, b: ValueId) -> Built {
        self.apply1(Binary::Div, &[a, b])
    }

    /// x times a number.
    pub fn scale(&mut self, x: ValueId, factor: f32) -> Built {
        let factor = self.scalar(factor);
        self.mul(x, factor)
    }

    /// x plus a number.
    pub fn add_scalar(&mut self, x: ValueId, term: f32) -> Built {
        let term = self.scalar(term);
        self.add(x, term)
    }

    /// The matrix product of the last two axes.
    pub fn matmul(&mut self, a: ValueId, b: ValueId) -> Built {
        self.apply1(MatMul { transpose_a: false, transpose_b: false }, &[a, b])
    }

    /// x·Wᵀ, with a bias if there is one.
    pub fn linear(&mut self, x: ValueId, weight: ValueId, bias: Option<ValueId>) -> Built {
        let op = Linear { bias: bias.is_some(), ..Linear::BIASED };
        let inputs: Vec<ValueId> = [x, weight].into_iter().chain(bias).collect();
        self.apply1(op, &inputs)
    }

    /// Sums of waves `packets` `[rows, W]` at points `[N, axes]`, each output's weighed by `head` `[m, W]`: y
    /// `[N, m]`, and as many derivatives along the axes `[N, m, axes]` as asked for. See [`WavePackets`].
    ///
    /// ```
    /// use bessemer_graph::ops::wave_packets::{Form, WavePackets};
    /// use bessemer_graph::{Graph, Type};
    ///
    /// let mut g = Graph::new();
    /// let form = Form::Packet { axes: 1, chirp: false, moving: false };
    /// let points = g.input("points", Type::f32([1000, 1]));
    /// let packets = g.parameter("packets", &[form.rows().len(), 16])?;
    /// let head = g.parameter("head", &[1, 16])?;
    /// let y = g.wave_packets(points, packets, head, WavePackets { form, order: 1 })?;
    /// assert_eq!(y.len(), 2);
    /// assert_eq!(g.shape(y[1]), [1000, 1, 1]);
    /// # Ok::<(), bessemer_graph::GraphError>(())
    /// ```
    pub fn wave_packets(
        &mut self,
        points: ValueId,
        packets: ValueId,
        head: ValueId,
        op: WavePackets,
    ) -> Result<Vec<ValueId>, GraphError> {
        let mut outputs = self.apply(op, &[points, packets, head])?;
        outputs.truncate(op.order + 1);
        Ok(outputs)
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: ValueId, shape: &[usize]) -> Built {
        if self.shape(x) == shape {
            return Ok(x);
        }
        self.apply1(Reshape { shape: shape.to_vec() }, &[x])
    }

    /// Reorders axes.
    pub fn permute(&mut self, x: ValueId, axes: &[usize]) -> Built {
        self.apply1(Permute { axes: axes.to_vec() }, &[x])
    }

    /// Positions `start..start + len` of an axis.
    pub fn slice(&mut self, x: ValueId, axis: usize, start: usize, len: usize) -> Built {
        self.apply1(Slice { axis, start, len }, &[x])
    }

    /// Repeats axes of length 1 up to a shape.
    pub fn broadcast_to(&mut self, x: ValueId, shape: &[usize]) -> Built {
        if self.shape(x) == shape {
            return Ok(x);
        }
        self.apply1(BroadcastTo { shape: shape.to_vec() }, &[x])
    }

    /// Reduces one axis to length 1.
    pub fn reduce(&mut self, x: ValueId, reduction: Reduction, axis: usize) -> Built {
        self.apply1(Reduce { reduction, first: axis, last: axis + 1 }, &[x])
    }

    /// The sum of all elements, a scalar.
    pub fn sum_all(&mut self, x: ValueId) -> Built {
        let last = self.shape(x).len();
        let sum = self.apply1(Reduce { reduction: Reduction::Sum, first: 0, last }, &[x])?;
        self.reshape(sum, &[])
    }

    /// Sums over the axes along which a value of shape `target` was broadcast to `x`'s.
    pub fn sum_to(&mut self, x: ValueId, target: &[usize]) -> Built {
        sum_to(self, x, target)
    }
}
