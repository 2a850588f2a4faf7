//! Fitting, saving and reading, from the outside.

mod bad_input;
mod fitting;
mod folder;
mod offsets;

use bessemer_waves::{FitOptions, Generator, Model, Signal, Split, SplitOptions, models};

/// A small signal of two axes with points of every part.
fn packet() -> (Signal, Split) {
    let signal = Generator::MovingPacket(bessemer_waves::generate::MovingPacket { size: 24, times: 6 });
    let signal = signal.signal().unwrap();
    let options = SplitOptions {
        extrapolated: Some(bessemer_waves::Extrapolated { axis: "t".into(), share: 0.1 }),
        interleaved: Some(6),
        validation: 0.1,
        ..SplitOptions::default()
    };
    let split = Split::new(&signal, &options).unwrap();
    (signal, split)
}

fn steps(steps: u64) -> FitOptions {
    let mut options = FitOptions::default();
    options.train.steps = steps;
    options
}

/// Every model, small.
fn small_models() -> Vec<Model> {
    let shape = models::Shape { axes: 2, channels: 1, seed: 1 };
    let model = |name: &&str| match *name {
        // The smallest of them has more.
        "grid" => Model::Grid(models::Grid { cells: 1, ..models::Grid::default() }),
        name => Model::by_name(name).unwrap().with_parameters(150, shape).unwrap(),
    };
    Model::NAMES.iter().map(model).collect()
}
