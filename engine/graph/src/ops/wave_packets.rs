//! Sums of wave packets at points, with derivatives along the points' axes.

mod definition;

use crate::differentiate::Backward;
use crate::error::GraphError;
use crate::graph::ValueId;
use crate::operation::Operation;
use crate::ops::binary::Binary;
use crate::ops::reduce::{Reduce, Reduction};
use crate::ops::reshape::Reshape;
use crate::shape::Type;
use crate::tensor::Tensor;

/// The most axes of points.
pub const MAX_AXES: usize = 8;

/// What a wave psi is, and so what the rows of `packets` are: see [`Form::rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A cos(k·x - omega t) exp(-½ Σ ((x_i - v_i t) / sigma)²) sin(phi + epsilon cos(lambda·x)) at points
    /// (x_1, …, x_space, t), with sigma = exp(log_sigma) shared by all axes. Nothing in it is a centre: at
    /// t = 0 every envelope is around the origin, and neither omega nor v has a gradient.
    Faithful {
        /// Axes of space, 1 to 7.
        space: usize,
    },
    /// cos(phase + Σ k_i u_i + Σ beta_i u_i²) exp(-½ Σ (u_i / exp(log_width_i))²) with u_i = x_i - c_i: Gabor's
    /// elementary signal (1946), or the chirplet of Mann & Haykin (1995). Where it moves, the last axis is
    /// time, and u_i = x_i - c_i - v_i (t - c_t) on the others. It has no amplitude: the head is that.
    Packet {
        /// Axes, 1 to 8, or from 2 on if it moves.
        axes: usize,
        /// There is a quadratic phase, beta.
        chirp: bool,
        /// The centre moves along the last axis.
        moving: bool,
    },
}

impl Form {
    /// Axes of a point.
    pub fn axes(self) -> usize {
        match self {
            Form::Faithful { space } => space + 1,
            Form::Packet { axes, .. } => axes,
        }
    }

    /// Names of the rows of `packets`, in order.
    ///
    /// ```
    /// use bessemer_graph::ops::wave_packets::Form;
    ///
    /// let rows = Form::Faithful { space: 1 }.rows();
    /// assert_eq!(rows, ["A", "k.0", "omega", "v.0", "log_sigma", "phi", "epsilon", "lambda.0"]);
    /// let rows = Form::Packet { axes: 2, chirp: true, moving: true }.rows();
    /// assert_eq!(rows[..7], ["centre.0", "centre.1", "log_width.0", "log_width.1", "k.0", "k.1", "phase"]);
    /// assert_eq!(rows[7..], ["beta.0", "beta.1", "v.0"]);
    /// ```
    pub fn rows(self) -> Vec<String> {
        let groups = match self {
            Form::Faithful { space } => vec![
                ("A", None),
                ("k", Some(space)),
                ("omega", None),
                ("v", Some(space)),
                ("log_sigma", None),
                ("phi", None),
                ("epsilon", None),
                ("lambda", Some(space)),
            ],
            Form::Packet { axes, chirp, moving } => vec![
                ("centre", Some(axes)),
                ("log_width", Some(axes)),
                ("k", Some(axes)),
                ("phase", None),
                ("beta", Some(if chirp { axes } else { 0 })),
                ("v", Some(if moving { axes.saturating_sub(1) } else { 0 })),
            ],
        };
        let named = |(name, count): (&str, Option<usize>)| match count {
            None => vec![name.to_string()],
            Some(count) => (0..count).map(|i| format!("{name}.{i}")).collect(),
        };
        groups.into_iter().flat_map(named).collect()
    }

    /// What is wrong with it, if its axes are more or fewer than can be had. What comes from outside is checked
    /// before [`Form::rows`] makes a list of its length.
    pub fn check(self) -> Result<(), String> {
        let problem = match self {
            Form::Faithful { space } if !(1..MAX_AXES).contains(&space) => {
                format!("{space} axes of space; 1 to {} can be had", MAX_AXES - 1)
            }
            Form::Packet { axes, .. } if !(1..=MAX_AXES).contains(&axes) => {
                format!("{axes} axes; 1 to {MAX_AXES} can be had")
            }
            Form::Packet { axes: 1, moving: true, .. } => {
                "a packet of 1 axis can't move along it; give points a second axis, time".into()
            }
            _ => return Ok(()),
        };
        Err(problem)
    }
}

/// y\[n, o\] = Σ_w head\[o, w\] psi_w(x_n), and, as asked for, its derivatives along the axes.
///
/// Inputs points `[N, axes]`, packets `[rows, W]`, head `[m, W]`. Outputs y `[N, m]`; from `order` 1 on ∂y/∂x_i
/// `[N, m, axes]`; at `order` 2 ∂²y/∂x_i² `[N, m, axes]`; and last what the gradient's kernel reads, in that
/// kernel's own order and meaningless to anybody else.
///
/// Packets and head have gradients through all outputs, so that losses may hold derivatives, as those of
/// physics-informed networks do (Raissi, Perdikaris & Karniadakis 2019). Points have them through y only:
/// through the derivatives they would need mixed ones, and are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavePackets {
    /// What a wave is.
    pub form: Form,
    /// Derivatives to give: 0, 1 or 2.
    pub order: usize,
}

/// Gradient of [`WavePackets`]: inputs points, packets, head, what the last output holds, and the gradients of
/// those outputs that have one; outputs dpackets, dhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavePacketsGrad {
    /// The operation whose gradient it is.
    pub of: WavePackets,
    /// Of y and its derivatives, those whose gradients are given.
    pub given: [bool; 3],
}

/// Operations of a sine with its cosine, and of an envelope from the sum of squares, as the kernels do them.
const SIN_COS_FLOPS: f64 = 30.0;
const ENVELOPE_FLOPS: f64 = 17.0;

impl WavePackets {
    /// Numbers that the gradient's kernel wants of a point and wave.
    fn kept(&self) -> usize {
        match self.form {
            Form::Faithful { .. } => 5 + usize::from(self.order > 0),
            Form::Packet { .. } => 2,
        }
    }

    /// Operations at one point for one wave.
    fn point_flops(&self, outputs: usize) -> f64 {
        let (axes, order) = (self.form.axes() as f64, self.order as f64);
        let (value, slopes, first, second) = match self.form {
            Form::Faithful { .. } => {
                (8.0 * (axes - 1.0) + 9.0 + 3.0 * SIN_COS_FLOPS + ENVELOPE_FLOPS, 7.0, 5.0, 20.0)
            }
            Form::Packet { chirp, moving, .. } => {
                let axis = 6.0 + 2.0 * f64::from(chirp) + 2.0 * f64::from(moving);
                (axis * axes + 3.0 + SIN_COS_FLOPS + ENVELOPE_FLOPS, 9.0, 3.0, 10.0)
            }
        };
        let axis = match self.order {
            0 => 0.0,
            1 => slopes + first,
            _ => slopes + first + second,
        };
        value + axes * axis + 2.0 * outputs as f64 * (1.0 + order * axes)
    }

    /// The same of the gradient.
    fn point_grad_flops(&self, outputs: usize) -> f64 {
        let (axes, order) = (self.form.axes() as f64, self.order as f64);
        let (value, first, second) = match self.form {
            Form::Faithful { .. } => (10.0 * (axes - 1.0) + 14.0, 36.0, 50.0),
            Form::Packet { chirp, moving, .. } => {
                let axis = 13.0 + 2.0 * f64::from(chirp) + 5.0 * f64::from(moving);
                (axis * axes + 4.0, 30.0, 25.0)
            }
        };
        let axis = match self.order {
            0 => 0.0,
            1 => first,
            _ => first + second,
        };
        // Of several outputs, gradients are weighed before, and the head's are products of their own.
        let several = if outputs > 1 { 4.0 * outputs as f64 * (1.0 + order * axes) } else { 0.0 };
        value + axes * axis + several
    }

    /// Each wave's numbers, by row.
    fn wave(packets: &Tensor, wave: usize) -> Vec<f64> {
        packets.rows().map(|row| row[wave]).collect()
    }
}

impl Operation for WavePackets {
    fn name(&self) -> &'static str {
        "wave_packets"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        self.form.check()?;
        if self.order > 2 {
            return Err(format!("derivatives of order {}; 0, 1 and 2 can be had", self.order));
        }
        let (axes, rows) = (self.form.axes(), self.form.rows().len());
        let problem = || {
            Err(format!(
                "{:?} wants points [N, {axes}], packets [{rows}, W] and head [m, W], none of them empty, got {inputs:?}",
                self.form
            ))
        };
        let [points, packets, head] = inputs else { return problem() };
        let (&[n, d], &[p, w], &[m, head_w]) = (&points.shape[..], &packets.shape[..], &head.shape[..])
        else {
            return problem();
        };
        if d != axes || p != rows || head_w != w || [n, w, m].contains(&0) {
            return problem();
        }
        let mut outputs = vec![Type::f32([n, m])];
        outputs.extend((0..self.order).map(|_| Type::f32([n, m, axes])));
        // With room for rows that begin where the widest vectors do and hold whole pairs of these.
        outputs.push(Type::f32([axes + w * self.kept(), n + 31]));
        Ok(outputs)
    }

    fn flops(&self, inputs: &[Type], outputs: &[Type]) -> f64 {
        let waves = (inputs[1].last() * outputs[0].rows()) as f64;
        waves * self.point_flops(outputs[0].last())
    }

    fn gradient(&self, b: &mut Backward) -> Result<bool, GraphError> {
        let (points, packets, head) = (b.inputs[0], b.inputs[1], b.inputs[2]);
        let grads: Vec<Option<ValueId>> = b.output_grads[..=self.order].to_vec();
        if b.needs(0) {
            if grads[1..].iter().any(Option::is_some) {
                return Err(GraphError::Shape {
                    operation: self.name(),
                    scope: b.graph.scope(),
                    problem:
                        "derivatives along the axes have no gradient by the points; let the points depend on \
                              no parameter, or the loss on y alone"
                            .into(),
                });
            }
            // Σ_o dy[n, o] ∂y[n, o]/∂x_i
            let dy = b.grad();
            let first = match self.order {
                0 => b.graph.apply(WavePackets { order: 1, ..*self }, b.inputs)?[1],
                _ => b.outputs[1],
            };
            let shape = b.graph.shape(first).to_vec();
            let dy = b.apply(Reshape { shape: vec![shape[0], shape[1], 1] }, &[dy])?;
            let terms = b.apply(Binary::Mul, &[dy, first])?;
            let sum = b.apply(Reduce { reduction: Reduction::Sum, first: 1, last: 2 }, &[terms])?;
            let sum = b.apply(Reshape { shape: vec![shape[0], shape[2]] }, &[sum])?;
            b.give(0, sum);
        }
        if b.needs(1) || b.needs(2) {
            let mut given = [false; 3];
            for (given, grad) in given.iter_mut().zip(&grads) {
                *given = grad.is_some();
            }
            let kept = b.outputs[self.order + 1];
            let inputs: Vec<ValueId> =
                [points, packets, head, kept].into_iter().chain(grads.into_iter().flatten()).collect();
            let result = b.graph.apply(WavePacketsGrad { of: *self, given }, &inputs)?;
            b.give(1, result[0]);
            b.give(2, result[1]);
        }
        Ok(true)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [points, packets, head] = inputs else { unreachable!("inferred") };
        let ((n, axes), (m, waves)) = (points.matrix(), head.matrix());
        let mut outputs = vec![Tensor::full([n, m], 0.0)];
        outputs.extend((0..self.order).map(|_| Tensor::full([n, m, axes], 0.0)));
        for w in 0..waves {
            let rows = WavePackets::wave(packets, w);
            for (point, x) in points.rows().enumerate() {
                let jet = definition::jet(self.form, self.order, &rows, None, x);
                for o in 0..m {
                    let (row, factor) = (point * m + o, head.data[o * waves + w]);
                    outputs[0].data[row] += factor * jet[0];
                    for (i, value) in jet[1..].iter().enumerate() {
                        outputs[1 + i / axes].data[row * axes + i % axes] += factor * value;
                    }
                }
            }
        }
        // The definition needs nothing of what kernels keep.
        outputs.push(Tensor::full([axes + waves * self.kept(), n + 31], 0.0));
        outputs
    }
}

impl Operation for WavePacketsGrad {
    fn name(&self) -> &'static str {
        "wave_packets_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let given = self.given.iter().filter(|given| **given).count();
        if inputs.len() != 4 + given {
            return Err(format!("wants points, packets, head, kept and {given} gradients, got {inputs:?}"));
        }
        Ok(vec![inputs[1].clone(), inputs[2].clone()])
    }

    fn flops(&self, inputs: &[Type], _: &[Type]) -> f64 {
        let waves = (inputs[1].last() * inputs[0].rows()) as f64;
        waves * self.of.point_grad_flops(inputs[2].rows())
    }

    fn gradient(&self, _: &mut Backward) -> Result<bool, GraphError> {
        Ok(false)
    }

    fn reference(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (points, packets, head) = (inputs[0], inputs[1], inputs[2]);
        let ((n, axes), (m, waves)) = (points.matrix(), head.matrix());
        let mut rest = inputs[4..].iter();
        let given = self.given.map(|given| given.then(|| rest.next().expect("inferred")));
        // What the gradients weigh the i-th number of a wave's jet with, in output o at a point.
        let weight = |point: usize, o: usize, i: usize| -> f64 {
            let row = point * m + o;
            match i.checked_sub(1) {
                None => given[0].map_or(0.0, |g| g.data[row]),
                Some(i) => given[1 + i / axes].map_or(0.0, |g| g.data[row * axes + i % axes]),
            }
        };
        let mut dpackets = Tensor::full(packets.shape.clone(), 0.0);
        let mut dhead = Tensor::full(head.shape.clone(), 0.0);
        for w in 0..waves {
            let rows = WavePackets::wave(packets, w);
            for (point, x) in points.rows().enumerate().take(n) {
                let jet = definition::jet(self.of.form, self.of.order, &rows, None, x);
                for o in 0..m {
                    dhead.data[o * waves + w] +=
                        jet.iter().enumerate().map(|(i, value)| weight(point, o, i) * value).sum::<f64>();
                }
                for row in 0..rows.len() {
                    let slope = definition::jet(self.of.form, self.of.order, &rows, Some(row), x);
                    for (i, slope) in slope.iter().enumerate() {
                        let sum: f64 = (0..m).map(|o| weight(point, o, i) * head.data[o * waves + w]).sum();
                        dpackets.data[row * waves + w] += sum * slope;
                    }
                }
            }
        }
        vec![dpackets, dhead]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use crate::{Graph, gradients_of};

    fn forms() -> Vec<Form> {
        let packets =
            [(1, false, false), (1, true, false), (2, false, true), (3, true, false), (3, true, true)];
        let packets = packets.map(|(axes, chirp, moving)| Form::Packet { axes, chirp, moving });
        [Form::Faithful { space: 1 }, Form::Faithful { space: 3 }].into_iter().chain(packets).collect()
    }

    /// All that is given at each order, multiplied so that every part's gradient matters.
    #[test]
    fn gradients() {
        for form in forms() {
            for order in 0..3 {
                let (axes, rows) = (form.axes(), form.rows().len());
                check(&[&[rows, 2], &[2, 2]], |g, x| {
                    let numbers = (0..3 * axes).map(|i| 0.4 * i as f32 - 0.9).collect::<Vec<_>>();
                    let points = g.constant(&[3, axes], numbers);
                    let y = g.wave_packets(points, x[0], x[1], WavePackets { form, order })?;
                    let mut sum = g.reshape(y[0], &[3, 2, 1])?;
                    for part in &y[1..] {
                        sum = g.add(sum, *part)?;
                    }
                    g.mul(sum, sum)
                });
            }
        }
    }

    #[test]
    fn points_have_a_gradient_through_the_value() {
        for form in forms() {
            for order in 0..2 {
                check(&[&[3, form.axes()], &[form.rows().len(), 2], &[2, 2]], |g, x| {
                    Ok(g.wave_packets(x[0], x[1], x[2], WavePackets { form, order })?[0])
                });
            }
        }
    }

    /// Only a derivative is read, so that the other outputs have no gradient.
    #[test]
    fn a_derivative_alone_has_a_gradient() {
        let form = Form::Faithful { space: 1 };
        check(&[&[8, 2], &[1, 2]], |g, x| {
            let points = g.constant(&[2, 2], vec![0.3, -0.2, 0.9, 0.4]);
            Ok(g.wave_packets(points, x[0], x[1], WavePackets { form, order: 2 })?[2])
        });
    }

    #[test]
    fn points_have_none_through_derivatives() {
        let mut g = Graph::new();
        let form = Form::Packet { axes: 2, chirp: false, moving: false };
        let points = g.parameter("points", &[3, 2]).unwrap();
        let packets = g.parameter("packets", &[7, 4]).unwrap();
        let head = g.parameter("head", &[1, 4]).unwrap();
        let y = g.wave_packets(points, packets, head, WavePackets { form, order: 1 }).unwrap();
        let loss = g.sum_all(y[1]).unwrap();
        let seed = g.loss_scale();
        let error = gradients_of(&mut g, &[(loss, seed)], &[points], false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "wave_packets at ``: derivatives along the axes have no gradient by the points; let the points \
             depend on no parameter, or the loss on y alone"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |form: Form, order, points: &[usize], packets: &[usize], head: &[usize]| {
            let types = [points, packets, head].map(Type::f32);
            WavePackets { form, order }.infer(&types).unwrap_err()
        };
        let packet = |axes, moving| Form::Packet { axes, chirp: false, moving };
        let still = packet(2, false);
        let cases = [
            (refusal(Form::Faithful { space: 8 }, 0, &[3, 9], &[29, 2], &[1, 2]), "8 axes of space; 1 to 7"),
            (refusal(packet(0, false), 0, &[3, 0], &[1, 2], &[1, 2]), "0 axes; 1 to 8"),
            (refusal(packet(usize::MAX, false), 0, &[3, 9], &[28, 2], &[1, 2]), "axes; 1 to 8"),
            (refusal(packet(1, true), 0, &[3, 1], &[4, 2], &[1, 2]), "give points a second axis"),
            (refusal(still, 3, &[3, 2], &[7, 2], &[1, 2]), "order 3; 0, 1 and 2"),
            (refusal(still, 0, &[3, 2], &[8, 2], &[1, 2]), "wants points [N, 2], packets [7, W]"),
            (refusal(still, 0, &[3, 2], &[7, 2], &[1, 3]), "head [m, W]"),
            (refusal(still, 0, &[3, 3], &[7, 2], &[1, 2]), "wants points [N, 2]"),
            (refusal(still, 0, &[3, 2], &[7, 0], &[1, 0]), "none of them empty"),
        ];
        for (message, part) in cases {
            assert!(message.contains(part), "{message:?} has no {part:?}");
        }
    }
}
