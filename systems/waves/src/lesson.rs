//! Trainings of models on the same points.

use std::ops::ControlFlow;

use bessemer_nn::{Trace, initialize};
use bessemer_plan::{Executable, Parameters, Pool};
use bessemer_train::{Checkpoints, Event, History, TrainError, TrainOptions};

use crate::error::{Error, Result};
use crate::greedy::{Greedy, Residual};
use crate::models::{Model, Packet, Packets, Shape};
use crate::options::{FitOptions, failed, training_trace};
use crate::predictor::Predictor;
use crate::rounds::{Rounds, kept};
use crate::task::PointTask;

/// Trainings on the same points, one after the other.
pub(crate) struct Lesson<'a> {
    pub task: PointTask,
    pub shape: Shape,
    pub options: &'a FitOptions,
    pub pool: &'a Pool,
}

impl Lesson<'_> {
    /// Finds packets in rounds, each followed by a training of all so far: parameters to begin with. After each round
    /// there is a checkpoint, if there are to be any; `begun` are the rounds that an earlier run has kept.
    pub fn find_packets(
        &mut self,
        greedy: &Greedy,
        kind: &Packets,
        begun: Option<Rounds>,
        checkpoints: Option<&Checkpoints>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Parameters> {
        let (shape, seed) = (self.shape, self.options.train.seed);
        let points = self.task.training.inputs.points().to_vec();
        let train = greedy.training(&self.options.train);
        let _lock = checkpoints.map(Checkpoints::begin).transpose()?;
        if let Some(begun) = &begun {
            _ = watch(Event::Resumed { step: begun.done * greedy.steps });
        }
        let none = Rounds { done: 0, found: Vec::new(), bias: vec![0.0; shape.channels] };
        let Rounds { done, mut found, mut bias } = begun.unwrap_or(none);
        for round in done as usize + 1..=greedy.rounds {
            let mut values = self.task.training.targets.clone();
            if found.is_empty() {
                values.chunks_exact_mut(shape.channels).for_each(|values| {
                    values.iter_mut().zip(&bias).for_each(|(value, bias)| *value -= bias);
                });
            } else {
                let (model, parameters) = self.with_packets(kind, found.len(), &found, &bias)?;
                let len = self.task.training.inputs.len();
                let mut predictor = Predictor::new(&model, shape, self.options.precision, len)?;
                let predicted = predictor.predict(self.pool, &parameters, &self.task.training.inputs)?;
                values.iter_mut().zip(&predicted).for_each(|(value, predicted)| *value -= predicted);
            }
            let mut residual =
                Residual { points: &points, values, axes: shape.axes, channels: shape.channels };
            let wanted = greedy.after(round, kind.count).saturating_sub(found.len());
            let share = (round - 1) as f64 / greedy.rounds as f64;
            found.extend(residual.find(kind, greedy, wanted, share, (seed, round as u64), self.pool));
            if found.is_empty() || greedy.steps == 0 {
                continue;
            }
            let (model, parameters) = self.with_packets(kind, found.len(), &found, &bias)?;
            let before = (round - 1) as u64 * greedy.steps;
            let learned = self.learn(&model, Some(parameters), &train, before, None, watch);
            let (parameters, _) = learned.map_err(|error| kept(error, checkpoints))?;
            let kind = Packets { count: found.len(), ..kind.clone() };
            found = kind.packets(&parameters, shape);
            bias = Packets::bias(&parameters).to_vec();
            if let Some(checkpoints) = checkpoints {
                Rounds { done: round as u64, found: found.clone(), bias: bias.clone() }
                    .write(checkpoints, greedy)?;
            }
        }
        if let Some(checkpoints) = checkpoints {
            // What trains all packets has checkpoints of its own in this folder.
            for file in checkpoints.files()? {
                std::fs::remove_file(&file).map_err(|source| Error::Write { path: file, source })?;
            }
        }
        Ok(self.with_packets(kind, kind.count, &found, &bias)?.1)
    }

    /// Leaves out packets of little energy, and trains the others once more.
    pub fn drop_weak(
        &mut self,
        greedy: &Greedy,
        kind: &Packets,
        parameters: Parameters,
        before: u64,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(Model, Parameters)> {
        let packets = kind.packets(&parameters, self.shape);
        let energies = kind.energies(&packets, self.task.training.inputs.points(), self.shape.axes);
        let least = greedy.drop_below * energies.iter().sum::<f64>();
        let mut strong: Vec<Packet> = Vec::new();
        strong
            .extend(packets.into_iter().zip(energies).filter(|(_, energy)| *energy >= least).map(|(p, _)| p));
        if strong.len() == kind.count || strong.is_empty() {
            return Ok((Model::Packets(kind.clone()), parameters));
        }
        let bias = Packets::bias(&parameters).to_vec();
        let (model, parameters) = self.with_packets(kind, strong.len(), &strong, &bias)?;
        let (parameters, _) =
            self.learn(&model, Some(parameters), &greedy.training(&self.options.train), before, None, watch)?;
        Ok((model, parameters))
    }

    /// A model of so many packets, and parameters that hold those that are given; others have no amplitude.
    fn with_packets(
        &self,
        kind: &Packets,
        count: usize,
        given: &[Packet],
        bias: &[f32],
    ) -> Result<(Model, Parameters)> {
        let kind = Packets { count, ..kind.clone() };
        let model = Model::Packets(kind.clone());
        let mut parameters = begin(&model, self.shape)?;
        let mut packets = kind.packets(&parameters, self.shape);
        packets.iter_mut().for_each(|packet| packet.amplitudes.fill(0.0));
        packets[..given.len()].clone_from_slice(given);
        kind.set(&mut parameters, self.shape, &packets, bias);
        Ok((model, parameters))
    }

    /// Trains a model from these parameters, or from its own. `before` steps were told of already, and all are
    /// told of as of one training.
    pub fn learn(
        &mut self,
        model: &Model,
        begun: Option<Parameters>,
        train: &TrainOptions,
        before: u64,
        checkpoints: Option<&Checkpoints>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(Parameters, History)> {
        let (batch, shape, loss) = (self.task.batch, self.shape, self.task.loss);
        let first = training_trace(1, batch, model, shape, loss).map_err(failed)?;
        let trace = |samples| Ok(training_trace(samples, batch, model, shape, loss)?.graph);
        let mut step = Executable::compile(&trace, batch, &self.options.plan()).map_err(failed)?;
        let mut parameters = begun.map_or_else(|| begin(model, shape), Ok)?;
        let greedy = self.options.greedy.map_or(0, |greedy| greedy.rounds as u64 * greedy.steps);
        let all = (greedy + self.options.train.steps).max(before + train.steps);
        if let Some((samples, predictor)) = &mut self.task.validation {
            *predictor = Predictor::new(model, shape, self.options.precision, samples.inputs.len())?;
        }
        let trained = bessemer_train::train(
            &mut self.task,
            std::slice::from_mut(&mut step),
            &mut parameters,
            first.buffers(),
            train,
            checkpoints,
            self.pool,
            &mut |event| watch(later(event, before, all)),
        );
        let history = trained.map_err(|error| match error {
            TrainError::Stopped { step, checkpoint } => {
                TrainError::Stopped { step: step + before, checkpoint }
            }
            error => error,
        })?;
        check_finite(&parameters, &history)?;
        Ok((parameters, history))
    }
}

/// The same event so many steps later, of a training of `all` steps.
fn later(event: Event, before: u64, all: u64) -> Event {
    match event {
        Event::Step { step, steps: _, loss, grad_norm, learning_rate } => {
            Event::Step { step: step + before, steps: all, loss, grad_norm, learning_rate }
        }
        Event::Validation { step, loss, best } => Event::Validation { step: step + before, loss, best },
        Event::Checkpoint { step } => Event::Checkpoint { step: step + before },
        Event::Resumed { step } => Event::Resumed { step: step + before },
        Event::Problem { problem } => Event::Problem { problem },
    }
}

/// A model's parameters as they start.
pub(crate) fn begin(model: &Model, shape: Shape) -> Result<Parameters> {
    let mut t = Trace::new(1, 1, false);
    let points = t.input("points", &[shape.axes]);
    model.network().forward(&mut t, points, shape).map_err(failed)?;
    let mut parameters = Parameters::new(t.graph.parameters());
    initialize(&mut parameters, t.inits(), shape.seed);
    model.network().start(&mut parameters, shape);
    Ok(parameters)
}

/// Refuses weights that are no numbers any more.
pub(crate) fn check_finite(parameters: &Parameters, history: &History) -> Result<()> {
    match parameters.as_slice().iter().find(|weight| !weight.is_finite()) {
        None => Ok(()),
        Some(value) => {
            let (step, value) = (history.losses.len() as u64, f64::from(*value));
            Err(failed(TrainError::NotFinite { what: "a weight", step, value, first: None }))
        }
    }
}
