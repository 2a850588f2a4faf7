//! Reversible instance normalisation.

use bessemer_graph::GraphError;
use bessemer_graph::ops::reduce::Reduction;
use bessemer_graph::ops::unary::Unary;

use crate::init::Init;
use crate::trace::{Trace, Value};

/// Brings every series to mean 0 and deviation 1 over time, and forecasts back to where the series
/// was (RevIN, Kim et al. 2022).
///
/// Values are `[batch, time]`, `[batch, channels, time]` or `[batch, time, channels]`; `time` names
/// the axis. With `affine`, a normalised series is scaled by `affine_weight` and moved by
/// `affine_bias` of its channel, both `[channels]`, and back.
///
/// ```
/// use bessemer_nn::{Trace, layers::RevIn};
///
/// let mut t = Trace::new(4, 4, true);
/// let x = t.input("x", &[3, 96]);
/// let revin = RevIn::new(2);
/// let (normalized, statistics) = revin.normalize(&mut t, x)?;
/// let forecast = t.graph.slice(normalized, 2, 72, 24)?;
/// let forecast = revin.denormalize(&mut t, forecast, &statistics)?;
/// assert_eq!(t.graph.shape(forecast), [4, 3, 24]);
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RevIn {
    /// The axis of time.
    pub time: usize,
    /// Learn a scale and a shift per channel.
    pub affine: bool,
    /// Move the last value to 0 instead of the mean.
    pub subtract_last: bool,
    /// Added to the variance.
    pub eps: f32,
}

/// Where each series was: of the series' shape, with a time axis of length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesStatistics {
    /// What was subtracted: the mean or the last value.
    pub center: Value,
    /// √(variance + eps).
    pub deviation: Value,
}

impl RevIn {
    /// By the mean, not learned, eps 1e-5.
    pub fn new(time: usize) -> RevIn {
        RevIn { time, affine: false, subtract_last: false, eps: 1e-5 }
    }

    /// The normalised series, and what undoes it.
    pub fn normalize(&self, t: &mut Trace, x: Value) -> Result<(Value, SeriesStatistics), GraphError> {
        let length = *t.graph.shape(x).get(self.time).ok_or_else(|| self.problem(t, x))?;
        let mean = t.graph.reduce(x, Reduction::Mean, self.time)?;
        let centered = t.graph.sub(x, mean)?;
        let square = t.apply(Unary::Square, &[centered])?;
        let variance = t.graph.reduce(square, Reduction::Mean, self.time)?;
        let variance = t.graph.add_scalar(variance, self.eps)?;
        let deviation = t.apply(Unary::Sqrt, &[variance])?;
        let (center, moved) = if self.subtract_last {
            let last = t.graph.slice(x, self.time, length - 1, 1)?;
            (last, t.graph.sub(x, last)?)
        } else {
            (mean, centered)
        };
        let mut y = t.graph.div(moved, deviation)?;
        if let Some((weight, bias)) = self.affine(t, x)? {
            y = t.graph.mul(y, weight)?;
            y = t.graph.add(y, bias)?;
        }
        Ok((y, SeriesStatistics { center, deviation }))
    }

    /// Puts normalised values, such as a forecast of any length, back to the series' place.
    pub fn denormalize(
        &self,
        t: &mut Trace,
        mut y: Value,
        statistics: &SeriesStatistics,
    ) -> Result<Value, GraphError> {
        if let Some((weight, bias)) = self.affine(t, y)? {
            let weight = t.graph.add_scalar(weight, self.eps * self.eps)?;
            y = t.graph.sub(y, bias)?;
            y = t.graph.div(y, weight)?;
        }
        let scaled = t.graph.mul(y, statistics.deviation)?;
        t.graph.add(scaled, statistics.center)
    }

    /// Scale and shift, of a shape that broadcasts against x.
    fn affine(&self, t: &mut Trace, x: Value) -> Result<Option<(Value, Value)>, GraphError> {
        if !self.affine {
            return Ok(None);
        }
        let mut shape = t.graph.shape(x).to_vec();
        if !(2..=3).contains(&shape.len()) || !(1..shape.len()).contains(&self.time) {
            return Err(self.problem(t, x));
        }
        shape[0] = 1;
        shape[self.time] = 1;
        let channels = shape.iter().product();
        let weight = t.parameter("affine_weight", &[channels], Init::ONES)?;
        let bias = t.parameter("affine_bias", &[channels], Init::ZEROS)?;
        Ok(Some((t.graph.reshape(weight, &shape)?, t.graph.reshape(bias, &shape)?)))
    }

    fn problem(&self, t: &Trace, x: Value) -> GraphError {
        GraphError::Shape {
            operation: "revin",
            scope: t.graph.scope(),
            problem: format!("time is axis {}, but the shape is {:?}", self.time, t.graph.shape(x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;
    use bessemer_graph::{Bindings, Parameter, Tensor, evaluate};

    #[test]
    fn gradients() {
        for (affine, subtract_last) in [(false, false), (true, false), (true, true)] {
            let revin = RevIn { affine, subtract_last, ..RevIn::new(2) };
            check(2, &[&[2, 3, 5]], |t, x| Ok(revin.normalize(t, x[0])?.0));
        }
        // Back again, from a forecast that has a gradient of its own.
        check(2, &[&[2, 5, 3], &[2, 2, 3]], |t, x| {
            let (_, statistics) = RevIn::new(1).normalize(t, x[0])?;
            RevIn::new(1).denormalize(t, x[1], &statistics)
        });
    }

    #[test]
    fn a_normalised_series_comes_back() {
        for (time, subtract_last, affine) in [(1, false, false), (2, false, true), (1, true, true)] {
            let revin = RevIn { subtract_last, affine, ..RevIn::new(time) };
            let mut t = Trace::new(2, 2, false);
            let x = t.input("x", &[4, 3]);
            let (normalized, statistics) = revin.normalize(&mut t, x).unwrap();
            let mean = t.graph.reduce(normalized, Reduction::Mean, time).unwrap();
            let back = revin.denormalize(&mut t, normalized, &statistics).unwrap();
            let series = Tensor::from_fn([2, 4, 3], |i| (i[0] * 7 + i[1] * i[1] + 2 * i[2]) as f64);
            let learned = |p: &Parameter| Tensor::from_fn(p.shape.clone(), |i| 0.5 + i[0] as f64);
            let parameters = t.graph.parameters().iter().map(learned).collect();
            let bindings = Bindings { inputs: vec![series.clone()], parameters, ..Default::default() };
            let values = evaluate(&t.graph, &bindings);
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-7);
            assert!(close(&values[back.index()].data, &series.data));
            let is_centered = close(&values[mean.index()].data, &[0.0; 8]);
            assert_eq!(is_centered, !subtract_last && !affine);
        }
    }
}
