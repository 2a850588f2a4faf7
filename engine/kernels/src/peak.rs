//! What the machine can do: the yardsticks that other figures are fractions of.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::gemm::kernels::{Floats, Multiply, NativePairs, NativeQuads, multiply_blocks};
use crate::gemm::{Epilogue, Parts, gemm_packed, pack_b, packed_len};
use crate::isa::{Isa, isa};
use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch, dispatch_pairs, dispatch_quads, has_pairs, has_quads, sum};

/// Accumulators that hide the latency of a multiply-add on two units.
const CHAINS: usize = 12;
/// Turns of the loop in one measurement.
const TURNS: usize = 400_000;

/// Blocks in one measurement of tile registers.
const BLOCKS: usize = 10_000;

/// Floating-point operations per second of a loop that does nothing but multiply-adds in registers, the best
/// of `rounds`. With tile registers it is that of products of blocks in the first cache, and without vectors of
/// the processor's own, where what the compiler makes of a loop differs, that of a product in the first cache.
pub fn measure_flops(rounds: usize) -> f64 {
    match isa() {
        Isa::Avx2 | Isa::Avx512 => best(rounds, || dispatch(Loop(Floats))),
        Isa::Amx => best(rounds, || multiply_blocks(Parts::Three, BLOCKS)),
        Isa::Portable | Isa::Scalar => measure_product(rounds),
    }
}

fn measure_product(rounds: usize) -> f64 {
    const SIDE: usize = 64;
    const TIMES: usize = 50;
    let a = vec![1.0; SIDE * SIDE];
    let (mut b, mut c) = (vec![0.0; packed_len(SIDE, SIDE)], vec![0.0; SIDE * SIDE]);
    pack_b(SIDE, SIDE, &a, (SIDE, 1), &mut b);
    best(rounds, || {
        for _ in 0..TIMES {
            let a = std::hint::black_box(&a);
            gemm_packed(SIDE, SIDE, SIDE, a, (SIDE, 1), &b, (&mut c, SIDE), Epilogue::default(), None);
        }
        std::hint::black_box(&c);
        (2 * SIDE * SIDE * SIDE * TIMES) as f64
    })
}

/// The same with pairs of bf16 numbers, if the instruction set in force multiplies them.
pub fn measure_bf16_flops(rounds: usize) -> Option<f64> {
    if isa() == Isa::Amx {
        return Some(best(rounds, || multiply_blocks(Parts::One, BLOCKS)));
    }
    // SAFETY: run by `dispatch_pairs`.
    has_pairs().then(|| best(rounds, || 2.0 * dispatch_pairs(Loop(unsafe { NativePairs::new() }))))
}

/// The same with quadruples of 8-bit integers, if the instruction set in force multiplies them.
pub fn measure_int8_ops(rounds: usize) -> Option<f64> {
    // SAFETY: run by `dispatch_quads`; the loop asks for no scaled result.
    has_quads().then(|| best(rounds, || 4.0 * dispatch_quads(Loop(unsafe { NativeQuads::unscaled() }))))
}

fn best(rounds: usize, mut run: impl FnMut() -> f64) -> f64 {
    let one = |_| {
        let start = Instant::now();
        let operations = run();
        operations / start.elapsed().as_secs_f64()
    };
    (0..rounds.max(1)).map(one).fold(0.0, f64::max)
}

struct Loop<M>(M);

impl<M: Multiply> Kernel for Loop<M> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let factor = s.splat(std::hint::black_box(0.999_9));
        let term = s.splat(std::hint::black_box(1e-4));
        let mut sums = [s.splat(1.0); CHAINS];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = self.0.multiply_add(s, factor, term, *sum);
            }
        }
        let total = sums.into_iter().fold(s.splat(0.0), |a, b| s.add(a, b));
        std::hint::black_box(s.reduce_add(total));
        (2 * CHAINS * S::LANES * TURNS) as f64
    }
}

/// Bytes per second that the threads of a pool read together from `floats` floats of memory, the best of
/// `rounds`. To see the memory and not the caches, read several times what they hold.
pub fn measure_bandwidth(pool: &Pool, floats: usize, rounds: usize) -> f64 {
    // Written here, so that the pages are there.
    let memory = vec![1.0f32; floats.max(1)];
    let part = memory.len().div_ceil(pool.threads());
    let parts: Vec<&[f32]> = memory.chunks(part).collect();
    best(rounds, || {
        let total = AtomicU32::new(0);
        pool.run(parts.len(), &|i| {
            total.fetch_xor(dispatch(Read(parts[i])).to_bits(), Ordering::Relaxed);
        });
        std::hint::black_box(total);
        4.0 * memory.len() as f64
    })
}

struct Read<'a>(&'a [f32]);

impl Kernel for Read<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        // SAFETY: as many as there are.
        unsafe { sum(s, self.0.as_ptr(), self.0.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn every_instruction_set_has_its_yardsticks() {
        for isa in Isa::available() {
            isa.force(|| {
                assert!(measure_flops(1) > 1e8);
                assert_eq!(measure_bf16_flops(1).is_some(), has_pairs() || isa == Isa::Amx);
                assert_eq!(measure_int8_ops(1).is_some(), has_quads());
            });
        }
        assert!(measure_bandwidth(&Pool::new(2), 1 << 16, 1) > 1e8);
    }
}
