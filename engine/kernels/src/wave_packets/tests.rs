//! The kernels against the definition in f64, differentiated by differences.

use proptest::prelude::*;

use super::*;
use crate::Isa;

/// One wave in f64, from its rows.
fn psi(form: Form, p: &[f64], x: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    match form {
        Form::Faithful { space: s } => {
            let (x, t) = (&x[..s], x[s]);
            let (k, omega, v, log_sigma) = (&p[1..=s], p[s + 1], &p[s + 2..2 * s + 2], p[2 * s + 2]);
            let (phi, epsilon, lambda) = (p[2 * s + 3], p[2 * s + 4], &p[2 * s + 5..]);
            let square: f64 = (0..s).map(|i| ((x[i] - v[i] * t) / log_sigma.exp()).powi(2)).sum();
            let modulation = (phi + epsilon * dot(lambda, x).cos()).sin();
            p[0] * (dot(k, x) - omega * t).cos() * (-0.5 * square).exp() * modulation
        }
        Form::Packet { axes: d, chirp, moving } => {
            let mut u: Vec<f64> = (0..d).map(|i| x[i] - p[i]).collect();
            if moving {
                let v = &p[p.len() - (d - 1)..];
                for i in 0..d - 1 {
                    u[i] -= v[i] * u[d - 1];
                }
            }
            let mut phase = p[3 * d] + dot(&p[2 * d..3 * d], &u);
            if chirp {
                phase += (0..d).map(|i| p[3 * d + 1 + i] * u[i] * u[i]).sum::<f64>();
            }
            phase.cos() * (-0.5 * (0..d).map(|i| (u[i] / p[d + i].exp()).powi(2)).sum::<f64>()).exp()
        }
    }
}

/// The wave, its first derivatives, its second, as many as `order` says.
fn jet(form: Form, order: usize, p: &[f64], x: &[f64]) -> Vec<f64> {
    let h = 2e-3;
    let along = |axis: usize, step: f64| {
        let mut x = x.to_vec();
        x[axis] += step * h;
        psi(form, p, &x)
    };
    let middle = psi(form, p, x);
    let mut all = vec![middle];
    // Of the sixth order, so that steps can be long enough for second derivatives to keep their digits.
    if order > 0 {
        all.extend((0..x.len()).map(|axis| {
            let pair = |n: f64| along(axis, n) - along(axis, -n);
            (45.0 * pair(1.0) - 9.0 * pair(2.0) + pair(3.0)) / (60.0 * h)
        }));
    }
    if order > 1 {
        all.extend((0..x.len()).map(|axis| {
            let pair = |n: f64| along(axis, n) + along(axis, -n);
            (270.0 * pair(1.0) - 27.0 * pair(2.0) + 2.0 * pair(3.0) - 490.0 * middle) / (180.0 * h * h)
        }));
    }
    all
}

fn forms() -> Vec<Form> {
    let packets = (1..=MAX_AXES).flat_map(|axes| {
        [(false, false), (false, true), (true, false), (true, true)]
            .into_iter()
            .filter(move |(_, moving)| axes > 1 || !moving)
            .map(move |(chirp, moving)| Form::Packet { axes, chirp, moving })
    });
    (1..=7).map(|space| Form::Faithful { space }).chain(packets).collect()
}

/// Results of both directions.
struct Run {
    y: [Vec<f32>; 3],
    packets: Vec<f32>,
    head: Vec<f32>,
}

fn run(
    shape: &WavePackets,
    x: &[f32],
    packets: &[f32],
    head: &[f32],
    given: &[Vec<f32>; 3],
    add: bool,
) -> Run {
    let derivatives = |least| if shape.order < least { 0 } else { shape.form.axes() };
    let mut y = [1, derivatives(1), derivatives(2)].map(|n| vec![f32::NAN; n * shape.points * shape.outputs]);
    let mut kept = vec![f32::NAN; shape.kept_len()];
    let mut scratch = vec![f32::NAN; wave_packets_forward_scratch(shape)];
    let mut forward = |y: &mut [Vec<f32>; 3], kept: &mut [f32]| {
        let [y, first, second] = y;
        wave_packets_forward(shape, x, packets, head, Outputs { y, first, second, kept }, &mut scratch);
    };
    forward(&mut y, &mut kept);
    let mut alone = y.clone();
    forward(&mut alone, &mut []);
    assert!(alone == y || y.iter().flatten().any(|y| y.is_nan()), "the same whether kept or not");
    let mut scratch = vec![f32::NAN; wave_packets_backward_scratch(shape)];
    let start = if add { 0.5 } else { f32::NAN };
    let (mut to_packets, mut to_head) = (vec![start; packets.len()], vec![start; head.len()]);
    let given = [0, 1, 2].map(|i| (shape.order >= i).then_some(&given[i][..]));
    let given = OutputGradients { y: given[0], first: given[1], second: given[2] };
    let to = Gradients { packets: &mut to_packets, add_packets: add, head: &mut to_head, add_head: add };
    wave_packets_backward(shape, packets, head, &kept, given, to, &mut scratch);
    Run { y, packets: to_packets, head: to_head }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn waves_match_their_definition(
        form in proptest::sample::select(forms()), order in 0..3usize, points in 1..70usize, waves in 1..4usize,
        outputs in 1..3usize, add: bool, seed: u64,
    ) {
        let shape = WavePackets { form, order, points, waves, outputs };
        let (axes, rows) = (form.axes(), form.rows());
        let mut site = 0;
        let mut numbers = |n: usize, scale: f32| {
            site += 1;
            let mut x = vec![0.0; n];
            crate::random::fill_normal(crate::random::Stream { seed, step: 0, site }, 0, &mut x);
            x.iter_mut().for_each(|x| *x *= scale);
            x
        };
        let x = numbers(points * axes, 0.7);
        let packets = numbers(rows * waves, 0.6);
        let head = numbers(outputs * waves, 1.0);
        let given = [1, axes, axes].map(|n| numbers(n * points * outputs, 1.0));

        let to_f64 = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let wave = |w: usize| (0..rows).map(|row| f64::from(packets[row * waves + w])).collect::<Vec<_>>();
        let jets: Vec<Vec<Vec<f64>>> = (0..points)
            .map(|n| {
                let x = to_f64(&x[n * axes..(n + 1) * axes]);
                (0..waves).map(|w| jet(form, order, &wave(w), &x)).collect()
            })
            .collect();
        // What the sum of all values, weighed as given, weighs a wave's jet with.
        let weight = |n: usize, o: usize, i: usize| -> f64 {
            f64::from(match i {
                0 => given[0][n * outputs + o],
                i if i <= axes => given[1][(n * outputs + o) * axes + i - 1],
                i => given[2][(n * outputs + o) * axes + i - 1 - axes],
            })
        };
        let head_of = |o: usize, w: usize| f64::from(head[o * waves + w]);
        for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
            let got = isa.force(|| run(&shape, &x, &packets, &head, &given, add));
            let start = if add { 0.5 } else { 0.0 };
            for (n, jets) in jets.iter().enumerate() {
                for o in 0..outputs {
                    for i in 0..1 + order * axes {
                        let value = match i {
                            0 => got.y[0][n * outputs + o],
                            i if i <= axes => got.y[1][(n * outputs + o) * axes + i - 1],
                            i => got.y[2][(n * outputs + o) * axes + i - 1 - axes],
                        };
                        let exact: f64 = (0..waves).map(|w| head_of(o, w) * jets[w][i]).sum();
                        // Derivatives are differences of terms as large as the slopes, squared.
                        let size: f64 = 1.0 + jets.iter().flatten().map(|v| v.abs()).sum::<f64>();
                        prop_assert!((f64::from(value) - exact).abs() <= 1e-5 * size,
                            "{isa} point {n}, output {o}, value {i}: {value}, not {exact}");
                    }
                }
            }
            for w in 0..waves {
                for o in 0..outputs {
                    let terms = || (0..points).flat_map(|n| {
                        let jet = &jets[n][w];
                        (0..jet.len()).map(move |i| (n, i, jet[i]))
                    });
                    let exact = start + terms().map(|(n, i, v)| weight(n, o, i) * v).sum::<f64>();
                    let size = 1.0 + terms().map(|(n, i, v)| (weight(n, o, i) * v).abs()).sum::<f64>();
                    let value = got.head[o * waves + w];
                    prop_assert!((f64::from(value) - exact).abs() <= 2e-5 * size,
                        "{isa} head {o} {w}: {value}, not {exact}");
                }
                for row in 0..rows {
                    let mut p = wave(w);
                    let h = 1e-4;
                    let mut at = |step: f64| -> Vec<Vec<f64>> {
                        p[row] += step;
                        let jets = (0..points)
                            .map(|n| jet(form, order, &p, &to_f64(&x[n * axes..(n + 1) * axes])))
                            .collect();
                        p[row] -= step;
                        jets
                    };
                    let (above, below) = (at(h), at(-h));
                    let (mut exact, mut size) = (start, 1.0);
                    for n in 0..points {
                        for i in 0..above[n].len() {
                            let slope = (above[n][i] - below[n][i]) / (2.0 * h);
                            for o in 0..outputs {
                                let term = head_of(o, w) * weight(n, o, i) * slope;
                                exact += term;
                                size += term.abs();
                            }
                        }
                    }
                    let value = got.packets[row * waves + w];
                    prop_assert!((f64::from(value) - exact).abs() <= 1e-4 * size,
                        "{isa} row {row} of wave {w}: {value}, not {exact}");
                }
            }
        }
    }
}

fn forward(shape: &WavePackets, x: &[f32], packets: &[f32]) -> Vec<f32> {
    let none = [Vec::new(), Vec::new(), Vec::new()];
    let head = vec![1.0; shape.waves];
    let given = [vec![1.0; shape.points], none[1].clone(), none[2].clone()];
    let [y, ..] = run(shape, x, packets, &head, &given, false).y;
    y
}

#[test]
fn phases_of_thousands_keep_their_digits() {
    let form = Form::Packet { axes: 1, chirp: false, moving: false };
    let shape = WavePackets { form, order: 0, points: 1000, waves: 1, outputs: 1 };
    let x: Vec<f32> = (0..1000).map(|i| 10.0 * ((i as f32 * 0.618_034).fract() - 0.5)).collect();
    // Centre 0, width e^3, frequency 1,000.
    let packets = [0.0, 3.0, 1000.0, 0.25];
    let p = packets.map(f64::from);
    for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
        let y = isa.force(|| forward(&shape, &x, &packets));
        for (x, y) in x.iter().zip(y) {
            let exact = psi(form, &p, &[f64::from(*x)]);
            // The phase is rounded to a float, once or, without a fused multiply-add, twice.
            let phase = 1000.0 * f64::from(x.abs()) + 0.25;
            let bound = phase * 2f64.powi(-23) + 1e-6;
            assert!((f64::from(y) - exact).abs() <= bound, "{isa} at {x}: {y}, not {exact}");
        }
    }
}

#[test]
fn far_away_there_is_nothing() {
    // Envelopes of 2^-63 and of 2^-65: the first is there, the second isn't, and nothing is below the
    // normal range, where arithmetic is slow.
    let distance = |exponent: f32| (2.0 * exponent * std::f32::consts::LN_2).sqrt();
    let form = Form::Packet { axes: 1, chirp: false, moving: false };
    let shape = WavePackets { form, order: 0, points: 4, waves: 1, outputs: 1 };
    let x = [distance(63.0), distance(65.0), 1e3, 1e30];
    for isa in Isa::available() {
        let y = isa.force(|| forward(&shape, &x, &[0.0, 0.0, 0.0, 0.0]));
        assert!((y[0] / 2f32.powi(-63) - 1.0).abs() < 1e-4, "{isa}: {}", y[0]);
        assert_eq!(y[1..], [0.0; 3], "{isa}");
    }
}

#[test]
fn nan_stays_at_its_point_and_is_not_lost() {
    for form in [Form::Faithful { space: 2 }, Form::Packet { axes: 3, chirp: true, moving: true }] {
        let shape = WavePackets { form, order: 0, points: 37, waves: 2, outputs: 1 };
        let mut x = vec![0.25; 37 * 3];
        x[3 * 11 + 1] = f32::NAN;
        for isa in Isa::available() {
            let packets = vec![0.5; form.rows() * 2];
            let given = [vec![1.0; 37], Vec::new(), Vec::new()];
            let got = isa.force(|| run(&shape, &x, &packets, &[1.0; 2], &given, false));
            for (n, y) in got.y[0].iter().enumerate() {
                assert_eq!(y.is_nan(), n == 11, "{isa} at {n}");
            }
            assert!(got.packets.iter().chain(&got.head).all(|g| g.is_nan()), "{isa}: {:?}", got.packets);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let packet = |axes, moving| Form::Packet { axes, chirp: false, moving };
    for (form, order) in [
        (Form::Faithful { space: 0 }, 0),
        (Form::Faithful { space: 8 }, 0),
        (packet(0, false), 0),
        (packet(9, false), 0),
        (packet(1, true), 0),
        (packet(2, false), 3),
    ] {
        let shape = WavePackets { form, order, points: 1, waves: 1, outputs: 1 };
        assert!(std::panic::catch_unwind(|| shape.check(&[], &[])).is_err(), "{shape:?}");
    }
}
