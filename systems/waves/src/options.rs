//! How a model is fitted.

use bessemer_nn::{Trace, losses};
use bessemer_plan::{PlanOptions, Precision};
use bessemer_train::{TrainError, TrainOptions};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::greedy::Greedy;
use crate::models::{Model, Shape};
use crate::scale::{AxisScale, ValueScale};

/// What is minimised, of the scaled values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Mean squared error.
    #[default]
    Mse,
    /// Mean absolute error.
    Mae,
}

impl Loss {
    /// The loss that the graph sums.
    pub(crate) fn get(self) -> losses::Loss {
        match self {
            Loss::Mse => losses::Loss::Mse,
            Loss::Mae => losses::Loss::Mae,
        }
    }
}

/// How a model is fitted: by default, 1,000 steps of Adam on all training points at once, at a learning rate of
/// 0.001.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitOptions {
    /// Scaling of each axis, by the training points.
    pub axes: AxisScale,
    /// Scaling of each channel, by the training points.
    pub values: ValueScale,
    /// What is minimised.
    pub loss: Loss,
    /// Points in a batch, drawn in an order that is another in each epoch; a rest that fills no batch is left
    /// out. `None` takes all training points in every step.
    pub batch: Option<usize>,
    /// The arithmetic of training and of predictions.
    pub precision: Precision,
    /// Percent of the memory of activations that training may use, see [`PlanOptions::activations`].
    pub activations: Option<u8>,
    /// Points in a micro-batch, see [`PlanOptions::micro_batch`].
    pub micro_batch: Option<usize>,
    /// Lanes, see [`PlanOptions::lanes`].
    pub lanes: Option<usize>,
    /// Packets are found one after the other before all are trained; for models of packets only.
    pub greedy: Option<Greedy>,
    /// The training itself. Its seed is that of initial values, of fixed random numbers and of batches.
    pub train: TrainOptions,
}

impl FitOptions {
    /// What the planner is asked for in training.
    pub(crate) fn plan(&self) -> PlanOptions {
        let FitOptions { precision, activations, micro_batch, lanes, .. } = *self;
        PlanOptions { precision, activations, micro_batch, lanes, ..PlanOptions::TRAIN }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (what, value) in [("batch", self.batch), ("micro_batch", self.micro_batch), ("lanes", self.lanes)]
        {
            if value == Some(0) {
                let remedy = "give 1 or more, or leave it out";
                return Err(Error::Option { what, problem: "it is 0".into(), remedy });
            }
        }
        if self.precision == Precision::Int8 {
            let problem = "integers of 8 bits cannot be trained".to_string();
            return Err(Error::Option { what: "precision", problem, remedy: "use f32, bf16 or f16" });
        }
        self.greedy.as_ref().map_or(Ok(()), Greedy::check)
    }

    /// What is trained on what, for checkpoints: all settings but those of the training itself, and a
    /// fingerprint of the data.
    pub(crate) fn about(&self, model: &Model, data: &[&[f32]], more: &str) -> String {
        let settings = FitOptions { train: TrainOptions::default(), ..self.clone() };
        let settings = toml::to_string(&settings).unwrap_or_default();
        let model = toml::to_string(model).unwrap_or_default();
        let bytes: Vec<u8> = data.iter().copied().flatten().flat_map(|x| x.to_le_bytes()).collect();
        let data = bessemer_train::weights::fingerprint(&bytes);
        format!("{model}\n{settings}\n{more}\ndata = \"{data}\"")
    }
}

/// The training graph of so many points of a batch: points and targets to the summed loss.
pub(crate) fn training_trace(
    samples: usize,
    batch: usize,
    model: &Model,
    shape: Shape,
    loss: Loss,
) -> std::result::Result<Trace, bessemer_nn::GraphError> {
    let mut t = Trace::new(samples, batch, true);
    let points = t.input("points", &[shape.axes]);
    let values = model.network().forward(&mut t, points, shape)?;
    let targets = t.input("targets", &[shape.channels]);
    let sum = loss.get().sum(&mut t, values, targets, None)?;
    t.graph.set_loss(sum);
    Ok(t)
}

/// Refuses points for which a network would look up more than may be held.
pub(crate) fn check_look_ups(model: &Model, axes: usize, points: usize) -> Result<()> {
    let rows = model.network().look_ups(axes);
    let numbers = (points as u64).saturating_mul(2 * rows as u64);
    if numbers > crate::MAX_NUMBERS {
        let most = crate::MAX_NUMBERS;
        let problem = format!(
            "looking up {rows} rows for each of {points} points takes {numbers} numbers, more than {most}; lower \
             levels, or give fewer points"
        );
        return Err(Error::ModelSettings { model: model.name(), problem });
    }
    Ok(())
}

/// A graph that cannot be traced or planned.
pub(crate) fn failed(error: impl Into<TrainError>) -> Error {
    Error::Train(error.into())
}
