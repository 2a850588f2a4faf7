//! Wave packets: waves under a bell, each in a place of its own (Gabor, "Theory of Communication", 1946; with a
//! frequency that changes along the way, chirplets: Mann & Haykin, "The Chirplet Transform", 1995).

use bessemer_graph::ops::wave_packets::{Form, WavePackets};
use bessemer_kernels::random::{Stream, normal_at, uniform_at};
use bessemer_nn::{GraphError, Init, Trace, Value};
use bessemer_plan::Parameters;
use serde::{Deserialize, Serialize};

use super::{MAX_WIDTH, Network, Shape, out_of_bounds};

/// What initial values are drawn for, apart from other uses of a seed.
const SITE: u32 = 0x5041_434B;

/// What a number of a packet is multiplied by before it is used, so that one learning rate suits all: on axes from
/// -1 to 1, frequencies are some ten times larger than places, and rates of frequency larger still.
const FREQUENCY: f32 = 10.0;
const CHIRP: f32 = 100.0;

/// The sum of packets cos(φ + Σ k u + β u²) exp(-½ Σ (u / width)²) with u = x - centre, each by an amplitude for
/// every channel, and a constant.
///
/// With `moving`, the last axis is time, and the centre moves along the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Packets {
    /// Packets; the model's size.
    pub count: usize,
    /// Whether frequencies change along the way: a rate β for each axis.
    pub chirp: bool,
    /// Whether centres move along the last axis: a velocity for each other axis.
    pub moving: bool,
}

impl Default for Packets {
    fn default() -> Self {
        Packets { count: 24, chirp: true, moving: false }
    }
}

/// What one packet is, in the coordinates that the model sees.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packet {
    /// In the order of the operation's rows.
    pub rows: Vec<f32>,
    /// For every channel.
    pub amplitudes: Vec<f32>,
}

impl Packets {
    pub(crate) fn form(&self, axes: usize) -> Form {
        Form::Packet { axes, chirp: self.chirp, moving: self.moving }
    }

    /// Numbers of a packet besides its amplitudes.
    pub(crate) fn row_len(&self, shape: Shape) -> usize {
        self.form(shape.axes).rows().len()
    }

    /// What each row is multiplied by.
    fn factors(&self, axes: usize) -> Vec<f32> {
        let mut factors = vec![1.0; 2 * axes];
        factors.resize(3 * axes, FREQUENCY);
        factors.push(1.0);
        factors.resize(3 * axes + 1 + if self.chirp { axes } else { 0 }, CHIRP);
        factors.resize(self.form(axes).rows().len(), 1.0);
        factors
    }

    /// The packets that parameters hold.
    pub(crate) fn packets(&self, parameters: &Parameters, shape: Shape) -> Vec<Packet> {
        let factors = self.factors(shape.axes);
        let (packets, head) = (named(parameters, "packets"), named(parameters, "head"));
        let column = |of: &[f32], place: usize| -> Vec<f32> {
            of.iter().skip(place).step_by(self.count).copied().collect()
        };
        (0..self.count)
            .map(|place| Packet {
                rows: column(packets, place).iter().zip(&factors).map(|(x, factor)| x * factor).collect(),
                amplitudes: column(head, place),
            })
            .collect()
    }

    /// Makes parameters hold so many packets as there are, and none beyond.
    pub(crate) fn set(&self, parameters: &mut Parameters, shape: Shape, packets: &[Packet], bias: &[f32]) {
        let factors = self.factors(shape.axes);
        for (place, packet) in packets.iter().enumerate() {
            let rows = packet.rows.iter().zip(&factors).map(|(x, factor)| x / factor);
            let to = named_mut(parameters, "packets").iter_mut().skip(place).step_by(self.count);
            to.zip(rows).for_each(|(to, x)| *to = x);
            let to = named_mut(parameters, "head").iter_mut().skip(place).step_by(self.count);
            to.zip(&packet.amplitudes).for_each(|(to, x)| *to = *x);
        }
        named_mut(parameters, "bias").copy_from_slice(bias);
    }

    /// A packet without amplitude at a point, in double precision.
    pub(crate) fn wave(&self, packet: &Packet, point: &[f64]) -> f64 {
        let axes = point.len();
        let row = |number: usize| f64::from(packet.rows[number]);
        let after = 3 * axes + 1;
        let moving_from = after + if self.chirp { axes } else { 0 };
        let time = point[axes - 1] - row(axes - 1);
        let (mut angle, mut square) = (row(3 * axes), 0.0);
        for (axis, x) in point.iter().enumerate() {
            let mut u = x - row(axis);
            if self.moving && axis + 1 < axes {
                u -= row(moving_from + axis) * time;
            }
            let chirp = if self.chirp { row(after + axis) } else { 0.0 };
            angle += (row(2 * axes + axis) + chirp * u) * u;
            square += (u / row(axes + axis).exp()).powi(2);
        }
        angle.cos() * (-0.5 * square).exp()
    }

    /// The sum of squares of every packet, with its amplitudes, over points `[N, axes]`.
    pub(crate) fn energies(&self, packets: &[Packet], points: &[f32], axes: usize) -> Vec<f64> {
        let points: Vec<f64> = points.iter().map(|x| f64::from(*x)).collect();
        let energy = |packet: &Packet| {
            let squares: f64 = points.chunks_exact(axes).map(|point| self.wave(packet, point).powi(2)).sum();
            squares * packet.amplitudes.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>()
        };
        packets.iter().map(energy).collect()
    }

    /// The constant of every channel.
    pub(crate) fn bias(parameters: &Parameters) -> &[f32] {
        named(parameters, "bias")
    }
}

fn place(parameters: &Parameters, name: &str) -> usize {
    let place = parameters.specs().iter().position(|spec| spec.name == name);
    place.expect("a model of packets has packets, a head and a bias")
}

fn named<'a>(parameters: &'a Parameters, name: &str) -> &'a [f32] {
    parameters.get(place(parameters, name))
}

fn named_mut<'a>(parameters: &'a mut Parameters, name: &str) -> &'a mut [f32] {
    parameters.get_mut(place(parameters, name))
}

impl Network for Packets {
    fn forward(&self, t: &mut Trace, points: Value, shape: Shape) -> Result<Value, GraphError> {
        let form = self.form(shape.axes);
        let numbers = t.parameter("packets", &[form.rows().len(), self.count], Init::ZEROS)?;
        let head = t.parameter("head", &[shape.channels, self.count], Init::ZEROS)?;
        let bias = t.parameter("bias", &[shape.channels], Init::ZEROS)?;
        let factors = t.graph.constant(&[form.rows().len(), 1], self.factors(shape.axes));
        let packets = t.graph.mul(numbers, factors)?;
        let sum = t.graph.wave_packets(points, packets, head, WavePackets { form, order: 0 })?[0];
        t.graph.add(sum, bias)
    }

    /// Places all over the axes, bells wide enough to meet, low frequencies.
    fn start(&self, parameters: &mut Parameters, shape: Shape) {
        let axes = shape.axes;
        let uniform = |place: usize, row: usize| {
            let stream = Stream { seed: shape.seed, step: place as u64, site: SITE };
            uniform_at(stream, row as u64)
        };
        let normal = |place: usize, row: usize| {
            let stream = Stream { seed: shape.seed, step: place as u64, site: SITE + 1 };
            normal_at(stream, row as u64)
        };
        let width = (2.0 / (self.count as f32).powf(1.0 / axes as f32)).ln();
        let rows = self.form(axes).rows().len();
        let packet = |place: usize| {
            let mut numbers = vec![0.0; rows];
            for axis in 0..axes {
                numbers[axis] = 2.0 * uniform(place, axis) - 1.0;
                numbers[axes + axis] = width;
                numbers[2 * axes + axis] = FREQUENCY * normal(place, axis);
            }
            numbers[3 * axes] = std::f32::consts::TAU * uniform(place, 3 * axes);
            let amplitudes = (0..shape.channels).map(|channel| 0.1 * normal(place, rows + channel)).collect();
            Packet { rows: numbers, amplitudes }
        };
        let packets: Vec<Packet> = (0..self.count).map(packet).collect();
        self.set(parameters, shape, &packets, &vec![0.0; shape.channels]);
    }

    fn check(&self, shape: Shape) -> Option<String> {
        out_of_bounds(&[("count", self.count, MAX_WIDTH)]).or_else(|| {
            let problem = "moving is set, but the signal has no axis besides time; leave it out";
            (self.moving && shape.axes < 2).then(|| problem.to_string())
        })
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.count
    }
}
