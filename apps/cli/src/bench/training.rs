//! A model being trained, or only run, on random data.

use bessemer::kernels::random::{Stream, fill_normal};
use bessemer::nn::{GraphError, Trace, initialize};
use bessemer::plan::{Batch, Executable, Parameters, PlanOptions, Pool, Tuned, tune};
use bessemer::train::{Optimizer, OptimizerState, TrainError};

use super::models::BenchModel;
use crate::error::{CliError, Result};
use crate::preflight;

/// A model, its data and its optimiser, AdamW.
pub struct Training {
    pub step: Executable,
    pub parameters: Parameters,
    pool: Pool,
    optimizer: OptimizerState,
    pub inputs: Vec<Vec<f32>>,
    pub loss_scale: f32,
    trains: bool,
    count: u64,
}

impl Training {
    /// Chooses the division of the batch by the clock.
    pub fn tune(model: BenchModel, batch: usize, pool: &Pool, options: &PlanOptions) -> Result<Tuned> {
        let trace = |samples| Ok(graph(model, samples, batch, options.training)?.graph);
        Ok(tune(&trace, batch, options, pool).map_err(TrainError::from)?)
    }

    /// Compiles the step and draws weights and data.
    pub fn new(model: BenchModel, batch: usize, pool: Pool, options: &PlanOptions) -> Result<Training> {
        let data = 4 * (model.inputs(batch) + model.targets(batch)) as u128;
        let fits = |needs: &str, bytes| {
            let remedy = "take a smaller --batch, or a machine with more memory";
            preflight::memory(&format!("model {}", model.name()), needs, bytes, remedy)
        };
        fits("a batch takes", data)?;
        let first = graph(model, 1, batch, options.training).map_err(TrainError::from)?;
        let trace = |samples| Ok(graph(model, samples, batch, options.training)?.graph);
        let step = Executable::compile(&trace, batch, options).map_err(TrainError::from)?;
        fits("a step takes at least", data + 4 * step.arena_floats(pool.threads()) as u128)?;
        let mut parameters = Parameters::new(step.parameters());
        initialize(&mut parameters, first.inits(), 1);
        model.start(&mut parameters);
        let draw = |(i, len): (usize, usize)| {
            let mut data = vec![0.0; len];
            fill_normal(Stream { seed: 1, step: 0, site: i as u32 }, 0, &mut data);
            data
        };
        Ok(Training {
            pool,
            optimizer: OptimizerState::new(Optimizer::ADAMW, &[], &parameters, first.buffers()),
            inputs: step.input_lens().enumerate().map(draw).collect(),
            loss_scale: 1.0 / model.targets(batch) as f32,
            trains: options.training,
            count: 0,
            step,
            parameters,
        })
    }

    /// Forward and, as the options say, backward; the loss. The gradients stay in `step`.
    pub fn gradients(&mut self) -> Result<f64> {
        let views: Vec<&[f32]> = self.inputs.iter().map(Vec::as_slice).collect();
        let batch = Batch { inputs: &views, loss_scale: self.loss_scale, seed: 1, step: self.count };
        Ok(self.step.run(&self.pool, &self.parameters, &batch).map_err(TrainError::from)?)
    }

    /// One step: forward, backward, AdamW; or forward only, as the options say.
    pub fn step(&mut self) -> Result<()> {
        let loss = self.gradients()?;
        if self.trains {
            let (parameters, step) = (&mut self.parameters, &mut self.step);
            // As training does, gradients are looked through before they change anything.
            self.optimizer.step(&self.pool, parameters, step, 1e-3, None, Some(1.0));
        }
        self.count += 1;
        match loss.is_finite() {
            true => Ok(()),
            false => Err(CliError::Bench(format!("the loss is {loss} after {} steps", self.count))),
        }
    }
}

/// The model for so many samples of a batch.
fn graph(
    model: BenchModel,
    samples: usize,
    batch: usize,
    training: bool,
) -> std::result::Result<Trace, GraphError> {
    let mut t = Trace::new(samples, batch, training);
    model.trace(&mut t)?;
    Ok(t)
}
