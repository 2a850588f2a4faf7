//! How long training waits for its windows: percent of the time of a fit, for every model.
//!
//! `cargo run --release -p bessemer-forecast --example waiting -- ETTm1.csv`

use std::ops::{ControlFlow, Range};

use bessemer_forecast::{FitOptions, Forecaster, Model, ReadOptions, Split, read};
use bessemer_plan::Pool;

/// Models and steps: ten epochs of the linear ones, whose steps are short, and half of one of the others.
const MODELS: [(&str, u64); 5] =
    [("nlinear", 10_000), ("dlinear", 10_000), ("mlp", 500), ("nhits", 500), ("patchtst", 500)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a file, such as ETTm1.csv")?;
    let frame = read(&path, &ReadOptions::default())?;
    let training: Vec<Range<usize>> = Split::ltsf(&frame).into_iter().map(|split| split.train).collect();
    println!("model       threads   us a step   us waited   percent waited");
    for (name, steps) in MODELS {
        for threads in [1, 2] {
            let mut options = FitOptions::new(96, 336);
            options.train.steps = steps;
            let (model, pool) = (Model::by_name(name)?, Pool::new(threads));
            let mut watch = |_: bessemer_train::Event| ControlFlow::Continue(());
            let fitted =
                Forecaster::fit_within(&frame, &training, None, &model, &options, None, &pool, &mut watch)?;
            let steps = fitted.history.losses.len() as f64;
            let [each, waited] =
                [fitted.history.elapsed, fitted.history.waited].map(|t| 1e6 * t.as_secs_f64() / steps);
            let share = 100.0 * waited / each;
            println!("{name:<10} {threads:>8} {each:>11.1} {waited:>11.2} {share:>16.2}");
        }
    }
    Ok(())
}
