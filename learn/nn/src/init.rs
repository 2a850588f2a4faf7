//! Initial values of parameters, as PyTorch draws them by default.

use std::ops::Range;

use bessemer_kernels::random::{Stream, fill_normal, fill_uniform};
use bessemer_plan::Parameters;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// The same number everywhere.
    Constant(f32),
    /// Uniform in ±bound.
    Uniform {
        /// The largest size.
        bound: f32,
    },
    /// Normal around 0.
    Normal {
        /// Its deviation.
        std: f32,
    },
    /// Uniform in ±bound, but for one part.
    UniformBut {
        /// The largest size.
        bound: f32,
        /// First element of the part, and the one after its last.
        part: (usize, usize),
        /// What is everywhere in the part.
        value: f32,
    },
}

impl Init {
    /// All zeros.
    pub const ZEROS: Init = Init::Constant(0.0);
    /// All ones.
    pub const ONES: Init = Init::Constant(1.0);

    /// PyTorch's default for weights and biases of linear and convolution layers: uniform in
    /// ±1/√fan_in (Kaiming uniform with a = √5).
    pub fn fan_in(fan_in: usize) -> Init {
        Init::Uniform { bound: 1.0 / (fan_in.max(1) as f32).sqrt() }
    }

    /// Uniform as by [`Init::fan_in`], but one number in a part.
    pub fn fan_in_but(fan_in: usize, part: Range<usize>, value: f32) -> Init {
        let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
        Init::UniformBut { bound, part: (part.start, part.end), value }
    }

    /// Uniform in ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).
    pub fn xavier_uniform(fan_in: usize, fan_out: usize) -> Init {
        Init::Uniform { bound: (6.0 / (fan_in + fan_out).max(1) as f32).sqrt() }
    }
}

/// Draws the initial parameters. Each tensor's numbers depend on the seed and its own name only.
pub fn initialize(parameters: &mut Parameters, inits: &[Init], seed: u64) {
    for (index, init) in inits.iter().enumerate() {
        let stream = Stream { seed, step: name_hash(&parameters.specs()[index].name), site: u32::MAX };
        let data = parameters.get_mut(index);
        match *init {
            Init::Constant(x) => data.fill(x),
            Init::Uniform { bound } => uniform(stream, bound, data),
            Init::UniformBut { bound, part: (start, end), value } => {
                uniform(stream, bound, data);
                data[start..end].fill(value);
            }
            Init::Normal { std } => {
                fill_normal(stream, 0, data);
                data.iter_mut().for_each(|x| *x *= std);
            }
        }
    }
}

fn uniform(stream: Stream, bound: f32, data: &mut [f32]) {
    fill_uniform(stream, 0, data);
    data.iter_mut().for_each(|x| *x = (*x * 2.0 - 1.0) * bound);
}

/// FNV-1a, to give every name its own random numbers.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_graph::Parameter;

    #[test]
    fn a_tensor_starts_the_same_whatever_stands_beside_it() {
        let spec = |name: &str, n| Parameter { name: name.into(), shape: vec![n] };
        let mut alone = Parameters::new(&[spec("w", 1000)]);
        initialize(&mut alone, &[Init::fan_in(4)], 7);
        let mut beside = Parameters::new(&[spec("v", 3), spec("w", 1000)]);
        initialize(&mut beside, &[Init::ONES, Init::fan_in(4)], 7);
        assert_eq!(alone.get(0), beside.get(1));
        assert!(alone.get(0).iter().all(|x| x.abs() <= 0.5));
        let mean = alone.get(0).iter().sum::<f32>() / 1000.0;
        assert!(mean.abs() < 0.05, "{mean}");
    }
}
