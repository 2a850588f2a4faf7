//! What one core does in sums of wave packets: nanoseconds a wave and point, forward (to predict, and to
//! train, where it keeps what backward reads) and backward. Without derivatives also the share of what the
//! processor could do, by vector instructions counted.
//!
//! `cargo run --release -p bessemer-kernels --example wave_packets_speed`
//!
//! The count, for a vector of points and a wave, of the faithful form with s axes of space: 19 for each of three
//! sines with its cosine, 11 for the envelope, 9 for products and the sum, and 4 s + 1 for phases and positions;
//! backward 11 + 5 s. Of packets with d axes: 19, 11 and 4, and 4 d, with d more for the chirp and d - 1 for the
//! motion; backward 4 + 8 d, with d and 2 (d - 1) more. Loads, stores and sums over the points come on top.

use std::time::{Duration, Instant};

use bessemer_kernels::arena::Arena;
use bessemer_kernels::peak::measure_flops;
use bessemer_kernels::wave_packets::{
    Form, Gradients, OutputGradients, Outputs, WavePackets, wave_packets_backward,
    wave_packets_backward_scratch, wave_packets_forward, wave_packets_forward_scratch,
};

fn main() {
    let peak = measure_flops(5);
    println!("peak {:.0} GFLOP/s: {:.3} ns for 16 multiply-adds", peak / 1e9, 32.0 / peak * 1e9);
    println!("ns a wave-point{:>21} {:>9} {:>15}", "predict", "forward", "backward");
    let faithful = |space| Form::Faithful { space };
    let packet = |axes, chirp, moving| Form::Packet { axes, chirp, moving };
    for (name, form, waves) in [
        ("faithful 1-D", faithful(1), 16),
        ("faithful 4-D", faithful(3), 8),
        ("faithful 6-D", faithful(5), 6),
        ("packet 1-D", packet(1, false, false), 16),
        ("chirp 1-D", packet(1, true, false), 16),
        ("moving chirp 2-D", packet(2, true, true), 16),
        ("packet 4-D", packet(4, false, false), 8),
    ] {
        for order in 0..3 {
            let shape = WavePackets { form, order, points: 250, waves, outputs: 1 };
            let points = numbers(shape.points * form.axes(), 4.0);
            let packets = numbers(form.rows() * waves, 1.0);
            let head = numbers(waves, 1.0);
            let along = |least| if order < least { 0 } else { shape.points * form.axes() };
            let lens = [shape.points, along(1), along(2)];
            let given = lens.map(|n| numbers(n, 1.0));
            let mut y = lens.map(|n| vec![0.0; n]);
            // On the boundaries of vectors, as a plan lays it out.
            let mut kept = Arena::new(shape.kept_len());
            let kept = kept.as_mut_slice();
            let mut scratch = Arena::new(wave_packets_forward_scratch(&shape));
            let mut forward = |kept: &mut [f32]| {
                let [y, first, second] = &mut y;
                wave_packets_forward(
                    &shape,
                    &points,
                    &packets,
                    &head,
                    Outputs { y, first, second, kept },
                    scratch.as_mut_slice(),
                );
            };
            let predicting = seconds(|| forward(&mut []));
            let keeping = seconds(|| forward(kept));
            let mut scratch = Arena::new(wave_packets_backward_scratch(&shape));
            let (mut to_packets, mut to_head) = (packets.clone(), head.clone());
            let given = OutputGradients {
                y: Some(&given[0]),
                first: (order > 0).then_some(&given[1]),
                second: (order > 1).then_some(&given[2]),
            };
            let backward = seconds(|| {
                let to = Gradients {
                    packets: &mut to_packets,
                    add_packets: false,
                    head: &mut to_head,
                    add_head: false,
                };
                wave_packets_backward(&shape, &packets, &head, kept, given, to, scratch.as_mut_slice());
            });
            let each = |seconds: f64| seconds * 1e9 / (shape.points * waves) as f64;
            let share = |instructions: usize, seconds: f64| match order {
                0 => format!("{:>5.0}%", 3200.0 / peak * instructions as f64 / (each(seconds) * 16e-9)),
                _ => String::new(),
            };
            let (there, back) = instructions(form);
            println!(
                "{name:>16}, order {order} {:>9.3} {:>9.3}{:6} {:>9.3}{:6}",
                each(predicting),
                each(keeping),
                share(there, keeping),
                each(backward),
                share(back, backward),
            );
        }
    }
}

/// Vector instructions of a vector of points and a wave, forward and backward.
fn instructions(form: Form) -> (usize, usize) {
    match form {
        Form::Faithful { space } => (3 * 19 + 11 + 9 + 4 * space + 1, 11 + 5 * space),
        Form::Packet { axes, chirp, moving } => {
            let chirps = if chirp { axes } else { 0 };
            let moves = if moving { axes - 1 } else { 0 };
            (19 + 11 + 4 + 4 * axes + chirps + moves, 4 + 8 * axes + chirps + 2 * moves)
        }
    }
}

fn numbers(len: usize, scale: f32) -> Vec<f32> {
    (0..len).map(|i| ((i as f64 * 0.754_877_666_2 + 0.1).fract() * 2.0 - 1.0) as f32 * scale).collect()
}

/// The fastest of many runs: other work on the machine only ever slows one down.
fn seconds(mut run: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(150) {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best.as_secs_f64()
}
