//! The body every machine has: arrays, in loops that the compiler vectorises.

use super::{Kernel, Simd};

/// Plain Rust over arrays of N, a power of 2.
#[derive(Clone, Copy, Debug)]
pub struct Portable<const N: usize>;

#[inline(always)]
fn map<A: Copy, R, const N: usize>(a: [A; N], f: impl Fn(A) -> R) -> [R; N] {
    std::array::from_fn(|i| f(a[i]))
}

#[inline(always)]
fn zip<A: Copy, B: Copy, R, const N: usize>(a: [A; N], b: [B; N], f: impl Fn(A, B) -> R) -> [R; N] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl<const N: usize> Simd for Portable<N> {
    const LANES: usize = N;
    const FUSED: bool = false;
    type V = [f32; N];
    type I = [i32; N];
    type M = [bool; N];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller's promise is this one.
        unsafe { p.cast::<[f32; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller's promise is this one.
        unsafe { p.cast::<[f32; N]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V {
        // SAFETY: lanes below `n` are readable by the caller's promise.
        std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: lanes below `n` are writable by the caller's promise.
            unsafe { *p.add(i) = x };
        }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| c[i] - a[i] * b[i])
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        map(a, f32::sqrt)
    }
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        map(a, f32::abs)
    }
    #[inline(always)]
    fn neg(self, a: Self::V) -> Self::V {
        map(a, |a| -a)
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        // Adding 1.5 * 2^23 leaves no room for fraction bits.
        map(a, |a| (a + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        // Two factors, as 2^n itself may be out of range. The low bits of a float this size are an integer.
        let n = map(n, |n| (n + 12_582_912.0).to_bits() as i32 - 0x4b40_0000);
        zip(a, n, |a, n| {
            let half = n >> 1;
            let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
            a * power(half) * power(n - half)
        })
    }
    #[inline(always)]
    fn copysign(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, f32::copysign)
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        zip(a, b, |a, b| a < b)
    }
    #[inline(always)]
    fn le(self, a: Self::V, b: Self::V) -> Self::M {
        zip(a, b, |a, b| a <= b)
    }
    #[inline(always)]
    fn is_nan(self, a: Self::V) -> Self::M {
        map(a, f32::is_nan)
    }
    #[inline(always)]
    fn select(self, mask: Self::M, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if mask[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> Self::I {
        [x; N]
    }
    #[inline(always)]
    fn bits(self, a: Self::V) -> Self::I {
        map(a, |a| a.to_bits() as i32)
    }
    #[inline(always)]
    fn as_float(self, a: Self::I) -> Self::V {
        map(a, |a| f32::from_bits(a as u32))
    }
    #[inline(always)]
    fn to_int(self, a: Self::V) -> Self::I {
        // `round_ties_even` is a function call for each lane before SSE4.1. From 2^23 on, every float is
        // whole; below, adding 2^23 leaves no room for fraction bits.
        map(a, |a| {
            let size = a.abs();
            let whole = if size < 8_388_608.0 { (size + 8_388_608.0) - 8_388_608.0 } else { size };
            whole.copysign(a) as i32
        })
    }
    #[inline(always)]
    fn to_float(self, a: Self::I) -> Self::V {
        map(a, |a| a as f32)
    }
    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_sub)
    }
    #[inline(always)]
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_mul)
    }
    #[inline(always)]
    fn mul_high_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |a, b| ((u64::from(a as u32) * u64::from(b as u32)) >> 32) as i32)
    }
    #[inline(always)]
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn shl_i<const K: i32>(self, a: Self::I) -> Self::I {
        map(a, |a| a << K)
    }
    #[inline(always)]
    fn shr_i<const K: i32>(self, a: Self::I) -> Self::I {
        map(a, |a| ((a as u32) >> K) as i32)
    }
    #[inline(always)]
    fn sar_i<const K: i32>(self, a: Self::I) -> Self::I {
        map(a, |a| a >> K)
    }
    #[inline(always)]
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M {
        zip(a, b, |a, b| a == b)
    }
    #[inline(always)]
    fn iota(self) -> Self::I {
        std::array::from_fn(|i| i as i32)
    }
    #[inline(always)]
    unsafe fn transpose_8x8(self, src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
        // SAFETY: the caller's promise is this one.
        unsafe {
            for j in 0..8 {
                for i in 0..8 {
                    *dst.add(j * dst_stride + i) = *src.add(i * src_stride + j);
                }
            }
        }
    }
    #[inline(never)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
    #[inline(always)]
    fn reduce_add(self, a: Self::V) -> f32 {
        let (mut a, mut half) = (a, N / 2);
        while half > 0 {
            for i in 0..half {
                a[i] += a[i + half];
            }
            half /= 2;
        }
        a[0]
    }
    #[inline(always)]
    fn reduce_max(self, a: Self::V) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
    }
}
