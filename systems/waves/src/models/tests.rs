//! Every model against its formula, written out in f64 for one point at a time.

use bessemer_graph::{Bindings, Tensor, differentiate, evaluate, gradient_check};
use bessemer_nn::{Trace, initialize};
use bessemer_plan::{Batch, Executable, Parameters, PlanOptions, Pool, as_words};

use super::*;

/// A model's parameters by name.
struct Weights<'a>(&'a Parameters);

impl Weights<'_> {
    /// A tensor as rows of its last axis.
    fn rows(&self, name: &str) -> Vec<Vec<f64>> {
        let index = self.0.find(name).unwrap_or_else(|| panic!("there is no `{name}`"));
        let width = *self.0.specs()[index].shape.last().unwrap();
        let row = |row: &[f32]| row.iter().map(|x| f64::from(*x)).collect();
        self.0.get(index).chunks(width).map(row).collect()
    }

    fn row(&self, name: &str) -> Vec<f64> {
        self.rows(name).concat()
    }

    fn linear(&self, scope: &str, x: &[f64]) -> Vec<f64> {
        let bias = self.row(&format!("{scope}.bias"));
        let weight = self.rows(&format!("{scope}.weight"));
        weight.iter().zip(bias).map(|(row, b)| dot(row, x) + b).collect()
    }

    /// `layer0`, … through an activation, and the head.
    fn layers(&self, x: &[f64], activation: impl Fn(f64) -> f64) -> Vec<f64> {
        let hidden = (0..2).fold(x.to_vec(), |x, number| {
            self.linear(&format!("layer{number}"), &x).into_iter().map(&activation).collect()
        });
        self.linear("head", &hidden)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn wire(w: &Weights, x: &[f64], (w0, s0): (f64, f64)) -> Vec<f64> {
    type C = (f64, f64);
    let gabor = |(a, b): C| {
        let size = (-w0 * b - (s0 * a).powi(2) - (s0 * b).powi(2)).exp();
        (size * (w0 * a).cos(), size * (w0 * a).sin())
    };
    let hidden: Vec<C> = w.linear("layer0", x).into_iter().map(|z| gabor((z, 0.0))).collect();
    let (weight, bias) = (w.rows("layer1.weight"), w.row("layer1.bias"));
    let outputs = bias.len() / 2;
    let hidden: Vec<C> = (0..outputs)
        .map(|out| {
            let start = (bias[out], bias[outputs + out]);
            let sum = hidden.iter().enumerate().fold(start, |sum, (place, (a, b))| {
                let (c, d) = (weight[out][place], weight[outputs + out][place]);
                (sum.0 + a * c - b * d, sum.1 + a * d + b * c)
            });
            gabor(sum)
        })
        .collect();
    let parts: Vec<f64> = hidden.iter().map(|z| z.0).chain(hidden.iter().map(|z| z.1)).collect();
    w.linear("head", &parts)
}

fn interference(w: &Weights, point: &[f64]) -> Vec<f64> {
    let (x, time) = if point.len() > 1 { point.split_at(point.len() - 1) } else { (point, &[0.0][..]) };
    let time = time[0];
    let of_time = |name: &str, len| if point.len() > 1 { w.row(name) } else { vec![0.0; len] };
    let sigma: Vec<f64> = w.row("log_sigma").iter().map(|s| s.exp().max(1e-3)).collect();
    let mut envelope = (2.0 * std::f64::consts::PI).powf(-0.5 * x.len() as f64);
    for ((x, v), sigma) in x.iter().zip(of_time("v", x.len())).zip(&sigma) {
        envelope *= (-0.5 * ((x - v * time) / sigma).powi(2)).exp() / sigma;
    }
    let (k, lambda) = (w.rows("k"), w.rows("lambda"));
    let (a, phi, epsilon) = (w.row("a"), w.row("phi"), w.row("epsilon"));
    let omega = of_time("omega", a.len());
    let field = |f: usize| {
        let size = a[f] * envelope * (phi[f] + epsilon[f] * dot(&lambda[f], x).cos()).sin();
        let angle = dot(&k[f], x) - omega[f] * time;
        (size * angle.cos(), size * angle.sin())
    };
    let fields: Vec<(f64, f64)> = (0..a.len()).map(field).collect();
    let features: Vec<f64> = fields.iter().map(|f| f.0).chain(fields.iter().map(|f| f.1)).collect();
    w.rows("head.weight").iter().map(|row| dot(row, &features)).collect()
}

fn grid(model: &Grid, w: &Weights, x: &[f64]) -> Vec<f64> {
    let table = w.rows("vertices");
    let (mut first, mut features) = (0, Vec::new());
    for level in 0..model.levels {
        let cells = model.cells << level;
        let mut sum = vec![0.0; model.features];
        // Every vertex of the grid, by a product of hats.
        for vertex in 0..(cells + 1).pow(x.len() as u32) {
            let (mut rest, mut hat) = (vertex, 1.0);
            for x in x {
                let place = (x.clamp(-1.0, 1.0) + 1.0) / 2.0 * cells as f64;
                hat *= (1.0 - (place - (rest % (cells + 1)) as f64).abs()).max(0.0);
                rest /= cells + 1;
            }
            sum.iter_mut().zip(&table[first + vertex]).for_each(|(sum, x)| *sum += hat * x);
        }
        first += (cells + 1).pow(x.len() as u32);
        features.extend(sum);
    }
    let hidden: Vec<f64> = w.linear("layer0", &features).iter().map(|x| x.max(0.0)).collect();
    w.linear("head", &hidden)
}

fn packets(model: &Packets, w: &Weights, x: &[f64], shape: Shape) -> Vec<f64> {
    let mut sums = w.row("bias");
    for packet in model.packets(w.0, shape) {
        let wave = model.wave(&packet, x);
        sums.iter_mut().zip(&packet.amplitudes).for_each(|(sum, a)| *sum += f64::from(*a) * wave);
    }
    sums
}

fn quasimoto(model: &Quasimoto, w: &Weights, point: &[f64]) -> Vec<f64> {
    let (x, time) = if point.len() > 1 { point.split_at(point.len() - 1) } else { (point, &[0.0][..]) };
    let (s, time, rows) = (x.len(), time[0], w.rows("packets"));
    let wave = |place: usize| {
        let row = |number: usize| rows[number][place];
        let along = |first: usize| (0..s).map(|axis| row(first + axis)).collect::<Vec<f64>>();
        let (k, v, lambda) = (along(1), along(s + 2), along(2 * s + 5));
        let square: f64 = x.iter().zip(v).map(|(x, v)| (x - v * time).powi(2)).sum();
        let modulation = (row(2 * s + 3) + row(2 * s + 4) * dot(&lambda, x).cos()).sin();
        let bell = (-0.5 * square / row(2 * s + 2).exp().powi(2)).exp();
        row(0) * (dot(&k, x) - row(s + 1) * time).cos() * bell * modulation
    };
    let waves: Vec<f64> = (0..model.count).map(wave).collect();
    w.linear("head", &waves)
}

/// A model's formula at a point.
fn formula(model: &Model, w: &Weights, x: &[f64], shape: Shape) -> Vec<f64> {
    match model {
        Model::Siren(m) => w.layers(x, |z| (f64::from(m.w0) * z).sin()),
        Model::Finer(m) => w.layers(x, |z| (f64::from(m.w0) * (z.abs() + 1.0) * z).sin()),
        Model::Gaussian(m) => w.layers(x, |z| (-(f64::from(m.a) * z).powi(2)).exp()),
        Model::WireReal(m) => {
            let (w0, s0) = (f64::from(m.w0), f64::from(m.s0));
            let hidden = (0..2).fold(x.to_vec(), |x, number| {
                let [f, e] =
                    ["frequency", "envelope"].map(|part| w.linear(&format!("layer{number}.{part}"), &x));
                f.iter().zip(e).map(|(f, e)| (w0 * f).cos() * (-(s0 * e).powi(2)).exp()).collect()
            });
            w.linear("head", &hidden)
        }
        Model::Wire(m) => wire(w, x, (f64::from(m.w0), f64::from(m.s0))),
        Model::Rff(m) => {
            let b = rff::frequencies_of(m, shape);
            let angles: Vec<f64> = (0..m.features)
                .map(|f| x.iter().enumerate().map(|(axis, x)| x * b[axis * m.features + f]).sum())
                .collect();
            let features: Vec<f64> =
                angles.iter().map(|a: &f64| a.sin()).chain(angles.iter().map(|a| a.cos())).collect();
            w.linear("head", &features)
        }
        Model::Grid(m) => grid(m, w, x),
        Model::Interference(_) => interference(w, x),
        Model::Packets(m) => packets(m, w, x, shape),
        Model::Quasimoto(m) => quasimoto(m, w, x),
    }
}

/// Small versions of every model, none of whose settings is the default.
fn small() -> Vec<Model> {
    vec![
        Model::Packets(Packets { count: 3, chirp: true, moving: false }),
        Model::Packets(Packets { count: 2, chirp: false, moving: false }),
        Model::Quasimoto(Quasimoto { count: 3 }),
        Model::Siren(Siren { width: 5, layers: 2, w0: 3.0 }),
        Model::Rff(Rff { features: 4, sigma: 2.0, two_pi: false }),
        Model::Rff(Rff { features: 4, sigma: 0.5, two_pi: true }),
        Model::Gaussian(Gaussian { width: 5, layers: 2, a: 2.0 }),
        Model::WireReal(WireReal { width: 4, layers: 2, w0: 3.0, s0: 2.0 }),
        Model::Wire(Wire { width: 4, layers: 2, w0: 2.0, s0: 1.5 }),
        Model::Finer(Finer { width: 5, layers: 2, w0: 2.0, k: 1.0 }),
        Model::Grid(Grid { cells: 2, levels: 2, features: 3, width: 4, layers: 1 }),
        Model::Interference(Interference { fields: 3, frequency: 2.0 }),
    ]
}

const POINTS: usize = 7;

/// A model's graph with a loss, its parameters after initialisation, and its inputs for some points.
struct Traced {
    t: Trace,
    output: Value,
    parameters: Parameters,
    points: Vec<f32>,
    rows: Vec<i32>,
    shares: Vec<f32>,
}

fn traced(model: &Model, shape: Shape) -> Traced {
    let mut t = Trace::new(POINTS, POINTS, true);
    let input = t.input("points", &[shape.axes]);
    let output = model.network().forward(&mut t, input, shape).unwrap();
    assert_eq!(t.graph.shape(output), [POINTS, shape.channels]);
    t.graph.output("values", output);
    let mut parameters = Parameters::new(t.graph.parameters());
    initialize(&mut parameters, t.inits(), shape.seed);
    // Away from initial values that are special, such as equal ones.
    parameters.as_mut_slice().iter_mut().enumerate().for_each(|(i, x)| *x += 0.2 * (i as f32 + 1.0).sin());
    let points: Vec<f32> = (0..POINTS * shape.axes).map(|i| (i as f32 * 1.7 + 0.4).sin()).collect();
    let (mut rows, mut shares) = (Vec::new(), Vec::new());
    let look_ups = model.network().look_ups(shape.axes);
    rows.resize(POINTS * look_ups, 0);
    shares.resize(POINTS * look_ups, 0.0);
    for (number, point) in points.chunks(shape.axes).enumerate() {
        let place = number * look_ups..(number + 1) * look_ups;
        model.network().look_up(point, &mut rows[place.clone()], &mut shares[place]);
    }
    Traced { t, output, parameters, points, rows, shares }
}

impl Traced {
    fn bindings(&self) -> Bindings {
        let tensor = |shape: Vec<usize>, data: Vec<f64>| Tensor::new(shape, data);
        let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let specs = self.parameters.specs().iter().enumerate();
        let parameters = specs.map(|(i, s)| tensor(s.shape.clone(), wide(self.parameters.get(i)))).collect();
        let mut inputs = vec![tensor(vec![POINTS, self.points.len() / POINTS], wide(&self.points))];
        if !self.rows.is_empty() {
            let shape = vec![POINTS, self.rows.len() / POINTS];
            inputs.push(tensor(shape.clone(), self.rows.iter().map(|r| f64::from(*r)).collect()));
            inputs.push(tensor(shape, wide(&self.shares)));
        }
        Bindings { parameters, inputs, loss_scale: 1.0 }
    }
}

const SHAPES: [Shape; 3] = [
    Shape { axes: 1, channels: 1, seed: 3 },
    Shape { axes: 2, channels: 3, seed: 4 },
    Shape { axes: 4, channels: 1, seed: 5 },
];

#[test]
fn models_compute_their_formulas() {
    for (model, shape) in small().iter().flat_map(|m| SHAPES.map(|shape| (m, shape))) {
        let traced = traced(model, shape);
        let found = &evaluate(&traced.t.graph, &traced.bindings())[traced.output.index()];
        let weights = Weights(&traced.parameters);
        for (point, found) in traced.points.chunks(shape.axes).zip(found.data.chunks(shape.channels)) {
            let x: Vec<f64> = point.iter().map(|x| f64::from(*x)).collect();
            for (found, expected) in found.iter().zip(formula(model, &weights, &x, shape)) {
                // The graph's constants and a grid's shares are rounded to f32.
                let close = (found - expected).abs() <= 2e-6 * (1.0 + expected.abs());
                assert!(close, "{} {shape:?} at {x:?}: {found}, not {expected}", model.name());
            }
        }
    }
}

#[test]
fn compiled_models_agree_with_their_graphs() {
    for (model, shape) in small().iter().flat_map(|m| SHAPES.map(|shape| (m, shape))) {
        let traced = traced(model, shape);
        let expected = &evaluate(&traced.t.graph, &traced.bindings())[traced.output.index()];
        let trace = |samples| {
            let mut t = Trace::new(samples, POINTS, false);
            let points = t.input("points", &[shape.axes]);
            let values = model.network().forward(&mut t, points, shape)?;
            t.graph.output("values", values);
            Ok(t.graph)
        };
        let mut run = Executable::compile(&trace, POINTS, &PlanOptions::INFER).unwrap();
        let inputs = [traced.points.as_slice(), as_words(&traced.rows), &traced.shares];
        let inputs = if traced.rows.is_empty() { &inputs[..1] } else { &inputs[..] };
        let batch = Batch { inputs, loss_scale: 1.0, seed: 0, step: 0 };
        run.run(&Pool::new(2), &traced.parameters, &batch).unwrap();
        for (found, expected) in run.output("values").unwrap().iter().zip(&expected.data) {
            let close = (f64::from(*found) - expected).abs() < 2e-5 * (1.0 + expected.abs());
            assert!(close, "{} {shape:?}: {found}, not {expected}", model.name());
        }
    }
}

/// By every parameter, against central differences in f64; but for FINER, whose gradient is not the whole, and for
/// chirps, whose third derivatives are too large for differences: their operation has tests of its own.
#[test]
fn gradients_match_differences() {
    let shape = Shape { axes: 2, channels: 2, seed: 6 };
    for model in small().iter().filter(|m| {
        !matches!(m, Model::Finer(_) | Model::Grid(_) | Model::Packets(Packets { chirp: true, .. }))
    }) {
        gradient_check::check(&[&[POINTS, 2]], |graph, x| {
            let mut t = Trace::new(POINTS, POINTS, true);
            std::mem::swap(&mut t.graph, graph);
            let y = model.network().forward(&mut t, x[0], shape);
            std::mem::swap(&mut t.graph, graph);
            y
        });
    }
}

/// Of y = head · sin(w0 s z) with s = |z| + 1 taken as given, the slope by the head's input's bias.
#[test]
fn the_gradient_of_finer_takes_the_factor_as_given() {
    let shape = Shape { axes: 1, channels: 1, seed: 7 };
    let model = Model::Finer(Finer { width: 1, layers: 1, w0: 2.0, k: 1.0 });
    let mut traced = traced(&model, shape);
    let sum = traced.t.graph.sum_all(traced.output).unwrap();
    traced.t.graph.set_loss(sum);
    differentiate(&mut traced.t.graph).unwrap();
    let values = evaluate(&traced.t.graph, &traced.bindings());
    let weights = Weights(&traced.parameters);
    let [w, b, head] = ["layer0.weight", "layer0.bias", "head.weight"].map(|name| weights.row(name)[0]);
    let slope = |x: &f32| {
        let z = w * f64::from(*x) + b;
        head * (2.0 * (z.abs() + 1.0) * z).cos() * 2.0 * (z.abs() + 1.0)
    };
    let expected: f64 = traced.points.iter().map(slope).sum();
    let place = traced.parameters.find("layer0.bias").unwrap();
    let (_, gradient) = traced.t.graph.gradients().iter().find(|(p, _)| *p == place).unwrap();
    assert!((values[gradient.index()].data[0] - expected).abs() < 1e-9 * expected.abs());
}

/// Range or deviation of initial values, of wide layers so that they show.
#[test]
fn parameters_start_as_published() {
    let wide = 400;
    let hidden = (6.0 / wide as f64).sqrt() / 30.0;
    let default = 1.0 / (wide as f64).sqrt();
    let shape = Shape { axes: 2, channels: 3, seed: 1 };
    let root_half = std::f64::consts::FRAC_1_SQRT_2;
    let cases: Vec<(Model, &str, f64)> = vec![
        (Model::Siren(Siren { width: wide, ..Siren::default() }), "layer0.weight", 0.5),
        (Model::Siren(Siren { width: wide, ..Siren::default() }), "layer0.bias", root_half),
        (Model::Siren(Siren { width: wide, ..Siren::default() }), "layer1.weight", hidden),
        (Model::Siren(Siren { width: wide, ..Siren::default() }), "layer1.bias", default),
        (Model::Siren(Siren { width: wide, ..Siren::default() }), "head.weight", hidden),
        (Model::Finer(Finer { width: wide, ..Finer::default() }), "layer0.weight", 0.5),
        (Model::Finer(Finer { width: wide, ..Finer::default() }), "layer0.bias", 5.0),
        (Model::Finer(Finer { width: wide, ..Finer::default() }), "layer1.weight", hidden),
        (Model::Gaussian(Gaussian { width: wide, ..Gaussian::default() }), "layer1.weight", default),
        (Model::WireReal(WireReal { width: wide, ..WireReal::default() }), "layer1.envelope.weight", default),
        (Model::Wire(Wire { width: wide, ..Wire::default() }), "layer1.weight", default),
        (Model::Wire(Wire { width: wide, ..Wire::default() }), "head.weight", default),
        (Model::Rff(Rff { features: wide / 2, ..Rff::default() }), "head.weight", default),
        (Model::Grid(Grid::default()), "vertices", 1e-4),
    ];
    for (model, name, bound) in cases {
        let values = initial(&model, name, shape);
        let (least, most) = crate::signal::bounds(values.iter());
        let n = values.len() as f64;
        let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
        let context = format!("{} {name}: {least} to {most}", model.name());
        assert!(f64::from(most.max(-least)) <= bound * 1.000_001, "{context}, beyond {bound}");
        // Of n uniform numbers in ±1 the mean square is 1/3, and has the deviation √(4/45 / n).
        assert!((square / bound.powi(2) - 1.0 / 3.0).abs() < 4.0 * (4.0 / 45.0 / n).sqrt(), "{context}");
    }
    let model = Model::Interference(Interference { fields: 4000, frequency: 2.0 });
    for (name, mean, deviation) in [
        ("k", 0.0, 2.0),
        ("omega", 0.0, 2.0),
        ("lambda", 0.0, 2.0),
        ("a", 1.0, 0.0),
        ("phi", 0.0, 0.0),
        ("epsilon", 0.1, 0.0),
        ("log_sigma", 0.0, 0.0),
    ] {
        let values = initial(&model, name, shape);
        let n = values.len() as f64;
        let found = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let square = values.iter().map(|x| (f64::from(*x) - found).powi(2)).sum::<f64>() / n;
        assert!((found - mean).abs() <= 4.0 * deviation / n.sqrt() + 1e-6, "{name}: mean {found}");
        assert!((square.sqrt() - deviation).abs() <= 4.0 * deviation / (2.0 * n).sqrt(), "{name}: {square}");
    }
    let b = rff::frequencies_of(&Rff { features: 5000, ..Rff::default() }, shape);
    let deviation = (b.iter().map(|b| b * b).sum::<f64>() / 1e4).sqrt();
    assert!((deviation - 5.0).abs() < 4.0 * 5.0 / 2e4f64.sqrt(), "{deviation}");
}

fn initial(model: &Model, name: &str, shape: Shape) -> Vec<f32> {
    let mut t = Trace::new(1, 1, true);
    let points = t.input("points", &[shape.axes]);
    model.network().forward(&mut t, points, shape).unwrap();
    let mut parameters = Parameters::new(t.graph.parameters());
    initialize(&mut parameters, t.inits(), shape.seed);
    parameters.get(parameters.find(name).unwrap()).to_vec()
}

#[test]
fn parameters_are_as_many_as_published() {
    let one = Shape { axes: 1, channels: 1, seed: 1 };
    let two = Shape { axes: 2, ..one };
    for (model, shape, count) in [
        (Model::Siren(Siren::default()), one, 4353),
        (Model::Siren(Siren { width: 32, ..Siren::default() }), one, 1153),
        (Model::Rff(Rff::default()), one, 257),
        (Model::Gaussian(Gaussian::default()), one, 4353),
        (Model::WireReal(WireReal::default()), one, 4555),
        (Model::Wire(Wire::default()), one, 4321),
        (Model::Finer(Finer::default()), one, 4353),
        (Model::Grid(Grid::default()), one, 289),
        (Model::Interference(Interference::default()), one, 57),
        (Model::Interference(Interference::default()), two, 66),
    ] {
        assert_eq!(model.parameter_count(shape).unwrap(), count, "{}", model.name());
    }
}

#[test]
fn a_wanted_number_of_parameters_is_met_as_nearly_as_can_be() {
    let shape = Shape { axes: 2, channels: 1, seed: 1 };
    for name in Model::NAMES {
        let model = Model::by_name(name).unwrap();
        for wanted in [400, 1100, 4353, 100_000] {
            let mut best = model.with_parameters(wanted, shape).unwrap();
            let count = |model: &Model| model.parameter_count(shape).unwrap().abs_diff(wanted);
            let found = count(&best);
            let size = *best.network_mut().size_mut();
            for other in [size.saturating_sub(1).max(1), size + 1] {
                *best.network_mut().size_mut() = other;
                assert!(count(&best) >= found, "{name}: {other} is nearer to {wanted} than {size}");
            }
        }
    }
}

#[test]
fn numbers_of_parameters_out_of_reach_are_refused() {
    let shape = Shape { axes: 1, channels: 1, seed: 1 };
    let packets = Model::by_name("packets").unwrap();
    for (wanted, size) in
        [(0, None), (1, None), (4, Some(7)), (9, Some(7)), (400_000, Some(393_217)), (usize::MAX, None)]
    {
        match packets.with_parameters(wanted, shape) {
            Ok(model) => assert_eq!(Some(model.parameter_count(shape).unwrap()), size, "{wanted}"),
            Err(error) => {
                let expected = format!("no size has about {wanted} parameters; ask for 7 to 393217");
                assert!(size.is_none() && error.to_string().contains(&expected), "{error}");
            }
        }
    }
    let error = packets.with("count", "-3").unwrap_err().to_string();
    assert!(error.contains("count is `-3`; it must be a whole number that is not below 0"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let shape = |axes| Shape { axes, channels: 1, seed: 1 };
    for (model, axes, expected) in [
        (Model::Siren(Siren { width: 0, ..Siren::default() }), 1, "width is 0; it must be from 1 to 65536"),
        (Model::Siren(Siren { layers: 65, ..Siren::default() }), 1, "layers is 65"),
        (Model::Siren(Siren { w0: f32::NAN, ..Siren::default() }), 1, "w0 is NaN; it must be a positive"),
        (Model::Finer(Finer { k: 0.0, ..Finer::default() }), 1, "k is 0"),
        (Model::Wire(Wire { s0: f32::INFINITY, ..Wire::default() }), 1, "s0 is inf"),
        (Model::Grid(Grid::default()), 5, "a signal of 5 axes is beyond the 4 of a dense grid"),
        (Model::Grid(Grid { cells: 60_000, levels: 16, ..Grid::default() }), 4, "vertices, more than"),
        (
            Model::Siren(Siren { width: 60_000, layers: 64, ..Siren::default() }),
            1,
            "parameters, more than 268435456; make it smaller",
        ),
    ] {
        let error = model.parameter_count(shape(axes)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("model `{}`: ", model.name())), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    assert!(Model::by_name("sirens").unwrap_err().to_string().contains("did you mean `siren`?"));
    assert!(toml::from_str::<Model>("kind = \"siren\"\nwide = 3").is_err());
}
