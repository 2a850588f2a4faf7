//! Batch normalisation.

use bessemer_graph::GraphError;
use bessemer_graph::ops::batch_moments::BatchMoments;
use bessemer_graph::ops::unary::Unary;

use crate::init::Init;
use crate::trace::{Trace, Value};

/// (x - mean) / √(variance + eps) · weight + bias for every channel (Ioffe & Szegedy 2015), with
/// PyTorch's conventions.
///
/// In training the statistics are those of the whole batch, however it is divided into
/// micro-batches, and the running ones follow: `running = (1 - momentum) running + momentum now`,
/// where the variance kept is the unbiased one. Otherwise the running ones are used. `weight` and
/// `running_var` start at 1, `bias` and `running_mean` at 0; all are `[channels]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm1d {
    /// Length of axis 1.
    pub channels: usize,
    /// Added to the variance.
    pub eps: f32,
    /// Share of a batch in the running statistics.
    pub momentum: f32,
}

impl BatchNorm1d {
    /// With eps 1e-5 and momentum 0.1, as in PyTorch.
    pub fn new(channels: usize) -> BatchNorm1d {
        BatchNorm1d { channels, eps: 1e-5, momentum: 0.1 }
    }

    /// `[batch, channels]` or `[batch, channels, length]`; the shape stays. The first axis is a
    /// multiple of the micro-batch's samples.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let shape = t.graph.shape(x).to_vec();
        if !(2..=3).contains(&shape.len()) || shape[1] != self.channels {
            return Err(self.problem(
                t,
                format!("wants [batch, {}] or [batch, {0}, length], got {shape:?}", self.channels),
            ));
        }
        // Of the shape that broadcasts against x.
        let per_channel = [&[1, self.channels], &vec![1; shape.len() - 2][..]].concat();
        let weight = self.parameter(t, "weight", Init::ONES, &per_channel)?;
        let bias = self.parameter(t, "bias", Init::ZEROS, &per_channel)?;
        let running_mean = t.buffer("running_mean", &[self.channels], Init::ZEROS)?;
        let running_var = t.buffer("running_var", &[self.channels], Init::ONES)?;

        let (centered, variance);
        if t.is_training() {
            let count = shape.iter().product::<usize>() / self.channels / t.samples() * t.batch();
            if count < 2 {
                return Err(self.problem(t, "training wants more than one value per channel".into()));
            }
            let moments = t.graph.apply(BatchMoments { count }, &[x])?;
            let unbiased = t.graph.scale(moments[1], count as f32 / (count - 1) as f32)?;
            self.follow(t, running_mean, moments[0])?;
            self.follow(t, running_var, unbiased)?;
            let mean = t.graph.reshape(moments[0], &per_channel)?;
            centered = t.graph.sub(x, mean)?;
            variance = t.graph.reshape(moments[1], &per_channel)?;
        } else {
            let mean = t.graph.reshape(running_mean, &per_channel)?;
            centered = t.graph.sub(x, mean)?;
            variance = t.graph.reshape(running_var, &per_channel)?;
        }
        let variance = t.graph.add_scalar(variance, self.eps)?;
        let factor = t.apply(Unary::Rsqrt, &[variance])?;
        let factor = t.graph.mul(factor, weight)?;
        let scaled = t.graph.mul(centered, factor)?;
        t.graph.add(scaled, bias)
    }

    fn parameter(&self, t: &mut Trace, name: &str, init: Init, shape: &[usize]) -> Result<Value, GraphError> {
        let value = t.parameter(name, &[self.channels], init)?;
        t.graph.reshape(value, shape)
    }

    /// Moves a running statistic towards the batch's.
    fn follow(&self, t: &mut Trace, running: Value, now: Value) -> Result<(), GraphError> {
        let kept = t.graph.scale(running, 1.0 - self.momentum)?;
        let step = t.graph.scale(now, self.momentum)?;
        let moved = t.graph.add(kept, step)?;
        t.graph.update_buffer(running, moved);
        Ok(())
    }

    fn problem(&self, t: &Trace, problem: String) -> GraphError {
        GraphError::Shape { operation: "batch_norm1d", scope: t.graph.scope(), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        check(4, &[&[4, 3]], |t, x| BatchNorm1d::new(3).forward(t, x[0]));
        check(2, &[&[2, 3, 4]], |t, x| BatchNorm1d::new(3).forward(t, x[0]));
        check(2, &[&[6, 3]], |t, x| BatchNorm1d::new(3).forward(t, x[0]));
    }

    #[test]
    fn one_value_per_channel_has_no_variance() {
        let mut t = Trace::new(1, 1, true);
        let x = t.input("x", &[3]);
        let error = t.scope("norm", |t| BatchNorm1d::new(3).forward(t, x)).unwrap_err();
        assert!(error.to_string().contains("more than one value per channel"), "{error}");
    }
}
