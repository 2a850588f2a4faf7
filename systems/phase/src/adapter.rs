//! The input adapter: a linear map from a sample's levels to the indices of the input nodes.

use bessemer_kernels::gemm::{Epilogue, gemm_scratch, gemm_shared};
use bessemer_kernels::optimizer::{Adam, adamw};
use bessemer_kernels::pool::Pool;
use bessemer_kernels::random::{Stream, normal_at, uniform_at};
use bessemer_phase_reader::index;

use crate::network::half_turns;
use crate::samples::Samples;
use crate::settings::Settings;

const SITE_WEIGHTS: u32 = 0x5048_0003;
const SITE_BIAS: u32 = 0x5048_0004;

/// Features whose products are summed as floats at a time: 512 · 255 · 127 is below 2²⁴, so every sum is exact.
const BLOCK: usize = 512;
/// The standard deviation of a new weight, about; the largest is 127.
const SPREAD: f64 = 24.0;
/// A bias learns like the weight of a feature whose level is this often the square root of the number of features.
const BIAS_LEVEL: f32 = 256.0;

/// Weights and biases as inference has them: 8-bit integers, and sums of 32 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// `[inputs, 2, D, features]`: phases before magnitudes.
    pub weights: Vec<i8>,
    /// `[inputs, 2, D]`
    pub bias: Vec<i32>,
    /// Binary places of the sums.
    pub shift: u32,
}

/// What training carries along: the numbers of which [`Adapter`] holds the roundings, and the optimiser's memory.
pub(crate) struct Shadow {
    weights: [Vec<f32>; 4],
    bias: [Vec<f32>; 4],
    steps: u64,
}

impl Adapter {
    /// The indices that a new adapter turns around, `[inputs, 2, D]`: phases of 0 or half a circle and magnitudes
    /// of 0, as [`Network::first_indices`](crate::network::Network::first_indices) has them for nodes.
    pub(crate) fn centres(settings: &Settings, seed: u64) -> Vec<i16> {
        let stream = Stream { seed, step: 0, site: SITE_BIAS };
        let centre = |row: usize| match row % (2 * settings.dimensions) < settings.dimensions {
            true => half_turns(uniform_at(stream, row as u64), settings.phases),
            false => 0,
        };
        (0..settings.inputs * 2 * settings.dimensions).map(centre).collect()
    }

    /// Random weights, such that phases vary among the `rows` of `samples` with a standard deviation of `swing`
    /// circles, and biases that put the mean indices at the [`centres`](Adapter::centres).
    pub(crate) fn random(
        settings: &Settings,
        samples: &Samples,
        rows: &[usize],
        swing: f32,
        seed: u64,
    ) -> Adapter {
        let features = samples.features;
        let count = settings.inputs * 2 * settings.dimensions;
        let mut mean = vec![0f64; features];
        let mut squares = 0f64;
        for &row in rows {
            for (mean, level) in mean.iter_mut().zip(samples.sample(row)) {
                *mean += f64::from(*level) / rows.len() as f64;
                squares += f64::from(*level) * f64::from(*level) / rows.len() as f64;
            }
        }
        let variance = (squares - mean.iter().map(|mean| mean * mean).sum::<f64>()).max(1.0);
        let swing = f64::from(swing) * settings.phases as f64;
        let shift = (SPREAD * variance.sqrt() / swing).log2().round() as u32;
        // The bias of a whole circle must fit into 30 bits, and the reader takes up to 24 places.
        let shift = shift.min(29 - settings.phases.max(settings.magnitudes).ilog2()).min(24);
        let spread = (swing * f64::from(1u32 << shift) / variance.sqrt()) as f32;
        let stream = Stream { seed, step: 0, site: SITE_WEIGHTS };
        let weights: Vec<i8> = (0..count * features)
            .map(|i| (normal_at(stream, i as u64) * spread).round().clamp(-127.0, 127.0) as i8)
            .collect();
        let centres = Adapter::centres(settings, seed);
        let bias = weights.chunks_exact(features).zip(centres).enumerate().map(|(row, (weights, centre))| {
            let centre = f64::from(centre) * f64::from(1u32 << shift);
            let mean: f64 = weights.iter().zip(&mean).map(|(w, x)| f64::from(*w) * x).sum();
            bounded(centre - mean, circle_of(settings, row), shift)
        });
        Adapter { bias: bias.collect(), weights, shift }
    }

    /// The indices of samples, `[samples, inputs, 2, D]`, from their levels as floats, `[samples, features]`.
    /// Every sum is of integers and exact, on any instruction set.
    pub(crate) fn indices(&self, settings: &Settings, levels: &[f32], pool: &Pool, out: &mut Vec<i16>) {
        let rows = self.bias.len();
        let features = self.weights.len() / rows;
        let samples = levels.len() / features;
        let mut sums: Vec<i32> = std::iter::repeat_n(&self.bias, samples).flatten().copied().collect();
        let mut products = vec![0.0; samples * rows];
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for from in (0..features).step_by(BLOCK) {
            let to = (from + BLOCK).min(features);
            a.clear();
            levels.chunks_exact(features).for_each(|row| a.extend_from_slice(&row[from..to]));
            b.clear();
            for row in self.weights.chunks_exact(features) {
                b.extend(row[from..to].iter().map(|w| f32::from(*w)));
            }
            let shape = (samples, rows, to - from);
            let mut scratch = vec![0.0; gemm_scratch(to - from)];
            gemm_shared(shape, &a, &b, &mut products, Epilogue::default(), &mut scratch, pool);
            sums.iter_mut()
                .zip(&products)
                .for_each(|(sum, product)| *sum = sum.wrapping_add(*product as i32));
        }
        out.clear();
        let row = |i: usize, sum: &i32| index(*sum, self.shift, circle_of(settings, i));
        out.extend(sums.iter().enumerate().map(|(i, sum)| row(i, sum)));
    }
}

impl Shadow {
    pub fn new(adapter: &Adapter) -> Shadow {
        let with_memory = |values: Vec<f32>| {
            let zeros = || vec![0.0; values.len()];
            [zeros(), zeros(), zeros(), values]
        };
        Shadow {
            weights: with_memory(adapter.weights.iter().map(|w| f32::from(*w)).collect()),
            bias: with_memory(adapter.bias.iter().map(|b| *b as f32 / (1 << adapter.shift) as f32).collect()),
            steps: 0,
        }
    }

    /// What it carries: of weights and of biases the values and Adam's two means, and the steps taken.
    pub fn memory(&mut self) -> ([[&mut Vec<f32>; 3]; 2], &mut u64) {
        let [_, first, second, weights] = &mut self.weights;
        let of_weights = [weights, first, second];
        let [_, first, second, bias] = &mut self.bias;
        ([of_weights, [bias, first, second]], &mut self.steps)
    }

    /// One step of AdamW from the gradients of the indices, `[samples, inputs, 2, D]`: rounding is passed over
    /// as if it were not there (Bengio, Léonard and Courville, 2013). `rate` is in 8-bit steps of a weight.
    pub fn step(
        &mut self,
        adapter: &mut Adapter,
        settings: &Settings,
        levels: &[f32],
        slopes: &[f32],
        options: Adam,
        pool: &Pool,
    ) {
        let rows = adapter.bias.len();
        let features = adapter.weights.len() / rows;
        let samples = levels.len() / features;
        let a = transposed(slopes, samples, rows);
        let b = transposed(levels, samples, features);
        let [weight_slopes, first, second, weights] = &mut self.weights;
        let mut scratch = vec![0.0; gemm_scratch(samples)];
        let shape = (rows, features, samples);
        gemm_shared(shape, &a, &b, weight_slopes, Epilogue::default(), &mut scratch, pool);
        self.steps += 1;
        let scale = 1.0 / (1u32 << adapter.shift) as f32;
        let step = self.steps;
        adamw(options, step, scale, weights, weight_slopes, first, second);
        for (weight, rounded) in weights.iter_mut().zip(&mut adapter.weights) {
            *weight = weight.clamp(-127.0, 127.0);
            *rounded = weight.round() as i8;
        }
        let [bias_slopes, first, second, bias] = &mut self.bias;
        for (slope, row) in bias_slopes.iter_mut().zip(a.chunks_exact(samples)) {
            *slope = row.iter().sum();
        }
        let rate = options.learning_rate * BIAS_LEVEL * (features as f32).sqrt() * scale;
        let unpunished = Adam { weight_decay: 0.0, learning_rate: rate, ..options };
        adamw(unpunished, step, 1.0, bias, bias_slopes, first, second);
        let fixed = (1u32 << adapter.shift) as f32;
        for (row, (bias, rounded)) in bias.iter().zip(&mut adapter.bias).enumerate() {
            *rounded = bounded(f64::from((bias * fixed).round()), circle_of(settings, row), adapter.shift);
        }
    }
}

/// Steps of the circle that a sum of the adapter turns on.
fn circle_of(settings: &Settings, row: usize) -> usize {
    let is_phase = row % (2 * settings.dimensions) < settings.dimensions;
    if is_phase { settings.phases } else { settings.magnitudes }
}

/// A bias as it is, or so many circles away that it has at most 30 bits: with the products of the most features
/// there may be, a sum then has at most 31.
fn bounded(bias: f64, circle: usize, shift: u32) -> i32 {
    const MOST: f64 = (1 << 30) as f64;
    let bias = bias.round();
    (if bias.abs() <= MOST { bias } else { bias.rem_euclid((circle << shift) as f64) }) as i32
}

fn transposed(rows: &[f32], m: usize, n: usize) -> Vec<f32> {
    (0..m * n).map(|i| rows[i % m * n + i / m]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_beyond_30_bits_means_the_same_index() {
        for bias in [-7e12, -2e9, -5.0, 0.0, 3.0, 1.1e9, 4e13] {
            let kept = bounded(bias, 4096, 13);
            assert!(kept.unsigned_abs() <= 1 << 30);
            assert_eq!((f64::from(kept) - bias).rem_euclid(f64::from(4096 << 13)), 0.0);
        }
    }
}
