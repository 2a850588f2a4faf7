//! How to train.

use serde::{Deserialize, Serialize};

use crate::average::Average;
use crate::error::TrainError;
use crate::grad_scaler::GradScaler;
use crate::groups::ParameterGroup;
use crate::optimizer::Optimizer;
use crate::schedule::Schedule;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainOptions {
    /// Optimiser steps.
    pub steps: u64,
    /// Learning rate before the schedule's factor.
    pub learning_rate: f64,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The learning rate over time.
    pub schedule: Schedule,
    /// Parameters with a learning rate and a weight decay of their own.
    #[serde(default)]
    pub groups: Vec<ParameterGroup>,
    /// Batches whose gradients make one step together, each sample counting the same; the last group of an
    /// epoch may have fewer.
    #[serde(default = "one")]
    pub accumulate: u32,
    /// The largest global gradient norm, if it is clipped.
    pub clip_norm: Option<f32>,
    /// An average of the weights that is validated and kept in their stead.
    #[serde(default)]
    pub average: Option<Average>,
    /// What to do about a loss or a gradient that is infinite or NaN.
    #[serde(default)]
    pub on_not_finite: OnNotFinite,
    /// Scaling of gradients, which training in f16 needs.
    #[serde(default)]
    pub grad_scaler: Option<GradScaler>,
    /// Seed of everything random.
    pub seed: u64,
    /// Steps between validations; 0 for none before the end.
    pub validate_every: u64,
    /// Validations without improvement before training stops early, if it may.
    pub patience: Option<u32>,
    /// The least that counts as an improvement of the validation loss.
    pub min_change: f64,
    /// Seconds after which training ends as if its steps had been taken.
    #[serde(default)]
    pub max_seconds: Option<f64>,
    /// Whether to measure where the time goes, see [`History::profile`](crate::History::profile).
    #[serde(skip)]
    pub profile: bool,
}

fn one() -> u32 {
    1
}

/// What to do about a loss or a gradient that is infinite or NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnNotFinite {
    /// End the training with an error that names the first operation, parameter or input that gave it. The
    /// weights are as before the step.
    #[default]
    Stop,
    /// Leave the weights as they are, count the step and go on.
    Skip,
    /// Go on as if nothing were wrong.
    Continue,
}

impl Default for TrainOptions {
    fn default() -> TrainOptions {
        TrainOptions {
            steps: 1000,
            learning_rate: 1e-3,
            optimizer: Optimizer::ADAM,
            schedule: Schedule::Constant,
            groups: Vec::new(),
            accumulate: 1,
            clip_norm: None,
            average: None,
            on_not_finite: OnNotFinite::Stop,
            grad_scaler: None,
            seed: 1,
            validate_every: 0,
            patience: None,
            min_change: 0.0,
            max_seconds: None,
            profile: false,
        }
    }
}

/// The first setting that differs and matters: how long to train may change.
pub(crate) fn difference(saved: &TrainOptions, now: &TrainOptions) -> Option<(String, String, String)> {
    let table = |options: &TrainOptions| toml::Table::try_from(options).unwrap_or_default();
    let (saved, now) = (table(saved), table(now));
    let names: std::collections::BTreeSet<&String> = saved.keys().chain(now.keys()).collect();
    let said = |value: Option<&toml::Value>| value.map_or("not set".to_string(), toml::Value::to_string);
    names
        .into_iter()
        .filter(|name| !["steps", "max_seconds"].contains(&name.as_str()))
        .find(|name| saved.get(*name) != now.get(*name))
        .map(|name| (name.clone(), said(saved.get(name)), said(now.get(name))))
}

/// Batches of a step, at most: each has buffers of its own.
const MAX_ACCUMULATE: u32 = 1 << 16;

/// Refuses settings that make no sense.
pub(crate) fn check(options: &TrainOptions) -> Result<(), TrainError> {
    let wrong = |name, value: String, remedy| Err(TrainError::Setting { name, value, remedy });
    if options.steps == 0 {
        return wrong("steps", "0".into(), "take at least one");
    }
    if !(options.learning_rate.is_finite() && options.learning_rate > 0.0) {
        return wrong("learning rate", options.learning_rate.to_string(), "it must be a positive number");
    }
    if let Some(norm) = options.clip_norm.filter(|norm| norm.is_nan() || *norm <= 0.0) {
        return wrong("clip norm", norm.to_string(), "it must be above 0, or left out");
    }
    if !(1..=MAX_ACCUMULATE).contains(&options.accumulate) {
        return wrong("accumulate", options.accumulate.to_string(), "it must be from 1 to 65,536");
    }
    if let Some((what, value)) = options.optimizer.problem() {
        let remedy = "shares are from 0 to less than 1, all else 0 or more";
        return wrong(what, value.to_string(), remedy);
    }
    if let Some(problem) = options.schedule.problem() {
        let remedy =
            "factors are above 0 and at most 1, a distance at least 1, a warm-up no longer than the whole";
        return wrong("schedule", problem, remedy);
    }
    if !(options.min_change.is_finite() && options.min_change >= 0.0) {
        return wrong("min_change", options.min_change.to_string(), "it must be 0 or more");
    }
    if let Some(seconds) = options.max_seconds.filter(|seconds| seconds.is_nan() || *seconds <= 0.0) {
        return wrong("max seconds", seconds.to_string(), "it must be above 0, or left out");
    }
    if let Some(problem) = options.average.and_then(|average| average.problem()) {
        return wrong(
            "average",
            problem,
            "a decay is from 0 to less than 1, a rate positive, a distance at least 1",
        );
    }
    if let Some(scaler) = options.grad_scaler {
        let GradScaler { scale, least, most, growth_interval } = scaler;
        let bounded = least > 0.0 && least <= scale && scale <= most && most.is_finite();
        if !bounded || growth_interval == 0 {
            let remedy = "it must lie between positive bounds, and grow after 1 step or more";
            return wrong("gradient scale", format!("{scale} of {least} to {most}"), remedy);
        }
    }
    Ok(())
}
