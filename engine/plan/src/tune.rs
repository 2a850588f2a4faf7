//! Choosing the division of a batch by the clock instead of the cost model.

use std::time::Instant;

use bessemer_kernels::pool::Pool;
use bessemer_kernels::random::{Stream, fill_normal};
use serde::Serialize;

use crate::batching::Batching;
use crate::error::PlanError;
use crate::options::PlanOptions;
use crate::parameters::Parameters;
use crate::step::{Batch, Executable, MAX_LANES, Trace};

/// Rounds of all candidates; each counts with its fastest step, as whatever else runs makes it slower.
const ROUNDS: usize = 5;

/// What another division must gain to replace the cost model's.
const WORTH: f64 = 0.97;

/// A division that was timed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Samples in a micro-batch.
    pub micro_batch: usize,
    /// Lanes.
    pub lanes: usize,
    /// Seconds of the fastest step.
    pub seconds: f64,
}

/// What [`tune`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The options given, with the division that is to be used.
    pub options: PlanOptions,
    /// All that was timed, the cost model's choice first.
    pub candidates: Vec<Candidate>,
}

/// Times steps on random data with the cost model's division of a batch and with others around it: the
/// micro-batch down to a quarter and up to four times, then the lanes halved and doubled. The fastest is
/// taken if it gains 3 % at least.
///
/// Another division sums gradients in another order, so that the result of a training differs in its last
/// digits. Whoever is to have the same bits again keeps `micro_batch` and `lanes` of the result.
///
/// # Errors
/// As [`Executable::compile`].
pub fn tune(trace: &Trace, batch: usize, options: &PlanOptions, pool: &Pool) -> Result<Tuned, PlanError> {
    let first = Contender::new(trace, batch, options)?;
    let Batching { micro_batch, lanes, .. } = first.step.batching();
    let mut contenders = vec![first];
    for size in [micro_batch / 4, micro_batch / 2, micro_batch * 2, micro_batch * 4] {
        contend(&mut contenders, trace, batch, options, (size, lanes))?;
    }
    race(&mut contenders, pool)?;
    let size = fastest(&contenders).micro_batch;
    for count in [lanes / 2, lanes * 2] {
        contend(&mut contenders, trace, batch, options, (size, count))?;
    }
    race(&mut contenders, pool)?;
    let best = fastest(&contenders);
    let candidates = contenders.iter().map(Contender::candidate).collect();
    let options = PlanOptions { micro_batch: Some(best.micro_batch), lanes: Some(best.lanes), ..*options };
    Ok(Tuned { options, candidates })
}

/// The fastest, but the first if that is about as fast.
fn fastest(contenders: &[Contender]) -> Candidate {
    let first = contenders[0].candidate();
    let all = contenders.iter().map(Contender::candidate);
    let best = all.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap_or(first);
    if best.seconds < WORTH * first.seconds { best } else { first }
}

/// Adds a division, unless there is no such or it is there already.
fn contend(
    contenders: &mut Vec<Contender>,
    trace: &Trace,
    batch: usize,
    options: &PlanOptions,
    (micro_batch, lanes): (usize, usize),
) -> Result<(), PlanError> {
    if !(1..=batch).contains(&micro_batch) || !(1..=batch.min(MAX_LANES)).contains(&lanes) {
        return Ok(());
    }
    let options = PlanOptions { micro_batch: Some(micro_batch), lanes: Some(lanes), ..*options };
    let new = Contender::new(trace, batch, &options)?;
    if contenders.iter().all(|old| old.step.batching() != new.step.batching()) {
        contenders.push(new);
    }
    Ok(())
}

/// Takes turns, so that what slows the machine down for a while slows all of them.
fn race(contenders: &mut [Contender], pool: &Pool) -> Result<(), PlanError> {
    for _ in 0..ROUNDS {
        for contender in &mut *contenders {
            contender.run(pool)?;
        }
    }
    Ok(())
}

struct Contender {
    step: Executable,
    parameters: Parameters,
    inputs: Vec<Vec<f32>>,
    seconds: f64,
}

impl Contender {
    fn new(trace: &Trace, batch: usize, options: &PlanOptions) -> Result<Contender, PlanError> {
        let step = Executable::compile(trace, batch, options)?;
        let random = |site: usize, out: &mut [f32]| {
            fill_normal(Stream { seed: 1, step: 0, site: site as u32 }, 0, out);
        };
        let mut parameters = Parameters::new(step.parameters());
        random(0, parameters.as_mut_slice());
        parameters.as_mut_slice().iter_mut().for_each(|x| *x *= 0.05);
        let inputs = step.input_lens().zip(step.integer_inputs()).enumerate().map(|(i, (len, integers))| {
            let mut input = vec![0.0; len];
            // The first row of a table is always there.
            if !integers {
                random(i + 1, &mut input);
            }
            input
        });
        let inputs = inputs.collect();
        Ok(Contender { inputs, parameters, step, seconds: f64::INFINITY })
    }

    fn run(&mut self, pool: &Pool) -> Result<(), PlanError> {
        let inputs: Vec<&[f32]> = self.inputs.iter().map(Vec::as_slice).collect();
        let start = Instant::now();
        self.step.run(
            pool,
            &self.parameters,
            &Batch { inputs: &inputs, loss_scale: 1e-3, seed: 1, step: 0 },
        )?;
        self.seconds = self.seconds.min(start.elapsed().as_secs_f64());
        Ok(())
    }

    fn candidate(&self) -> Candidate {
        let Batching { micro_batch, lanes, .. } = self.step.batching();
        Candidate { micro_batch, lanes, seconds: self.seconds }
    }
}
