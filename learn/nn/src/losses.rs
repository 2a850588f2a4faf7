//! Losses, as sums over a micro-batch: the step divides by the number of elements that count.

use bessemer_graph::GraphError;
use bessemer_graph::ops::batch_sum::BatchSum;
use bessemer_graph::ops::binary::Binary;
use bessemer_graph::ops::cross_entropy::CrossEntropy;
use bessemer_graph::ops::select::Select;
use bessemer_graph::ops::unary::Unary;
use serde::{Deserialize, Serialize};

use crate::trace::{Trace, Value};

/// Targets smaller than this count as this in percentage errors.
const SMALLEST_TARGET: f32 = 1e-6;
/// Mean squares smaller than this have no gradient in [`Loss::Rmse`].
const SMALLEST_MEAN_SQUARE: f32 = 1e-24;

/// What training minimises. p is the prediction, y the target, and the mean is over all elements,
/// weighted if there are weights.
///
/// ```
/// use bessemer_nn::{Loss, Trace};
///
/// let mut t = Trace::new(8, 32, true);
/// let prediction = t.input("prediction", &[24]);
/// let target = t.input("target", &[24]);
/// let loss = Loss::Huber { delta: 1.0 }.sum(&mut t, prediction, target, None)?;
/// t.graph.set_loss(loss); // the step's loss scale is 1 / (32 · 24)
/// # Ok::<(), bessemer_nn::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean squared error: mean of (p - y)².
    #[default]
    Mse,
    /// Mean absolute error: mean of |p - y|.
    Mae,
    /// Root of the mean squared error of the whole batch: √(mean of (p - y)²).
    Rmse,
    /// (p - y)² / 2 up to `delta`, and on from there by the tangent: delta (|p - y| - delta / 2)
    /// (Huber 1964).
    Huber {
        /// Error from which the loss grows linearly.
        delta: f32,
    },
    /// Mean absolute percentage error, as a fraction: mean of |p - y| / |y|, where targets smaller
    /// than 1e-6 count as 1e-6.
    Mape,
    /// Symmetric mean absolute percentage error, in [0, 2]: mean of 2 |p - y| / (|p| + |y|); 0 where
    /// both are 0.
    Smape,
    /// Mean absolute scaled error (Hyndman & Koehler 2006): mean of |p - y| / scale, where the scale
    /// is given with the target: the mean absolute error of a (seasonal) naive forecast on the
    /// sample's history. Where it isn't positive, an element counts as 0.
    Mase,
    /// Mean over rows of -Σ q log softmax(p), where q is 1 at the label, mixed with the uniform
    /// distribution (Szegedy et al. 2016). Rows with a negative label count for nothing.
    CrossEntropy {
        /// Share of the uniform distribution in q.
        label_smoothing: f32,
    },
}

impl Loss {
    /// The micro-batch's share of the loss, a scalar. The batch's loss is the sum of the shares times
    /// the step's loss scale, which must be 1 / (number of elements), or 1 / (sum of the weights), or
    /// for cross-entropy 1 / (number of rows whose label isn't negative), all of the whole batch.
    ///
    /// The target is of the prediction's shape; for cross-entropy it is integer labels, one for each
    /// row. `weight`, broadcast to the prediction, says how much each element counts; where it is 0
    /// the target may be anything, even NaN. Cross-entropy takes no weights: a row is left out by a
    /// negative label.
    pub fn sum(
        &self,
        t: &mut Trace,
        prediction: Value,
        target: Value,
        weight: Option<Value>,
    ) -> Result<Value, GraphError> {
        self.sum_scaled(t, prediction, target, weight, None)
    }

    /// As [`Loss::sum`], with what [`Loss::Mase`] divides by, broadcast to the prediction.
    pub fn sum_scaled(
        &self,
        t: &mut Trace,
        prediction: Value,
        target: Value,
        weight: Option<Value>,
        scale: Option<Value>,
    ) -> Result<Value, GraphError> {
        if let Loss::CrossEntropy { label_smoothing } = *self {
            if weight.is_some() {
                return Err(self.problem(t, "takes no weights; leave rows out by negative labels".into()));
            }
            return t.apply(CrossEntropy { smoothing: label_smoothing }, &[prediction, target]);
        }
        let (p, y) = (t.graph.shape(prediction).to_vec(), t.graph.shape(target).to_vec());
        if p != y {
            return Err(self.problem(t, format!("predictions are {p:?}, targets {y:?}")));
        }
        let values = where_counted(t, weight, target, 0.0)?;
        let error = t.graph.sub(prediction, values)?;
        let element = match *self {
            Loss::Mse | Loss::Rmse => t.apply(Unary::Square, &[error])?,
            Loss::Huber { delta } => huber(t, error, delta)?,
            Loss::Mae => t.apply(Unary::Abs, &[error])?,
            Loss::Mape => {
                let size = t.apply(Unary::Abs, &[values])?;
                relative(t, error, size)?
            }
            Loss::Smape => {
                let sizes = [t.apply(Unary::Abs, &[prediction])?, t.apply(Unary::Abs, &[values])?];
                let sum = t.graph.add(sizes[0], sizes[1])?;
                let half = t.graph.scale(sum, 0.5)?;
                relative(t, error, half)?
            }
            Loss::Mase => {
                let scale =
                    scale.ok_or_else(|| self.problem(t, "wants a scale, see Loss::sum_scaled".into()))?;
                let scale = where_counted(t, weight, scale, 1.0)?;
                let (zero, one) = (t.graph.scalar(0.0), t.graph.scalar(1.0));
                let positive = t.apply(Binary::Less, &[zero, scale])?;
                let scale = t.apply(Select, &[positive, scale, one])?;
                let size = t.apply(Unary::Abs, &[error])?;
                let scaled = t.graph.div(size, scale)?;
                t.graph.mul(scaled, positive)?
            }
            Loss::CrossEntropy { .. } => unreachable!("returned above"),
        };
        let weighted = match weight {
            Some(weight) => t.graph.mul(element, weight)?,
            None => element,
        };
        let sum = t.graph.sum_all(weighted)?;
        if *self == Loss::Rmse { root_mean(t, sum, &p, weight) } else { Ok(sum) }
    }

    fn problem(&self, t: &Trace, problem: String) -> GraphError {
        GraphError::Shape { operation: self.name(), scope: t.graph.scope(), problem }
    }

    /// Its name, as in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Loss::Mse => "mse",
            Loss::Mae => "mae",
            Loss::Rmse => "rmse",
            Loss::Huber { .. } => "huber",
            Loss::Mape => "mape",
            Loss::Smape => "smape",
            Loss::Mase => "mase",
            Loss::CrossEntropy { .. } => "cross_entropy",
        }
    }
}

/// `x` where the weight isn't 0, else a number: what has no weight must not spread NaN.
fn where_counted(
    t: &mut Trace,
    weight: Option<Value>,
    x: Value,
    otherwise: f32,
) -> Result<Value, GraphError> {
    let Some(weight) = weight else { return Ok(x) };
    let otherwise = t.graph.scalar(otherwise);
    t.apply(Select, &[weight, x, otherwise])
}

/// With c = min(|e|, δ): c (|e| - c / 2).
fn huber(t: &mut Trace, error: Value, delta: f32) -> Result<Value, GraphError> {
    let size = t.apply(Unary::Abs, &[error])?;
    let delta = t.graph.scalar(delta);
    let clipped = t.apply(Binary::Min, &[size, delta])?;
    let half = t.graph.scale(clipped, 0.5)?;
    let rest = t.graph.sub(size, half)?;
    t.graph.mul(clipped, rest)
}

/// |error| / max(size, smallest target).
fn relative(t: &mut Trace, error: Value, size: Value) -> Result<Value, GraphError> {
    let smallest = t.graph.scalar(SMALLEST_TARGET);
    let size = t.apply(Binary::Max, &[size, smallest])?;
    let error = t.apply(Unary::Abs, &[error])?;
    t.graph.div(error, size)
}

/// The micro-batch's share of √(mean square of the whole batch), times the number of elements.
///
/// With S the batch's sum of squares, N its number of elements (the loss scale is 1 / N) and n the
/// micro-batch's, the share is n √(S / N): over all micro-batches these add up to N √(S / N), and so
/// do their gradients, since that of S is collected over all of them.
fn root_mean(t: &mut Trace, sum: Value, shape: &[usize], weight: Option<Value>) -> Result<Value, GraphError> {
    let total = t.apply(BatchSum, &[sum])?;
    let loss_scale = t.graph.loss_scale();
    let mean = t.graph.mul(total, loss_scale)?;
    // The root of 0 has no finite slope.
    let smallest = t.graph.scalar(SMALLEST_MEAN_SQUARE);
    let mean = t.apply(Binary::Max, &[mean, smallest])?;
    let root = t.apply(Unary::Sqrt, &[mean])?;
    let count = match weight {
        Some(weight) => {
            let each = t.graph.broadcast_to(weight, shape)?;
            t.graph.sum_all(each)?
        }
        None => t.graph.scalar(shape.iter().product::<usize>() as f32),
    };
    t.graph.mul(root, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{check, check_with_indices};
    use crate::init::Init;
    use bessemer_graph::{Bindings, Tensor, evaluate};
    use bessemer_kernels::pool::Pool;
    use bessemer_plan::{Batch, Executable, Parameters, PlanOptions};

    const LOSSES: [Loss; 7] =
        [Loss::Mse, Loss::Mae, Loss::Rmse, Loss::Huber { delta: 0.4 }, Loss::Mape, Loss::Smape, Loss::Mase];

    /// The mean loss of two samples of three elements, and its gradient by the prediction.
    fn evaluated(
        loss: Loss,
        prediction: [f64; 6],
        target: [f64; 6],
        weight: Option<[f64; 6]>,
    ) -> (f64, Vec<f64>) {
        let mut t = Trace::new(2, 2, true);
        let inputs: Vec<Value> = ["target", "weight", "scale"].iter().map(|n| t.input(n, &[3])).collect();
        let x = t.graph.parameter("prediction", &[2, 3]).unwrap();
        let counted = weight.map(|_| inputs[1]);
        let y = loss.sum_scaled(&mut t, x, inputs[0], counted, Some(inputs[2])).unwrap();
        t.graph.set_loss(y);
        bessemer_graph::differentiate(&mut t.graph).unwrap();
        let tensor = |x: [f64; 6]| Tensor::new([2, 3], x.to_vec());
        let bindings = Bindings {
            parameters: vec![tensor(prediction)],
            inputs: vec![
                tensor(target),
                tensor(weight.unwrap_or([1.0; 6])),
                tensor([2.0, 2.0, 2.0, 0.5, 0.5, 0.5]),
            ],
            loss_scale: 1.0 / weight.map_or(6.0, |w| w.iter().sum()),
        };
        let values = evaluate(&t.graph, &bindings);
        let gradient = values[t.graph.gradients()[0].1.index()].data.clone();
        (values[y.index()].data[0] * bindings.loss_scale, gradient)
    }

    #[test]
    fn values() {
        let prediction = [1.0, 2.0, 4.0, 0.0, -1.0, 3.0];
        let target = [2.0, 2.0, 1.0, 0.0, 1.0, 2.5];
        // Errors: -1, 0, 3, 0, -2, 0.5.
        let weight = [1.0, 2.0, 0.0, 1.0, 0.5, 0.0];
        let cases: [(Loss, f64, f64); 8] = [
            (Loss::Mse, 14.25 / 6.0, 3.0 / 4.5),
            (Loss::Mae, 6.5 / 6.0, 2.0 / 4.5),
            (Loss::Rmse, (14.25f64 / 6.0).sqrt(), (3.0f64 / 4.5).sqrt()),
            (Loss::Huber { delta: 1.0 }, (0.5 + 2.5 + 1.5 + 0.125) / 6.0, (0.5 + 0.75) / 4.5),
            (Loss::Huber { delta: 10.0 }, 14.25 / 12.0, 1.5 / 4.5),
            (Loss::Mape, (0.5 + 3.0 + 2.0 + 0.2) / 6.0, (0.5 + 1.0) / 4.5),
            (Loss::Smape, (2.0 / 3.0 + 6.0 / 5.0 + 2.0 + 1.0 / 5.5) / 6.0, (2.0 / 3.0 + 1.0) / 4.5),
            (Loss::Mase, (0.5 + 1.5 + 4.0 + 1.0) / 6.0, (0.5 + 2.0) / 4.5),
        ];
        for (loss, plain, weighted) in cases {
            let (value, _) = evaluated(loss, prediction, target, None);
            assert!((value - plain).abs() < 1e-7, "{loss:?}: {value}, expected {plain}");
            let (value, _) = evaluated(loss, prediction, target, Some(weight));
            assert!((value - weighted).abs() < 1e-7, "{loss:?} weighted: {value}, expected {weighted}");
        }
    }

    #[test]
    fn what_has_no_weight_may_be_missing() {
        let target = [f64::NAN, 1.0, 2.0, f64::INFINITY, 0.5, f64::NAN];
        let weight = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
        for loss in LOSSES {
            let (value, gradient) = evaluated(loss, [0.5, 0.0, 1.0, 2.0, 0.2, 0.0], target, Some(weight));
            assert!(value.is_finite() && value > 0.0, "{loss:?}: {value}");
            for (g, w) in gradient.iter().zip(weight) {
                assert!(g.is_finite() && (w != 0.0 || *g == 0.0), "{loss:?}: {gradient:?}");
            }
        }
    }

    #[test]
    fn a_perfect_prediction_has_a_finite_gradient() {
        let x = [1.0, 0.0, -2.0, 3.0, 0.0, 1.0];
        for loss in LOSSES {
            let (value, gradient) = evaluated(loss, x, x, None);
            assert!(value.abs() < 1e-11, "{loss:?}: {value}");
            assert!(gradient.iter().all(|g| *g == 0.0), "{loss:?}: {gradient:?}");
        }
    }

    #[test]
    fn gradients() {
        for loss in LOSSES {
            check(2, &[&[2, 3], &[2, 3]], |t, x| {
                let scale = t.graph.constant(&[2, 1], [0.5, 2.0].as_slice());
                loss.sum_scaled(t, x[0], x[1], None, Some(scale))
            });
        }
        let loss = Loss::CrossEntropy { label_smoothing: 0.1 };
        check_with_indices(4, &[&[4, 3]], &[(&[4], &[2, -1, 0, 1])], |t, x, labels| {
            loss.sum(t, x[0], labels[0], None)
        });
    }

    /// p = w x for five samples of two elements, in micro-batches.
    #[test]
    fn the_root_is_of_the_whole_batch() {
        let x = [1.0, -2.0, 0.5, 3.0, 2.0, 1.0, -1.0, 0.0, 4.0, 2.5];
        let y = [0.0, 1.0, 2.0, 2.0, 1.0, f32::NAN, 0.0, 1.0, 3.0, 2.0];
        let weight = [1.0, 1.0, 0.5, 1.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.5];
        let w = 0.7f64;
        let (mut total, mut slope, mut count) = (0.0, 0.0, 0.0);
        for i in (0..10).filter(|&i| weight[i] > 0.0) {
            let (x, y, weight) = (x[i] as f64, y[i] as f64, weight[i] as f64);
            total += weight * (w * x - y).powi(2);
            slope += weight * (w * x - y) * x;
            count += weight;
        }
        let root = (total / count).sqrt();
        let trace = |samples| {
            let mut t = Trace::new(samples, 5, true);
            let [x, y, weight] = ["x", "y", "weight"].map(|name| t.input(name, &[2]));
            let w = t.parameter("w", &[1], Init::ZEROS)?;
            let prediction = t.graph.mul(x, w)?;
            let loss = Loss::Rmse.sum(&mut t, prediction, y, Some(weight))?;
            t.graph.set_loss(loss);
            Ok(t.graph)
        };
        for micro_batch in [1, 2, 5] {
            let options = PlanOptions { micro_batch: Some(micro_batch), ..PlanOptions::TRAIN };
            let mut step = Executable::compile(&trace, 5, &options).unwrap();
            let mut parameters = Parameters::new(step.parameters());
            parameters.get_mut(0)[0] = w as f32;
            let inputs: &[&[f32]] = &[&x, &y, &weight];
            let batch = Batch { inputs, loss_scale: 1.0 / count as f32, seed: 0, step: 0 };
            let loss = step.run(&Pool::new(1), &parameters, &batch).unwrap();
            assert!((loss - root).abs() < 1e-5, "micro-batches of {micro_batch}: {loss}, not {root}");
            let gradient: f32 = step.with_gradients(|lanes| lanes.iter().map(|lane| lane[0]).sum());
            let expected = slope / count / root;
            assert!((gradient as f64 - expected).abs() < 1e-5, "{gradient}, not {expected}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let mut t = Trace::new(2, 2, true);
        let (x, y) = (t.input("x", &[3]), t.input("y", &[1]));
        let mut error =
            |loss: Loss, target, weight| loss.sum(&mut t, x, target, weight).unwrap_err().to_string();
        let message = error(Loss::Mse, y, None);
        assert!(message.contains("[2, 3]") && message.contains("[2, 1]"), "{message}");
        assert!(error(Loss::Mase, x, None).contains("wants a scale"));
        let message = error(Loss::CrossEntropy { label_smoothing: 0.0 }, x, Some(x));
        assert!(message.contains("negative labels"), "{message}");
    }
}
