//! What one core can do: the yardstick that other figures are fractions of.

use std::time::Instant;

use crate::simd::{Kernel, Simd, dispatch};

/// Accumulators that hide the latency of a multiply-add on two units.
const CHAINS: usize = 12;
/// Turns of the loop in one measurement.
const TURNS: usize = 400_000;

/// Floating-point operations per second of a loop that does nothing but multiply-adds in registers
/// (separate multiplications and additions where the instruction set has none), the best of `rounds`.
pub fn measure_flops(rounds: usize) -> f64 {
    (0..rounds.max(1))
        .map(|_| {
            let start = Instant::now();
            let flops = dispatch(Loop);
            flops / start.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max)
}

struct Loop;

impl Kernel for Loop {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let factor = s.splat(std::hint::black_box(0.999_9));
        let term = s.splat(std::hint::black_box(1e-4));
        let mut sums = [s.splat(1.0); CHAINS];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = s.mul_add(*sum, factor, term);
            }
        }
        let total = sums.into_iter().fold(s.splat(0.0), |a, b| s.add(a, b));
        std::hint::black_box(s.reduce_add(total));
        (2 * CHAINS * S::LANES * TURNS) as f64
    }
}
