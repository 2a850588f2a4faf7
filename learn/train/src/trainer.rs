//! The training loop.

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use bessemer_plan::{Batch, Executable, MAX_INPUTS, Parameters, Pool};

use crate::average::{Average, Averaged};
use crate::checkpoint::{Checkpoints, Progress, Restored, Snapshot};
use crate::error::TrainError;
use crate::grad_scaler::GradScalerState;
use crate::optimizer::OptimizerState;
use crate::options::{OnNotFinite, TrainOptions, check, difference};
use crate::profile::{Phase, Stopwatch, TrainProfile};
use crate::schedule::Plateau;

/// What is learned: batches, and how well it goes.
pub trait Task {
    /// Fills one buffer per input for a batch (counted from 0), and gives the factor on the summed
    /// loss: 1 / (elements of the batch), or 0 if it has none. A pure function of the batch's number.
    fn batch(&mut self, batch: u64, inputs: &mut [Vec<f32>]) -> Result<f32, TrainError>;

    /// Batches in an epoch, if there are epochs: no step is made of batches of two.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// The loss on held-out data, if there is any.
    fn validate(&mut self, pool: &Pool, parameters: &Parameters) -> Result<Option<f64>, TrainError>;
}

/// What happened, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
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
    /// A checkpoint was written.
    Checkpoint {
        /// Steps taken.
        step: u64,
    },
    /// A checkpoint could not be written or read; the training goes on.
    Problem {
        /// What went wrong.
        problem: &'a TrainError,
    },
    /// The training goes on from a checkpoint.
    Resumed {
        /// Steps taken.
        step: u64,
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
    /// Steps that changed nothing, as a loss or a gradient was infinite or NaN.
    pub skipped: u64,
    /// Time from the first step to the end, without that between a stop and going on.
    pub elapsed: Duration,
    /// Time of it in which the training waited for a batch, to be made or handed over.
    pub waited: Duration,
    /// The scale of gradients at the end, and how often they overflowed, if they are scaled.
    pub grad_scaler: Option<GradScalerState>,
    /// Where it went, if that was asked for.
    pub profile: Option<TrainProfile>,
}

/// Trains `parameters`, which end as the best on validation if there is any, else as the last, or as their
/// average if one is asked for.
///
/// There is a plan for each shape that batches come in, all of the same parameters: a batch is run by the one
/// whose inputs are as long as those that [`Task::batch`] has left in its buffers. One plan is enough where all
/// batches are alike; sequences that are padded only to the longest of their batch (see
/// [`LengthBuckets`](crate::data::LengthBuckets)) want one for each padded length.
///
/// With `checkpoints`, all that the training carries from step to step is written every now and then, with
/// the best validation, at the end, and where it is stopped; a training that goes on from there ends with the same bits as one that was
/// never interrupted. `watch` sees every event and may end the training.
pub fn train(
    task: &mut dyn Task,
    plans: &mut [Executable],
    parameters: &mut Parameters,
    buffers: &[bool],
    options: &TrainOptions,
    checkpoints: Option<&Checkpoints>,
    pool: &Pool,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<History, TrainError> {
    check(options)?;
    let Some(first) = plans.first() else {
        let (name, value) = ("number of plans", "0".to_string());
        return Err(TrainError::Setting { name, value, remedy: "compile one for each shape of a batch" });
    };
    if plans.iter().any(|plan| plan.parameters() != first.parameters()) {
        let (name, value) = ("plans", "for several models".to_string());
        return Err(TrainError::Setting { name, value, remedy: "the parameters of all must be the same" });
    }
    let inputs = first.input_lens().map(|len| vec![0.0; len]).collect();
    let mut inputs: Vec<Vec<Vec<f32>>> = vec![inputs; options.accumulate as usize];
    if let Some(problem) = options.groups.iter().find_map(|group| group.problem(parameters.specs())) {
        return Err(problem);
    }
    let average = options.average.map(|rule| Averaged::new(rule, parameters));
    let mut run = Run {
        optimizer: OptimizerState::new(options.optimizer, &options.groups, parameters, buffers),
        progress: Progress {
            steps: 0,
            updates: 0,
            skipped: 0,
            waited: 0,
            seconds: 0.0,
            batch_seconds: 0.0,
            averaged: average.as_ref().map_or(0, |average| average.count),
            plateau: Plateau::new(),
            best: None,
            grad_scaler: options.grad_scaler.map(|scaler| scaler.begin()),
        },
        average,
        best: None,
        losses: Vec::with_capacity(options.steps.min(1 << 20) as usize),
        validations: Vec::new(),
        factors: Vec::with_capacity(options.accumulate as usize),
        options,
        parameters,
        plans,
        latest: 0,
        pool,
    };
    let _lock = checkpoints.map(Checkpoints::begin).transpose()?;
    run.begin(checkpoints, watch)?;
    let mut watched = Stopwatch::new(options.profile, pool.threads(), run.plans);
    let (start, before) = (Instant::now(), run.progress.seconds);
    while !run.is_over() {
        watched.begin(run.progress.steps, run.plans);
        let event = run.take(task, &mut inputs, &mut watched)?;
        let mut stops = watch(event).is_break();
        run.progress.seconds = before + start.elapsed().as_secs_f64();
        let done = run.progress.steps;
        let due = options.validate_every > 0 && done.is_multiple_of(options.validate_every);
        let mut best = false;
        // A training that is stopped goes on later, and has not come to its end.
        if due || (run.is_over() && !(stops && run.is_out_of_time())) {
            let loss = watched.time(Phase::Validation, || task.validate(pool, run.evaluated()))?;
            if let Some(loss) = loss {
                best = run.observe(loss);
                stops |= watch(Event::Validation { step: done, loss, best }).is_break();
            }
        }
        let Some(checkpoints) = checkpoints else {
            if stops {
                return Err(TrainError::Stopped { step: done, checkpoint: None });
            }
            continue;
        };
        // One that went on ends with a checkpoint, too: the one it went on from is history.
        let regularly = checkpoints.every > 0;
        let ended = run.is_over() && (regularly || checkpoints.resume);
        let due = regularly && (best || done.is_multiple_of(checkpoints.every));
        if stops || due || ended {
            match run.snapshot(checkpoints) {
                Ok(_) if !stops => _ = watch(Event::Checkpoint { step: done }),
                Ok(path) => return Err(TrainError::Stopped { step: done, checkpoint: Some(path) }),
                // Of a long training with a full disk, the weights are better than nothing.
                Err(problem) if !stops => _ = watch(Event::Problem { problem: &problem }),
                Err(problem) => return Err(problem),
            }
        }
    }
    Ok(run.finish(watched))
}

/// A training at work.
struct Run<'a> {
    options: &'a TrainOptions,
    /// One for each shape of a batch.
    plans: &'a mut [Executable],
    /// The one that ran last.
    latest: usize,
    parameters: &'a mut Parameters,
    pool: &'a Pool,
    optimizer: OptimizerState,
    average: Option<Averaged>,
    progress: Progress,
    best: Option<Parameters>,
    losses: Vec<f64>,
    validations: Vec<(u64, f64)>,
    /// Of the batches of a step.
    factors: Vec<f32>,
}

impl Run<'_> {
    /// Goes on from the latest checkpoint, if that is asked for.
    fn begin(
        &mut self,
        checkpoints: Option<&Checkpoints>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let Some(checkpoints) = checkpoints.filter(|checkpoints| checkpoints.resume) else { return Ok(()) };
        let folder = || checkpoints.folder.clone();
        let Some((restored, problems)) = checkpoints.latest(self.parameters.specs())? else {
            return Err(TrainError::NothingToResume { folder: folder() });
        };
        for problem in &problems {
            _ = watch(Event::Problem { problem });
        }
        if let Some((setting, saved, now)) = difference(&restored.options, self.options) {
            return Err(TrainError::OtherSettings { folder: folder(), setting, saved, now });
        }
        checkpoints.check_about(&restored.about)?;
        if restored.progress.steps > self.options.steps {
            let (setting, saved) = ("step".to_string(), restored.progress.steps.to_string());
            let now = format!("an end after {}", self.options.steps);
            return Err(TrainError::OtherSettings { folder: folder(), setting, saved, now });
        }
        if !self.restore(restored) {
            let problem = "its latest checkpoint lacks what the optimiser, the average or the scaler remembers, \
                           or has more than that; use an earlier one";
            return Err(TrainError::File { path: folder(), problem: problem.into() });
        }
        _ = watch(Event::Resumed { step: self.progress.steps });
        Ok(())
    }

    /// Takes over what was read; whether all that is needed was there.
    fn restore(&mut self, restored: Restored) -> bool {
        let Restored { progress, weights, memory, best, average, losses, validations, .. } = restored;
        self.parameters.as_mut_slice().copy_from_slice(weights.as_slice());
        let fits = self.optimizer.restore(progress.updates, &memory)
            && self.average.is_some() == average.is_some()
            && progress.best.is_some() == best.is_some()
            && progress.grad_scaler.is_some() == self.options.grad_scaler.is_some();
        if let (Some(own), Some(saved)) = (&mut self.average, average) {
            own.parameters = saved;
            own.count = progress.averaged;
        }
        (self.best, self.losses, self.validations, self.progress) = (best, losses, validations, progress);
        fits
    }

    fn is_out_of_time(&self) -> bool {
        self.options.max_seconds.is_some_and(|most| self.progress.seconds >= most)
    }

    fn is_over(&self) -> bool {
        let patient = self.options.patience.is_none_or(|patience| self.progress.waited < patience);
        self.progress.steps >= self.options.steps || !patient || self.is_out_of_time()
    }

    /// The weights that are validated: those of the average, once there is one.
    fn evaluated(&self) -> &Parameters {
        match &self.average {
            Some(average) if average.count > 0 => &average.parameters,
            _ => self.parameters,
        }
    }

    /// The batches of a step.
    fn batches(&self, task: &dyn Task) -> Range<u64> {
        let (step, size) = (self.progress.steps, u64::from(self.options.accumulate));
        match task.epoch() {
            None => step * size..(step + 1) * size,
            Some(batches) => {
                let batches = batches.max(1);
                let steps = batches.div_ceil(size);
                let (first, place) = (step / steps * batches, step % steps * size);
                first + place..first + (place + size).min(batches)
            }
        }
    }

    /// Takes one step.
    fn take(
        &mut self,
        task: &mut dyn Task,
        inputs: &mut [Vec<Vec<f32>>],
        watched: &mut Stopwatch,
    ) -> Result<Event<'static>, TrainError> {
        let (options, pool) = (self.options, self.pool);
        let batches = self.batches(task);
        self.factors.clear();
        let start = Instant::now();
        for (number, inputs) in batches.clone().zip(&mut *inputs) {
            self.factors.push(watched.time(Phase::Batches, || task.batch(number, inputs))?);
        }
        self.progress.batch_seconds += start.elapsed().as_secs_f64();
        // Of one batch, its own factor; of several, that of all their elements.
        let factor = match self.factors.as_slice() {
            [factor] => *factor,
            several => {
                let elements = several.iter().filter(|f| **f > 0.0).map(|f| 1.0 / f64::from(*f)).sum::<f64>();
                if elements > 0.0 { (1.0 / elements) as f32 } else { 0.0 }
            }
        };
        let scale = self.progress.grad_scaler.map(|state| state.scale);
        let mut loss = 0.0;
        for (number, inputs) in batches.clone().zip(&*inputs) {
            let mut views = [&[] as &[f32]; MAX_INPUTS];
            views.iter_mut().zip(inputs).for_each(|(view, input)| *view = input);
            let batch = Batch {
                inputs: &views[..inputs.len()],
                loss_scale: factor * scale.unwrap_or(1.0),
                seed: options.seed,
                step: number,
            };
            self.latest = self.plan_for(inputs)?;
            let plan = &mut self.plans[self.latest];
            loss += watched.time(Phase::Steps, || plan.run(pool, self.parameters, &batch))?;
            if !loss.is_finite() && options.on_not_finite == OnNotFinite::Stop && scale.is_none() {
                return self.fail("the loss", loss, &batch);
            }
            if number + 1 < batches.end {
                let plan = &mut self.plans[self.latest];
                watched.time(Phase::Optimizer, || self.optimizer.hold(pool, plan));
            }
        }
        let loss = loss / f64::from(scale.unwrap_or(1.0));
        let range = !loss.is_finite();
        if range && scale.is_some() && self.progress.steps == 0 {
            // Nothing has been learned yet that could have led there.
            return Err(TrainError::Range { step: 1, loss });
        }
        let done = self.progress.steps;
        let scheduled = |step| options.learning_rate * options.schedule.factor(step, &self.progress.plateau);
        let learning_rate = match options.average {
            Some(average @ Average::Swa { start, .. }) => {
                average.learning_rate(done, scheduled(done), scheduled(start))
            }
            _ => scheduled(done),
        };
        // Divided by 1, gradients are looked through before they change anything.
        let guard = (options.on_not_finite != OnNotFinite::Continue).then_some(1.0);
        let grad_norm = watched.time(Phase::Optimizer, || {
            let scaled = scale.or(guard);
            self.optimizer.step(
                pool,
                self.parameters,
                &mut self.plans[self.latest],
                learning_rate as f32,
                options.clip_norm,
                scaled,
            )
        });
        self.progress.steps += 1;
        self.progress.updates = self.optimizer.steps();
        let skipped = scale.or(guard).is_some() && !grad_norm.is_finite();
        if skipped && scale.is_none() && options.on_not_finite == OnNotFinite::Stop {
            let mut first = None;
            for (number, inputs) in batches.zip(&*inputs) {
                let views: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
                let batch = Batch { inputs: &views, loss_scale: factor, seed: options.seed, step: number };
                let plan = self.plan_for(inputs)?;
                first = first.or(self.plans[plan].find_not_finite(pool, self.parameters, &batch)?);
            }
            let (what, step) = ("the norm of the gradient", self.progress.steps);
            return Err(TrainError::NotFinite { what, step, value: grad_norm, first });
        }
        if let (Some(scaler), Some(state)) = (&options.grad_scaler, &mut self.progress.grad_scaler) {
            let last = state.updates == 0 && self.progress.steps == options.steps;
            if skipped && (state.scale <= scaler.least || last) {
                let step = self.progress.steps;
                return Err(match range {
                    true => TrainError::Range { step, loss },
                    false => TrainError::Overflow { step },
                });
            }
            scaler.update(state, !skipped);
        }
        if skipped {
            self.progress.skipped += 1;
        } else {
            let weights = self.parameters.as_mut_slice();
            self.plans[self.latest].for_each_buffer(|range, value| weights[range].copy_from_slice(value));
            if let Some(average) = &mut self.average {
                average.observe(pool, self.progress.steps, self.parameters);
                self.progress.averaged = average.count;
            }
        }
        self.losses.push(loss);
        let step = self.progress.steps;
        Ok(Event::Step { step, steps: options.steps, loss, grad_norm, learning_rate })
    }

    /// The plan for a batch of this shape. Where there is one only, it says itself what doesn't fit.
    fn plan_for(&self, inputs: &[Vec<f32>]) -> Result<usize, TrainError> {
        if self.plans.len() == 1 {
            return Ok(0);
        }
        let lens = || inputs.iter().map(Vec::len);
        self.plans.iter().position(|plan| plan.input_lens().eq(lens())).ok_or_else(|| {
            let lens: Vec<usize> = lens().collect();
            let place = format!("the batch of step {}", self.progress.steps + 1);
            let problem = format!(
                "has inputs of {lens:?} numbers, for which none of the {} plans is made; compile one of that \
                 shape, too",
                self.plans.len()
            );
            TrainError::Data { place, problem }
        })
    }

    /// The error for a value that is no number, with where it came from.
    fn fail<T>(&mut self, what: &'static str, value: f64, batch: &Batch) -> Result<T, TrainError> {
        let first = self.plans[self.latest].find_not_finite(self.pool, self.parameters, batch)?;
        Err(TrainError::NotFinite { what, step: self.progress.steps + 1, value, first })
    }

    /// Takes a validation loss into account; whether it is the best.
    fn observe(&mut self, loss: f64) -> bool {
        let step = self.progress.steps;
        self.validations.push((step, loss));
        self.progress.plateau.observe(&self.options.schedule, loss);
        let better = self.progress.best.is_none_or(|(best, _)| loss < best - self.options.min_change);
        let improved = better && !loss.is_nan();
        if improved {
            self.progress.best = Some((loss, step));
            self.progress.waited = 0;
            self.best = Some(self.evaluated().clone());
        } else {
            self.progress.waited += 1;
        }
        improved
    }

    fn snapshot(&self, checkpoints: &Checkpoints) -> Result<std::path::PathBuf, TrainError> {
        checkpoints.write(&Snapshot {
            progress: &self.progress,
            options: self.options,
            about: &checkpoints.about,
            weights: self.parameters,
            memory: self.optimizer.memory(),
            best: self.best.as_ref(),
            average: self.average.as_ref().map(|average| &average.parameters),
            losses: &self.losses,
            validations: &self.validations,
        })
    }

    /// Leaves the weights that are kept.
    fn finish(self, watched: Stopwatch) -> History {
        let kept = match (&self.best, &self.average) {
            (Some(best), _) => Some(best),
            (None, Some(average)) if average.count > 0 => Some(&average.parameters),
            _ => None,
        };
        if let Some(kept) = kept {
            self.parameters.as_mut_slice().copy_from_slice(kept.as_slice());
        }
        let elapsed = Duration::from_secs_f64(self.progress.seconds);
        History {
            losses: self.losses,
            validations: self.validations,
            best_step: self.progress.best.map(|(_, step)| step),
            skipped: self.progress.skipped,
            elapsed,
            waited: Duration::try_from_secs_f64(self.progress.batch_seconds).unwrap_or_default(),
            grad_scaler: self.progress.grad_scaler,
            profile: watched.finish(elapsed, self.plans),
        }
    }
}
