//! Several seeds in one plan.

use std::ops::ControlFlow;

use bessemer_nn::Trace;
use bessemer_plan::{Executable, Parameters, Pool};
use bessemer_train::{Event, TrainOptions};

use crate::error::{Error, Result};
use crate::fitter::{WaveFitter, samples, scales};
use crate::lesson::{begin, check_finite};
use crate::models::{Model, Shape};
use crate::options::{FitOptions, failed};
use crate::signal::Signal;
use crate::source::Source;
use crate::split::Split;
use crate::task::PointTask;

/// Seeds in one plan, at most.
const SEEDS_MAX: usize = 64;

/// Fits a model once for each seed, all in one plan: every step makes them see the same points. Each learns what it
/// would alone, but for rounding. Where a single model is too small to keep all threads at work, this takes less
/// time than one fit after the other; with a fit on each thread, as [`fit_seeds`](crate::fit_seeds) has them, none
/// waits for another.
///
/// ```
/// use bessemer_plan::Pool;
/// use bessemer_waves::{FitOptions, Generator, Model, Split, fit_together};
///
/// let signal = Generator::by_name("glitchy-chirp")?.signal()?;
/// let mut options = FitOptions::default();
/// options.train.steps = 20;
/// let (split, model) = (Split::all(&signal), Model::by_name("quasimoto")?);
/// let fits = fit_together(&signal, &split, &model, &options, &[1, 2, 3], &Pool::new(2))?;
/// assert_eq!(fits[2].options().train.seed, 3);
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
///
/// # Errors
/// If there are no seeds or more than 64, or as for one fit. Models that look rows up, packets that are found
/// greedily, validation, clipping and steps that are skipped are refused: they would have to decide for all seeds
/// at once.
pub fn fit_together(
    signal: &Signal,
    split: &Split,
    model: &Model,
    options: &FitOptions,
    seeds: &[u64],
    pool: &Pool,
) -> Result<Vec<WaveFitter>> {
    options.check()?;
    split.check(signal.len())?;
    let (axes, channels) = scales(signal, split, options);
    let shape = |seed| Shape { axes: axes.len(), channels: channels.len(), seed };
    check(split, model, options, seeds, axes.len())?;
    model.parameter_count(shape(0))?;

    let training = samples(signal, &split.train, model, &axes, &channels)?;
    let batch = options.batch.map_or(training.inputs.len(), |batch| batch.min(training.inputs.len()));
    let trace = |samples: usize| -> std::result::Result<Trace, bessemer_nn::GraphError> {
        let mut t = Trace::new(samples, batch, true);
        let points = t.input("points", &[axes.len()]);
        let targets = t.input("targets", &[channels.len()]);
        let loss = options.loss.get();
        let mut sum = None;
        for (place, seed) in seeds.iter().enumerate() {
            let network = model.network();
            let values = t.scope(&scope(place), |t| network.forward(t, points, shape(*seed)))?;
            let own = loss.sum(&mut t, values, targets, None)?;
            sum = Some(sum.map_or(Ok(own), |sum| t.graph.add(sum, own))?);
        }
        if let Some(sum) = sum {
            t.graph.set_loss(sum);
        }
        Ok(t)
    };
    let first = trace(1).map_err(failed)?;
    let mut step =
        Executable::compile(&|samples| Ok(trace(samples)?.graph), batch, &options.plan()).map_err(failed)?;
    let mut all = Parameters::new(step.parameters());
    let begun = seeds.iter().map(|seed| begin(model, shape(*seed)));
    let mut each = begun.collect::<Result<Vec<Parameters>>>()?;
    for (place, own) in each.iter().enumerate() {
        for (at, spec) in own.specs().iter().enumerate() {
            all.get_mut(position(&all, place, &spec.name)).copy_from_slice(own.get(at));
        }
    }
    let mut task = PointTask {
        training,
        validation: None,
        channels: channels.len(),
        loss: options.loss,
        batch,
        seed: options.train.seed,
        order: None,
    };
    let watch = &mut |_: Event| ControlFlow::Continue(());
    let (plans, buffers) = (std::slice::from_mut(&mut step), first.buffers());
    let history =
        bessemer_train::train(&mut task, plans, &mut all, buffers, &options.train, None, pool, watch)?;
    check_finite(&all, &history)?;
    let fitted = each.drain(..).zip(seeds).enumerate().map(|(place, (mut parameters, seed))| {
        for at in 0..parameters.specs().len() {
            let from = position(&all, place, &parameters.specs()[at].name);
            parameters.get_mut(at).copy_from_slice(all.get(from));
        }
        let train = TrainOptions { seed: *seed, ..options.train.clone() };
        let options = FitOptions { train, ..options.clone() };
        let (model, source) = (model.clone(), Source::of(signal));
        WaveFitter::fitted(
            model,
            options,
            axes.clone(),
            channels.clone(),
            parameters,
            source,
            history.clone(),
        )
    });
    Ok(fitted.collect())
}

/// Refuses what can't be decided for every seed by itself.
fn check(split: &Split, model: &Model, options: &FitOptions, seeds: &[u64], axes: usize) -> Result<()> {
    let failed = |problem: String, remedy| Err(Error::Option { what: "seeds", problem, remedy });
    if !(1..=SEEDS_MAX).contains(&seeds.len()) {
        return failed(format!("{} in one plan", seeds.len()), "give 1 to 64");
    }
    let train = &options.train;
    let shared = [
        (model.network().look_ups(axes) > 0, "a model that looks rows up"),
        (options.greedy.is_some(), "packets that are found greedily"),
        (!split.validation.is_empty(), "validation points"),
        (train.clip_norm.is_some(), "clipping"),
        (train.grad_scaler.is_some(), "scaled gradients"),
    ];
    match shared.into_iter().find(|(has, _)| *has) {
        None => Ok(()),
        Some((_, what)) => {
            failed(format!("{what} cannot be shared by them"), "leave it out, or fit one by one")
        }
    }
}

/// The scope of a seed by its place.
fn scope(place: usize) -> String {
    format!("seed{place}")
}

/// Where a parameter of a seed is among those of all.
fn position(all: &Parameters, place: usize, name: &str) -> usize {
    all.find(&format!("{}.{name}", scope(place))).expect("all seeds have the parameters of the model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;

    fn options(steps: u64) -> FitOptions {
        let mut options = FitOptions { micro_batch: Some(16), lanes: Some(3), ..FitOptions::default() };
        options.train.steps = steps;
        options
    }

    #[test]
    fn each_learns_what_it_would_alone() {
        let signal = Generator::by_name("multi-tone").unwrap().with_size(60).signal().unwrap();
        let (split, pool) = (Split::all(&signal), Pool::new(2));
        for name in ["quasimoto", "packets", "siren", "rff"] {
            let model = Model::by_name(name).unwrap();
            let together = fit_together(&signal, &split, &model, &options(20), &[4, 9], &pool).unwrap();
            for (mut fitted, seed) in together.into_iter().zip([4, 9]) {
                let mut alone = options(20);
                alone.train.seed = seed;
                let mut alone = WaveFitter::fit(&signal, &split, &model, &alone, &pool).unwrap();
                let (a, b) = (
                    fitted.predict(signal.points(), &pool).unwrap(),
                    alone.predict(signal.points(), &pool).unwrap(),
                );
                for (a, b) in a.iter().zip(&b) {
                    assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{name}, seed {seed}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let signal = Generator::by_name("step").unwrap().with_size(50).signal().unwrap();
        let (split, model) = (Split::all(&signal), Model::by_name("siren").unwrap());
        let bits = |threads| -> Vec<u32> {
            let fits =
                fit_together(&signal, &split, &model, &options(5), &[1, 2], &Pool::new(threads)).unwrap();
            fits.iter().flat_map(|fit| fit.parameters.as_slice()).map(|x| x.to_bits()).collect()
        };
        assert_eq!(bits(1), bits(3));
    }

    #[test]
    fn what_cannot_be_shared_is_refused() {
        let signal = Generator::by_name("step").unwrap().with_size(50).signal().unwrap();
        let (split, pool) = (Split::all(&signal), Pool::new(1));
        let refused = |model: &str, options: &FitOptions, seeds: &[u64]| {
            let model = Model::by_name(model).unwrap();
            fit_together(&signal, &split, &model, options, seeds, &pool).err().unwrap().to_string()
        };
        let mut clipped = options(1);
        clipped.train.clip_norm = Some(1.0);
        assert!(refused("siren", &clipped, &[1]).contains("clipping cannot be shared"));
        assert!(refused("grid", &options(1), &[1]).contains("looks rows up"));
        assert!(refused("siren", &options(1), &[]).contains("0 in one plan; give 1 to 64"));
    }
}
