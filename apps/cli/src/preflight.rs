//! What can be told to fail before any training begins.

use bessemer::forecast::{Contender, Error, FitOptions, Model};
use bessemer::graph::Op;
use bessemer::nn::Trace;

use crate::error::{CliError, Result};
use crate::machine;
use crate::number;

/// Copies of the parameters that training holds at least: themselves, their gradient, two memories of
/// the optimiser and the best so far.
const COPIES: u128 = 5;

/// Of so many values of the forward pass at least one is kept for the backward pass.
const KEPT: u128 = 4;

/// Refuses a model whose settings make no sense for these lengths, or that the memory could not hold.
pub fn check(model: &Model, options: &FitOptions) -> Result<()> {
    bytes(model, options).map(|_| ())
}

/// Likewise for models of which as many are trained at a time as there are threads.
pub fn check_side_by_side(contenders: &[Contender], threads: usize) -> Result<()> {
    let needs = contenders.iter().map(|contender| bytes(&contender.model, &contender.options));
    let mut needs = needs.collect::<Result<Vec<u128>>>()?;
    needs.sort_unstable_by(|a, b| b.cmp(a));
    let together = needs.len().min(threads);
    memory(
        &format!("--threads {threads}"),
        &format!("the {together} largest models that are trained at a time take at least"),
        needs[..together].iter().sum(),
        "train fewer at a time, or make them smaller",
    )
}

/// The bytes that training takes at least, once the model makes sense and fits by itself.
fn bytes(model: &Model, options: &FitOptions) -> Result<u128> {
    let (lookback, horizon) = (options.lookback, options.horizon);
    for (what, value) in [("lookback", lookback), ("horizon", horizon)] {
        if value == 0 {
            return Err(Error::TooSmall { what, value, minimum: 1 }.into());
        }
    }
    if let Some(problem) = model.network().check(lookback, horizon) {
        return Err(Error::ModelSettings { model: model.name(), problem }.into());
    }
    let mut t = Trace::new(1, options.windows.max(1), true);
    let lags = t.input("lags", &[lookback]);
    model.network().forward(&mut t, lags, horizon).map_err(bessemer::train::TrainError::from)?;
    let shapes = t.graph.parameters().iter().map(|parameter| &parameter.shape);
    let parameters: u128 = shapes.map(|shape| shape.iter().map(|n| *n as u128).product::<u128>()).sum();
    // What a window gives to batch statistics is kept until all windows have met.
    let meets = t.graph.nodes().iter().any(|n| matches!(n.op, Op::BatchMoments(_) | Op::BatchSum(_)));
    let computed = t.graph.nodes().iter().filter(|n| !matches!(n.op, Op::Source(_) | Op::Reshape(_)));
    let values: u128 = computed.flat_map(|n| &n.outputs).map(|v| t.graph.ty(*v).len() as u128).sum();
    let windows = options.windows as u128;
    let kept = if meets { values / KEPT * windows } else { values / KEPT };
    let batch = windows * (lookback + 2 * horizon) as u128 * u128::from(options.train.accumulate);
    let bytes = (parameters * COPIES + kept + batch) * size_of::<f32>() as u128;
    memory(
        &format!("model {}", model.name()),
        &format!("its {parameters} parameters and batches of {windows} windows take at least"),
        bytes,
        "make it smaller with --set, take fewer --batch-windows or --accumulate fewer batches, or shorten the \
         lookback or the horizon",
    )?;
    Ok(bytes)
}

/// Refuses what the free memory could not hold: `needs` says what takes so much.
pub fn memory(place: &str, needs: &str, bytes: u128, remedy: &str) -> Result<()> {
    match machine::memory_free() {
        Some(free) if bytes > u128::from(free) => {
            let (bytes, free) = (number::bytes(bytes), number::bytes(free.into()));
            Err(CliError::argument(place, format!("{needs} {bytes}, but {free} are free"), remedy))
        }
        _ => Ok(()),
    }
}
