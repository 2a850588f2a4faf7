//! The same fit from several seeds.

use std::ops::ControlFlow;

use bessemer_study::Jobs;
use bessemer_train::TrainOptions;

use crate::error::Result;
use crate::fitter::WaveFitter;
use crate::models::Model;
use crate::options::FitOptions;
use crate::scores::Outcome;
use crate::signal::Signal;
use crate::split::Split;

/// Fits and evaluates a model once for each seed, in their order, one fit on each thread. The split stays the
/// same, so that what differs is the model's luck: narrow networks of sines depend on it much.
///
/// ```
/// use bessemer_plan::Pool;
/// use bessemer_study::{Jobs, Spread};
/// use bessemer_waves::{FitOptions, Generator, Model, Split, fit_seeds};
///
/// let signal = Generator::by_name("multi-tone")?.with_size(64).signal()?;
/// let mut options = FitOptions::default();
/// options.train.steps = 20;
/// let (split, model, pool) = (Split::all(&signal), Model::by_name("rff")?, Pool::new(2));
/// let fits = fit_seeds(&signal, &split, &model, &options, &[1, 2, 3], &Jobs::new(&pool))?;
/// let errors: Vec<f64> = fits.iter().map(|(_, outcome)| outcome.scores[0].mse).collect();
/// assert!(Spread::of(&errors).deviation > Some(0.0));
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
///
/// # Errors
/// The first of any fit, or that all were told to stop.
pub fn fit_seeds(
    signal: &Signal,
    split: &Split,
    model: &Model,
    options: &FitOptions,
    seeds: &[u64],
    jobs: &Jobs,
) -> Result<Vec<(WaveFitter, Outcome)>> {
    let fits = jobs.run(seeds, |seed, job| {
        let train = TrainOptions { seed: *seed, ..options.train.clone() };
        let options = FitOptions { train, ..options.clone() };
        let watch = &mut |_: bessemer_train::Event| {
            if job.is_halted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut fitted = WaveFitter::fit_watched(signal, split, model, &options, None, &job.pool, watch)?;
        let outcome = fitted.evaluate(signal, split, &job.pool)?;
        Ok((fitted, outcome))
    });
    Ok(fits?)
}
