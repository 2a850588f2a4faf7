//! Packets found one after the other: those that take most of what the ones before have left (Mallat & Zhang,
//! "Matching Pursuits with Time-Frequency Dictionaries", 1993), from a dictionary drawn at random around the
//! largest residuals.

use bessemer_kernels::chunks::for_chunks;
use bessemer_kernels::random::{Stream, uniform_at};
use bessemer_plan::Pool;
use bessemer_train::{Schedule, TrainOptions};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::models::{Packet, Packets};

/// What candidates are drawn for, apart from other uses of a seed.
const SITE: u32 = 0x4752_4545;

/// Candidates that one task scores.
const CHUNK: usize = 16;

/// Beyond so many widths a candidate is taken for 0.
const REACH: f64 = 4.0;

/// The share of its gain that a candidate must keep after others were taken, to be taken in the same round.
const STILL_GOOD: f64 = 0.5;

/// The most candidates of a round.
const MAX_CANDIDATES: usize = 1 << 20;

/// How packets are found before all of them are trained.
///
/// In rounds: candidates are drawn, those that take most of the residual become packets, and all packets so far are
/// trained for a while. Rounds begin with wide packets and get to narrow ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Greedy {
    /// Rounds; each adds as many packets as the others.
    pub rounds: usize,
    /// Candidates drawn in a round.
    pub candidates: usize,
    /// Training steps after each round.
    pub steps: u64,
    /// The learning rate of these steps, which falls to 0 in every round.
    pub learning_rate: f64,
    /// Packets whose share of the energy of all is below this are left out at the end, and the others trained for
    /// one more round; 0 leaves all.
    pub drop_below: f64,
}

impl Default for Greedy {
    fn default() -> Self {
        Greedy { rounds: 8, candidates: 4096, steps: 300, learning_rate: 3e-3, drop_below: 0.0 }
    }
}

impl Greedy {
    pub(crate) fn check(&self) -> Result<()> {
        let failed = |problem, remedy| Err(Error::Option { what: "greedy", problem, remedy });
        if self.rounds == 0 {
            return failed("0 rounds".into(), "give 1 or more, or leave greedy out");
        }
        if !(1..=MAX_CANDIDATES).contains(&self.candidates) {
            let problem = format!("{} candidates", self.candidates);
            return failed(problem, "give 1 to 1,048,576");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let problem = format!("a learning rate of {}", self.learning_rate);
            return failed(problem, "give a positive number");
        }
        if !(0.0..1.0).contains(&self.drop_below) {
            let problem = format!("packets below a share of {} are to be left out", self.drop_below);
            return failed(problem, "give 0 or more, and less than 1");
        }
        Ok(())
    }

    /// How packets are trained after a round, where all of them are trained like that at the end.
    pub(crate) fn training(&self, all: &TrainOptions) -> TrainOptions {
        TrainOptions {
            steps: self.steps,
            learning_rate: self.learning_rate,
            schedule: Schedule::Cosine { warmup: 0, total: self.steps, floor: 0.0 },
            validate_every: 0,
            patience: None,
            average: None,
            ..all.clone()
        }
    }

    /// Packets that there are after a round, counted from 1, of `count` in all.
    pub(crate) fn after(&self, round: usize, count: usize) -> usize {
        (count * round).div_ceil(self.rounds)
    }
}

/// What packets are to take: scaled points `[N, axes]` and what is left of their values `[N, channels]`.
pub(crate) struct Residual<'a> {
    pub points: &'a [f32],
    pub values: Vec<f32>,
    pub axes: usize,
    pub channels: usize,
}

/// A candidate: a packet without phase and amplitudes.
struct Candidate {
    centre: Vec<f64>,
    width: Vec<f64>,
    frequency: Vec<f64>,
    chirp: Vec<f64>,
    velocity: Vec<f64>,
}

/// What a candidate would take of the squared residual, and how.
#[derive(Clone, Copy, Default)]
struct Gain {
    taken: f64,
    /// Factors of the cosine and the sine.
    phase: [f64; 2],
    /// The energy of the candidate in this phase.
    energy: f64,
}

impl Residual<'_> {
    /// The next packets, at most `count`: none where nothing is left to take. `share` is that of rounds done.
    pub fn find(
        &mut self,
        kind: &Packets,
        greedy: &Greedy,
        count: usize,
        share: f64,
        stream: (u64, u64),
        pool: &Pool,
    ) -> Vec<Packet> {
        let draws = Draws::new(self, kind, greedy, share, stream);
        let mut gains = vec![0.0; greedy.candidates];
        for_chunks(pool, [&mut gains], CHUNK, &|start, [gains]| {
            for (place, gain) in gains.iter_mut().enumerate() {
                *gain = self.gain(&draws.candidate(start + place)).taken as f32;
            }
        });
        let mut order: Vec<usize> = (0..gains.len()).filter(|n| gains[*n] > 0.0).collect();
        order.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]).then(a.cmp(b)));
        let mut found = Vec::new();
        for number in order {
            if found.len() == count {
                break;
            }
            let candidate = draws.candidate(number);
            let gain = self.gain(&candidate);
            if gain.taken >= STILL_GOOD * f64::from(gains[number]) && gain.taken > 0.0 {
                found.push(self.take(kind, &candidate, gain));
            }
        }
        found
    }

    /// Calls `f` for every point near a candidate: its number, the angle there and the bell.
    fn near(&self, candidate: &Candidate, mut f: impl FnMut(usize, f64, f64)) {
        let Candidate { centre, width, frequency, chirp, velocity } = candidate;
        let last = self.axes - 1;
        'points: for (number, point) in self.points.chunks_exact(self.axes).enumerate() {
            let time = f64::from(point[last]) - centre[last];
            let (mut square, mut angle) = (0.0, 0.0);
            for axis in 0..self.axes {
                let mut u = f64::from(point[axis]) - centre[axis];
                if axis < velocity.len() {
                    u -= velocity[axis] * time;
                }
                let z = u / width[axis];
                if z.abs() > REACH {
                    continue 'points;
                }
                square += z * z;
                angle += (frequency[axis] + chirp.get(axis).map_or(0.0, |chirp| chirp * u)) * u;
            }
            f(number, angle, (-0.5 * square).exp());
        }
    }

    /// What a candidate would take in its best phase: of all channels together, so that they share it.
    fn gain(&self, candidate: &Candidate) -> Gain {
        // Products of cosine and sine with each other and with the residual of each channel.
        let (mut cc, mut cs, mut ss) = (0.0, 0.0, 0.0);
        let mut with = vec![[0.0; 2]; self.channels];
        self.near(candidate, |number, angle, bell| {
            let (sin, cos) = angle.sin_cos();
            let (c, s) = (bell * cos, bell * sin);
            (cc, cs, ss) = (cc + c * c, cs + c * s, ss + s * s);
            let values = &self.values[number * self.channels..][..self.channels];
            for (with, value) in with.iter_mut().zip(values) {
                with[0] += c * f64::from(*value);
                with[1] += s * f64::from(*value);
            }
        });
        let sum = |a: usize, b: usize| with.iter().map(|with| with[a] * with[b]).sum::<f64>();
        best_phase([cc, cs, ss], [sum(0, 0), sum(0, 1), sum(1, 1)])
    }

    /// Takes a candidate out of the residual.
    fn take(&mut self, kind: &Packets, candidate: &Candidate, gain: Gain) -> Packet {
        let [c, s] = gain.phase;
        let mut amplitudes = vec![0.0; self.channels];
        self.near(candidate, |number, angle, bell| {
            let wave = bell * (c * angle.cos() + s * angle.sin());
            let values = &self.values[number * self.channels..][..self.channels];
            amplitudes.iter_mut().zip(values).for_each(|(sum, value)| *sum += wave * f64::from(*value));
        });
        amplitudes.iter_mut().for_each(|sum| *sum /= gain.energy);
        let mut left = std::mem::take(&mut self.values);
        self.near(candidate, |number, angle, bell| {
            let wave = bell * (c * angle.cos() + s * angle.sin());
            let values = &mut left[number * self.channels..][..self.channels];
            values.iter_mut().zip(&amplitudes).for_each(|(value, a)| *value -= (a * wave) as f32);
        });
        self.values = left;
        // c cos a + s sin a = cos(a + phase) for a c and s of length 1.
        let phase = (-s).atan2(c);
        let Candidate { centre, width, frequency, chirp, velocity } = candidate;
        let log_width: Vec<f64> = width.iter().map(|width| width.ln()).collect();
        let none: &[f64] = &[];
        let chirp = if kind.chirp { chirp } else { none };
        let parts: [&[f64]; 6] = [centre, &log_width, frequency, &[phase], chirp, velocity];
        let rows = parts.concat().into_iter().map(|x| x as f32).collect();
        Packet { rows, amplitudes: amplitudes.into_iter().map(|a| a as f32).collect() }
    }
}

/// The phase v = (cosine's, sine's factor) that maximises vᵀ M v / vᵀ G v, for symmetric matrices by their entries
/// (0, 0), (0, 1) and (1, 1): the larger root of det(M - λ G) = 0 is what is taken.
fn best_phase(g: [f64; 3], m: [f64; 3]) -> Gain {
    let (determinant, trace) = (g[0] * g[2] - g[1] * g[1], g[0] + g[2]);
    let unit = |v: [f64; 2], taken: f64| {
        let norm = v[0].hypot(v[1]);
        let v = [v[0] / norm, v[1] / norm];
        let energy = g[0] * v[0] * v[0] + 2.0 * g[1] * v[0] * v[1] + g[2] * v[1] * v[1];
        Gain { taken, phase: v, energy }
    };
    if trace < 1e-9 {
        return Gain::default(); // no point is near
    }
    // Sine and cosine are hardly different there: one of them will do.
    if determinant < 1e-4 * trace * trace {
        return if g[0] >= g[2] { unit([1.0, 0.0], m[0] / g[0]) } else { unit([0.0, 1.0], m[2] / g[2]) };
    }
    let b = m[0] * g[2] + m[2] * g[0] - 2.0 * m[1] * g[1];
    let c = m[0] * m[2] - m[1] * m[1];
    let root = (b + (b * b - 4.0 * determinant * c).max(0.0).sqrt()) / (2.0 * determinant);
    // (M - root G) v = 0: either row gives v, and the longer is exact to more digits.
    let rows = [m[0] - root * g[0], m[1] - root * g[1], m[2] - root * g[2]];
    let (v, w) = ([-rows[1], rows[0]], [-rows[2], rows[1]]);
    let longer = if v[0].hypot(v[1]) >= w[0].hypot(w[1]) { v } else { w };
    if longer[0].hypot(longer[1]) > 0.0 { unit(longer, root) } else { unit([1.0, 0.0], root) }
}

/// Where candidates of a round come from.
struct Draws<'a> {
    points: &'a [f32],
    axes: usize,
    kind: Packets,
    /// Sums of the squared residuals of the points up to each.
    cumulative: Vec<f64>,
    /// The narrowest width, and the highest frequency that points so dense can show.
    narrowest: f64,
    highest: f64,
    stream: (u64, u64),
}

impl<'a> Draws<'a> {
    fn new(
        residual: &Residual<'a>,
        kind: &Packets,
        greedy: &Greedy,
        share: f64,
        stream: (u64, u64),
    ) -> Draws<'a> {
        let mut sum = 0.0;
        let squares = residual.values.chunks_exact(residual.channels).map(|values| {
            sum += values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            sum
        });
        let cumulative: Vec<f64> = squares.collect();
        let count = cumulative.len() as f64;
        let spacing = 2.0 / count.powf(1.0 / residual.axes as f64);
        let finest = (1.5 * spacing).min(1.0);
        // From bells of half the signal to the narrowest, over the rounds but the last two.
        let rounds = (greedy.rounds as f64 - 2.0).max(1.0) / greedy.rounds as f64;
        let narrowest = finest.powf((share / rounds).min(1.0)).min(0.25).max(finest);
        Draws {
            points: residual.points,
            axes: residual.axes,
            kind: kind.clone(),
            cumulative,
            narrowest,
            highest: std::f64::consts::PI / spacing,
            stream,
        }
    }

    /// A candidate by its number.
    fn candidate(&self, number: usize) -> Candidate {
        let axes = self.axes;
        let stream = Stream { seed: self.stream.0, step: self.stream.1, site: SITE };
        let per = 3 + 7 * axes as u64;
        let uniform = |which: usize| f64::from(uniform_at(stream, number as u64 * per + which as u64));
        // From a to b, even in the logarithm.
        let between = |u: f64, a: f64, b: f64| a * (b / a).max(1.0).powf(u);
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let aim = uniform(0) * total;
        let point = self.cumulative.partition_point(|sum| *sum < aim).min(self.cumulative.len() - 1);
        let width = between(uniform(1), self.narrowest, 1.0);
        let widths: Vec<f64> = (0..axes)
            .map(|axis| match axes {
                1 => width,
                _ => width * between(uniform(3 + axis), 0.5, 2.0),
            })
            .collect();
        let kind = (uniform(2) * 4.0) as usize;
        let centre = (0..axes)
            .map(|axis| {
                let jitter = (uniform(3 + axes + axis) - 0.5) * widths[axis];
                f64::from(self.points[point * axes + axis]) + jitter
            })
            .collect();
        let signed = |u: f64, a: f64, b: f64| {
            if u < 0.5 { -between(2.0 * u, a, b) } else { between(2.0 * u - 1.0, a, b) }
        };
        // A quarter are bells without a wave.
        let frequency = (0..axes)
            .map(|axis| if kind == 0 { 0.0 } else { signed(uniform(3 + 2 * axes + axis), 0.5, self.highest) })
            .collect();
        // Half of the others have a frequency that changes, by up to the highest along the bell.
        let chirp = (0..axes)
            .map(|axis| {
                let w = widths[axis];
                let changes = self.kind.chirp && kind >= 2;
                if changes {
                    signed(uniform(3 + 3 * axes + axis), 0.2 / (w * w), 0.5 * self.highest / w)
                } else {
                    0.0
                }
            })
            .collect();
        let velocity = (0..if self.kind.moving { axes - 1 } else { 0 })
            .map(|axis| 4.0 * uniform(3 + 4 * axes + axis) - 2.0)
            .collect();
        Candidate { centre, width: widths, frequency, chirp, velocity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(count: usize) -> Vec<f32> {
        (0..count).map(|n| 2.0 * n as f32 / (count - 1) as f32 - 1.0).collect()
    }

    /// Against a fine search over all phases.
    #[test]
    fn the_best_phase_is_the_best() {
        for (g, m) in [
            ([2.0, 0.3, 1.0], [1.0, 0.5, 0.25]),
            ([1.0, -0.4, 3.0], [4.0, 1.0, 2.0]),
            ([1.0, 0.0, 1.0], [1.0, 0.0, 1.0]),
            ([5.0, 0.0, 0.0], [2.0, 0.0, 0.0]),
        ] {
            let taken = |angle: f64| {
                let (s, c) = angle.sin_cos();
                let form = |x: [f64; 3]| x[0] * c * c + 2.0 * x[1] * c * s + x[2] * s * s;
                if form(g) > 1e-3 { form(m) / form(g) } else { 0.0 }
            };
            let best = (0..100_000).map(|n| taken(n as f64 * 1e-4)).fold(0.0, f64::max);
            let gain = best_phase(g, m);
            assert!((gain.taken - best).abs() < 1e-6 * best, "{g:?} {m:?}: {} {best}", gain.taken);
            assert!((taken(gain.phase[1].atan2(gain.phase[0])) - best).abs() < 1e-6 * best);
        }
    }

    #[test]
    fn a_packet_is_found_and_taken_out() {
        let points = line(400);
        let packet = |x: f32| 3.0 * (40.0 * (x - 0.2) + 1.0).cos() * (-0.5 * ((x - 0.2) / 0.1).powi(2)).exp();
        let values: Vec<f32> = points.iter().flat_map(|x| [packet(*x), -0.5 * packet(*x)]).collect();
        let energy = |values: &[f32]| values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let before = energy(&values);
        let mut residual = Residual { points: &points, values, axes: 1, channels: 2 };
        let kind = Packets { count: 1, chirp: false, moving: false };
        let found = residual.find(&kind, &Greedy::default(), 1, 1.0, (1, 0), &Pool::new(2));
        assert_eq!(found.len(), 1);
        assert!((found[0].rows[0] - 0.2).abs() < 0.1, "{found:?}");
        assert!((found[0].amplitudes[1] / found[0].amplitudes[0] + 0.5).abs() < 1e-4, "{found:?}");
        assert!(energy(&residual.values) < 0.3 * before);
    }

    #[test]
    fn what_is_found_does_not_depend_on_threads() {
        let points = line(200);
        let values: Vec<f32> = points.iter().map(|x| (30.0 * x * x).sin()).collect();
        let find = |threads| {
            let mut residual = Residual { points: &points, values: values.clone(), axes: 1, channels: 1 };
            residual.find(&Packets::default(), &Greedy::default(), 4, 0.5, (7, 2), &Pool::new(threads))
        };
        assert_eq!(find(1), find(3));
    }

    #[test]
    fn of_nothing_nothing_is_found() {
        let points = line(50);
        let mut residual = Residual { points: &points, values: vec![0.0; 50], axes: 1, channels: 1 };
        let found = residual.find(&Packets::default(), &Greedy::default(), 3, 0.0, (1, 0), &Pool::new(1));
        assert!(found.is_empty());
    }
}
