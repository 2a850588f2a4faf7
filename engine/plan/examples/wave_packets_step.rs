//! Forward and backward of full batches of wave packets, by the operation and by elementary operations.
//!
//! `cargo run --release -p bessemer-plan --example wave_packets_step`

#[path = "../tests/elementary_waves/mod.rs"]
mod elementary_waves;

use std::time::{Duration, Instant};

use bessemer_graph::ops::unary::Unary;
use bessemer_graph::ops::wave_packets::{Form, WavePackets};
use bessemer_graph::{Graph, GraphError, Type};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool};

fn trace(form: Form, waves: usize, samples: usize, fused: bool) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let points = g.input("points", Type::f32([samples, form.axes()]));
    let target = g.input("target", Type::f32([samples, 1]));
    let packets = g.parameter("packets", &[form.rows().len(), waves])?;
    let head = g.parameter("head", &[1, waves])?;
    let bias = g.parameter("bias", &[1])?;
    let y = match fused {
        true => g.wave_packets(points, packets, head, WavePackets { form, order: 0 })?[0],
        false => elementary_waves::waves(&mut g, form, points, packets, head)?,
    };
    let y = g.add(y, bias)?;
    let error = g.sub(y, target)?;
    let square = g.apply1(Unary::Square, &[error])?;
    let loss = g.sum_all(square)?;
    g.set_loss(loss);
    Ok(g)
}

fn main() -> Result<(), bessemer_plan::PlanError> {
    println!("µs a step{:>47} {:>10}", "1 thread", "2 threads");
    let faithful = |space| Form::Faithful { space };
    let packet = |axes| Form::Packet { axes, chirp: true, moving: false };
    for (name, form, waves, count) in [
        ("1-D, 16 waves, 1,000 points", faithful(1), 16, 1_000),
        ("4-D, 8 waves, 8,000 points", faithful(3), 8, 8_000),
        ("6-D, 6 waves, 32,768 points", faithful(5), 6, 32_768),
        ("chirps 1-D, 16 waves, 1,000 points", packet(1), 16, 1_000),
    ] {
        for fused in [true, false] {
            let trace = |samples| trace(form, waves, samples, fused);
            let mut step = Executable::compile(&trace, count, &PlanOptions::TRAIN)?;
            let mut parameters = Parameters::new(step.parameters());
            for (i, value) in parameters.as_mut_slice().iter_mut().enumerate() {
                *value = number(1_000 + i);
            }
            let points: Vec<f32> = (0..count * form.axes()).map(|i| 3.0 * number(i)).collect();
            let target: Vec<f32> = (0..count).map(number).collect();
            let batch =
                Batch { inputs: &[&points, &target], loss_scale: 1.0 / count as f32, seed: 0, step: 0 };
            let mut times = [0.0; 2];
            for (threads, time) in [1, 2].into_iter().zip(&mut times) {
                let pool = Pool::new(threads);
                *time = seconds(|| step.run(&pool, &parameters, &batch))? * 1e6;
            }
            let how = if fused { "one operation" } else { "elementary" };
            println!("{name:>35} {how:>14} {:>6.1} {:>10.1}", times[0], times[1]);
        }
    }
    Ok(())
}

fn number(i: usize) -> f32 {
    ((i as f64 * 0.754_877_666_2 + 0.1).fract() * 2.0 - 1.0) as f32
}

/// The fastest of many runs: other work on the machine only ever slows one down.
fn seconds<R, E>(mut run: impl FnMut() -> Result<R, E>) -> Result<f64, E> {
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best.as_secs_f64())
}
