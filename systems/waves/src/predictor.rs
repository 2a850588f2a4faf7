//! Values at many points.

use bessemer_nn::Trace;
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool, Precision};

use crate::error::Result;
use crate::inputs::Inputs;
use crate::models::{Model, Shape};
use crate::options::failed;

/// Points predicted at a time, at most.
const BATCH_MAX: usize = 8192;

/// A model compiled to predict batches of points.
pub(crate) struct Predictor {
    run: Executable,
    batch: usize,
    buffers: Vec<Vec<f32>>,
}

impl Predictor {
    /// For so many points: all in one batch, or in several.
    pub fn new(model: &Model, shape: Shape, precision: Precision, points: usize) -> Result<Predictor> {
        let batch = Predictor::batch(points);
        let trace = |samples: usize| {
            let mut t = Trace::new(samples, batch, false);
            let points = t.input("points", &[shape.axes]);
            let values = model.network().forward(&mut t, points, shape)?;
            t.graph.output("values", values);
            Ok(t.graph)
        };
        let plan = PlanOptions { precision, ..PlanOptions::INFER };
        let run = Executable::compile(&trace, batch, &plan).map_err(failed)?;
        let buffers = run.input_lens().map(|len| vec![0.0; len]).collect();
        Ok(Predictor { run, batch, buffers })
    }

    /// The batch in which so many points are predicted: of few sizes, so that one plan serves for many.
    fn batch(points: usize) -> usize {
        points.max(1).next_power_of_two().min(BATCH_MAX)
    }

    /// Whether it is the one for so many points.
    pub fn is_for(&self, points: usize) -> bool {
        self.batch == Predictor::batch(points)
    }

    /// Scaled values `[N, channels]`.
    pub fn predict(&mut self, pool: &Pool, parameters: &Parameters, inputs: &Inputs) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        for start in (0..inputs.len()).step_by(self.batch) {
            let count = self.batch.min(inputs.len() - start);
            // The last batch is filled up with its own last point.
            inputs.gather((start..start + self.batch).map(|n| n.min(start + count - 1)), &mut self.buffers);
            let views: Vec<&[f32]> = self.buffers.iter().map(Vec::as_slice).collect();
            let batch = Batch { inputs: &views, loss_scale: 0.0, seed: 0, step: 0 };
            self.run.run(pool, parameters, &batch).map_err(failed)?;
            let output = self.run.output("values").unwrap_or(&[]);
            values.extend_from_slice(&output[..output.len() / self.batch * count]);
        }
        Ok(values)
    }
}
