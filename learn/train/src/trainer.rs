//! The training loop.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bessemer_plan::{Batch, Executable, Parameters, Pool};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::grad_scaler::{GradScaler, GradScalerState};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::profile::{Phase, Stopwatch, TrainProfile};
use crate::schedule::{Plateau, Schedule};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The largest global gradient norm, if it is clipped.
    pub clip_norm: Option<f32>,
    /// Scaling of gradients, which training in f16 needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_scaler: Option<GradScaler>,
    /// Seed of everything random.
    pub seed: u64,
    /// Steps between validations; 0 for none before the end.
    pub validate_every: u64,
    /// Validations without improvement before training stops early, if it may.
    pub patience: Option<u32>,
    /// The least that counts as an improvement of the validation loss.
    pub min_change: f64,
    /// Whether to measure where the time goes, see [`History::profile`].
    #[serde(skip)]
    pub profile: bool,
}

impl Default for TrainOptions {
    fn default() -> TrainOptions {
        TrainOptions {
            steps: 1000,
            learning_rate: 1e-3,
            optimizer: Optimizer::ADAM,
            schedule: Schedule::Constant,
            clip_norm: None,
            grad_scaler: None,
            seed: 1,
            validate_every: 0,
            patience: None,
            min_change: 0.0,
            profile: false,
        }
    }
}

/// What is learned: batches, and how well it goes.
pub trait Task {
    /// Fills one buffer per input for a step (counted from 0), and gives the factor on the summed
    /// loss, such as 1 / (elements of the batch). A pure function of the step.
    fn batch(&mut self, step: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError>;

    /// The loss on held-out data, if there is any.
    fn validate(&mut self, pool: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError>;
}

/// What happened, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A step was taken.
    Step {
        /// Steps taken.
        step: u64,
        /// Steps asked for.
        steps: u64,
        /// The batch's loss.
        loss: f64,
        /// The gradient's norm before clipping; not finite if the step was skipped, see
        /// [`TrainOptions::grad_scaler`].
        grad_norm: f64,
        /// The learning rate used.
        learning_rate: f64,
    },
    /// Held-out data was scored.
    Validation {
        /// Steps taken.
        step: u64,
        /// The loss.
        loss: f64,
        /// Whether it is the best so far.
        best: bool,
    },
}

/// What a training did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The loss of every step.
    pub losses: Vec<f64>,
    /// (steps taken, validation loss).
    pub validations: Vec<(u64, f64)>,
    /// The step whose weights were kept, if validation chose them.
    pub best_step: Option<u64>,
    /// Time from the first step to the end.
    pub elapsed: Duration,
    /// The scale of gradients at the end, and how often they overflowed, if they are scaled.
    pub grad_scaler: Option<GradScalerState>,
    /// Where it went, if that was asked for.
    pub profile: Option<TrainProfile>,
}

/// Trains `parameters`, which end as the best on validation if there is any, else as the last.
///
/// `watch` sees every event and may end the training.
pub fn train(
    task: &mut dyn Task,
    step: &mut Executable,
    parameters: &mut Parameters,
    buffers: &[bool],
    options: &TrainOptions,
    pool: &Pool,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<History, TrainError> {
    check(options)?;
    let start = Instant::now();
    let mut history =
        History { losses: Vec::with_capacity(options.steps.min(1 << 20) as usize), ..Default::default() };
    let mut state = OptimizerState::new(options.optimizer, parameters, buffers);
    let mut plateau = Plateau::new();
    let mut best: Option<(f64, u64, Parameters)> = None;
    let mut waited = 0;
    let mut inputs: Vec<Vec<f32>> = step.input_lens().map(|len| vec![0.0; len]).collect();
    let mut scaling = options.grad_scaler.map(|scaler| (scaler, scaler.begin()));
    let mut watched = Stopwatch::new(options.profile, pool.threads(), step);
    for done in 0..options.steps {
        watched.begin(done, step);
        let loss_scale = watched.time(Phase::Batches, || task.batch(done, &mut inputs))?;
        let mut views = [&[] as &[f32]; bessemer_plan::MAX_INPUTS];
        views.iter_mut().zip(&inputs).for_each(|(view, input)| *view = input);
        let scale = scaling.map(|(_, state)| state.scale);
        let loss_scale = loss_scale * scale.unwrap_or(1.0);
        let batch = Batch { inputs: &views[..inputs.len()], loss_scale, seed: options.seed, step: done };
        let loss = watched.time(Phase::Steps, || step.run(pool, parameters, &batch))?;
        let loss = loss / f64::from(scale.unwrap_or(1.0));
        let range = !loss.is_finite();
        if range && scale.is_none() {
            return Err(TrainError::NotFinite { step: done + 1, loss });
        }
        if range && done == 0 {
            // Nothing has been learned yet that could have led there.
            return Err(TrainError::Range { step: 1, loss });
        }
        let learning_rate = options.learning_rate * options.schedule.factor(done, &plateau);
        let grad_norm = watched.time(Phase::Optimizer, || {
            state.step(pool, parameters, step, learning_rate as f32, options.clip_norm, scale)
        });
        // With a loss that is no number, neither are its gradients.
        let skipped = scale.is_some() && !grad_norm.is_finite();
        if let Some((scaler, state)) = &mut scaling {
            let last = state.updates == 0 && done + 1 == options.steps;
            if skipped && (state.scale <= scaler.least || last) {
                return Err(match range {
                    true => TrainError::Range { step: done + 1, loss },
                    false => TrainError::Overflow { step: done + 1 },
                });
            }
            scaler.update(state, !skipped);
        }
        if !skipped {
            step.for_each_buffer(|range, value| parameters.as_mut_slice()[range].copy_from_slice(value));
        }
        history.losses.push(loss);
        let steps = options.steps;
        let event = Event::Step { step: done + 1, steps, loss, grad_norm, learning_rate };
        if watch(event).is_break() {
            return Err(TrainError::Stopped { step: done + 1 });
        }
        let due = options.validate_every > 0 && (done + 1) % options.validate_every == 0;
        if !(due || done + 1 == options.steps) {
            continue;
        }
        let validated = watched.time(Phase::Validation, || task.validate(pool, parameters));
        let Some(loss) = validated? else { continue };
        history.validations.push((done + 1, loss));
        plateau.observe(&options.schedule, loss);
        let better = best.as_ref().is_none_or(|(b, ..)| loss < b - options.min_change);
        let improved = better && !loss.is_nan();
        if watch(Event::Validation { step: done + 1, loss, best: improved }).is_break() {
            return Err(TrainError::Stopped { step: done + 1 });
        }
        if improved {
            best = Some((loss, done + 1, parameters.clone()));
            waited = 0;
        } else {
            waited += 1;
            if options.patience.is_some_and(|patience| waited >= patience) {
                break;
            }
        }
    }
    if let Some((_, step, kept)) = best {
        history.best_step = Some(step);
        parameters.as_mut_slice().copy_from_slice(kept.as_slice());
    }
    history.elapsed = start.elapsed();
    history.grad_scaler = scaling.map(|(_, state)| state);
    history.profile = watched.finish(history.elapsed, step);
    Ok(history)
}

fn check(options: &TrainOptions) -> Result<(), TrainError> {
    let wrong = |name, value: String, remedy| Err(TrainError::Setting { name, value, remedy });
    if options.steps == 0 {
        return wrong("steps", "0".into(), "take at least one");
    }
    if !(options.learning_rate.is_finite() && options.learning_rate > 0.0) {
        return wrong("learning rate", options.learning_rate.to_string(), "it must be a positive number");
    }
    if options.clip_norm.is_some_and(|c| c.is_nan() || c <= 0.0) {
        return wrong("clip norm", format!("{:?}", options.clip_norm), "it must be positive, or absent");
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
