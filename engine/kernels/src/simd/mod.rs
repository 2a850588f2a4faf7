//! Vectors of floats whose width is the instruction set's: kernels are written once over [`Simd`]
//! and compiled for every instruction set by [`dispatch`].
//!
//! A value of a `Simd` type is proof that the processor has the instructions, so everything but
//! raw loads and stores is safe to call.

use crate::isa::{Isa, isa};

mod part;
mod twice;
pub(crate) use twice::Twice;
mod unfused;
pub(crate) use part::{First, Part, Whole, each_vector, lanes};
pub(crate) use unfused::Unfused;
mod portable;
pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;

/// The vector operations of one instruction set. All lanes are independent.
pub trait Simd: Copy + 'static {
    /// Floats in a vector.
    const LANES: usize;
    /// Whether `mul_add` rounds once.
    const FUSED: bool;
    /// `LANES` floats.
    type V: Copy;
    /// `LANES` 32-bit integers.
    type I: Copy;
    /// `LANES` truth values.
    type M: Copy;

    /// The same float in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// Loads `LANES` floats; no alignment needed.
    ///
    /// # Safety
    /// `p` must be readable for `LANES` floats.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// Stores `LANES` floats; no alignment needed.
    ///
    /// # Safety
    /// `p` must be writable for `LANES` floats.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// Loads the first `n < LANES` floats and zeros.
    ///
    /// # Safety
    /// `p` must be readable for `n` floats.
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V;
    /// Stores the first `n < LANES` floats.
    ///
    /// # Safety
    /// `p` must be writable for `n` floats.
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V);

    /// Asks for the cache line at `p`, which need not be readable. Does nothing where unknown.
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}
    /// Likewise, but into the second-level cache only, for use a while later.
    #[inline(always)]
    fn prefetch_far(self, _: *const f32) {}
    /// a + b
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a - b
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c, rounded once where [`Simd::FUSED`]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The two products of pairs of bf16 numbers, added to c (see `widened_dot`), by the
    /// instruction for it if the set has one.
    ///
    /// # Safety
    /// Only within `dispatch_pairs`.
    #[inline(always)]
    unsafe fn dot_pairs(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        widened_dot(self, a, b, c)
    }
    /// Pairs of the bf16 numbers nearest to `first` (in the lower halves) and `second`; what is below
    /// the normal range becomes 0, as it is in [`Simd::dot_pairs`].
    ///
    /// # Safety
    /// Only within `dispatch_pairs`.
    #[inline(always)]
    unsafe fn round_pairs(self, first: Self::V, second: Self::V) -> Self::V {
        rounded_pairs(self, first, second)
    }
    /// The f16 numbers in the lower and in the upper halves, as floats.
    #[inline(always)]
    fn widen_halves(self, a: Self::V) -> [Self::V; 2] {
        let bits = self.bits(a);
        [bits, self.shr_i::<16>(bits)].map(|bits| widen_half(self, bits))
    }
    /// Pairs of the f16 numbers nearest to `first` (in the lower halves) and `second`.
    #[inline(always)]
    fn round_halves(self, first: Self::V, second: Self::V) -> Self::V {
        let (first, second) = (round_half(self, first), round_half(self, second));
        self.as_float(self.or_i(first, self.shl_i::<16>(second)))
    }
    /// c plus the four products of the unsigned bytes of a lane of `a` and the signed ones of `b`.
    #[inline(always)]
    fn widened_dot_quads(self, a: Self::I, b: Self::I, c: Self::I) -> Self::I {
        let byte = self.splat_i(0xff);
        let first = self.mul_i(self.and_i(a, byte), self.sar_i::<24>(self.shl_i::<24>(b)));
        let second = self.mul_i(self.and_i(self.shr_i::<8>(a), byte), self.sar_i::<24>(self.shl_i::<16>(b)));
        let third = self.mul_i(self.and_i(self.shr_i::<16>(a), byte), self.sar_i::<24>(self.shl_i::<8>(b)));
        let fourth = self.mul_i(self.shr_i::<24>(a), self.sar_i::<24>(b));
        self.add_i(self.add_i(c, self.add_i(first, second)), self.add_i(third, fourth))
    }
    /// The same by the instruction for it.
    ///
    /// # Safety
    /// Only within `dispatch_quads`.
    #[inline(always)]
    unsafe fn dot_quads(self, a: Self::I, b: Self::I, c: Self::I) -> Self::I {
        self.widened_dot_quads(a, b, c)
    }
    /// -a * b + c, rounded once where [`Simd::FUSED`]
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The smaller; b where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger; b where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Square root.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// Absolute value.
    fn abs(self, a: Self::V) -> Self::V;
    /// -a
    fn neg(self, a: Self::V) -> Self::V;
    /// To the nearest whole number, ties to even; |a| below 2^22.
    fn round(self, a: Self::V) -> Self::V;
    /// a * 2^n for a whole n in -150 ..= 129, rounded once (so it overflows to infinity, and
    /// underflows gradually).
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    /// |a| with the sign of b.
    fn copysign(self, a: Self::V, b: Self::V) -> Self::V;

    /// a < b (false for NaN)
    fn lt(self, a: Self::V, b: Self::V) -> Self::M;
    /// a <= b (false for NaN)
    fn le(self, a: Self::V, b: Self::V) -> Self::M;
    /// a is NaN
    fn is_nan(self, a: Self::V) -> Self::M;
    /// Lane-wise `if mask { a } else { b }`.
    fn select(self, mask: Self::M, a: Self::V, b: Self::V) -> Self::V;

    /// The same integer in every lane.
    fn splat_i(self, x: i32) -> Self::I;
    /// Reinterprets the bits.
    fn bits(self, a: Self::V) -> Self::I;
    /// Reinterprets the bits.
    fn as_float(self, a: Self::I) -> Self::V;
    /// Nearest integer (ties to even) of |a| below 2^31.
    fn to_int(self, a: Self::V) -> Self::I;
    /// To float.
    fn to_float(self, a: Self::I) -> Self::V;
    /// a + b, wrapping
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// a - b, wrapping
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Low 32 bits of a * b
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// High 32 bits of the unsigned 64-bit a * b
    fn mul_high_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise and.
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise or.
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise exclusive or.
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Shift left by a constant.
    fn shl_i<const N: i32>(self, a: Self::I) -> Self::I;
    /// Logical shift right by a constant.
    fn shr_i<const N: i32>(self, a: Self::I) -> Self::I;
    /// Arithmetic shift right by a constant.
    fn sar_i<const N: i32>(self, a: Self::I) -> Self::I;
    /// a == b
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M;
    /// The integers 0, 1, 2, ...
    fn iota(self) -> Self::I;

    /// Transposes 8 x 8 floats: dst\[j * dst_stride + i\] = src\[i * src_stride + j\].
    ///
    /// # Safety
    /// Eight rows of 8 floats must be readable at `src`, and writable at `dst`.
    unsafe fn transpose_8x8(self, src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize);

    /// Runs a kernel as a function of its own, so that what is compiled in one piece stays small: the
    /// compiler's time grows faster than a function does. In place, if the set has no way to.
    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
    /// The same with the instructions of [`Simd::dot_pairs`].
    ///
    /// # Safety
    /// Only within `dispatch_pairs`.
    #[inline(always)]
    unsafe fn call_pairs<K: Kernel>(self, kernel: K) -> K::Output {
        self.call(kernel)
    }
    /// The same with the instructions of [`Simd::dot_quads`].
    ///
    /// # Safety
    /// Only within `dispatch_quads`.
    #[inline(always)]
    unsafe fn call_quads<K: Kernel>(self, kernel: K) -> K::Output {
        self.call(kernel)
    }

    /// Adds a * b to the vector at `p`; of pairs of vectors both, one after the other, to one vector.
    ///
    /// # Safety
    /// `p` must be readable and writable for `LANES` floats.
    #[inline(always)]
    unsafe fn add_product(self, p: *mut f32, a: Self::V, b: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(p, self.mul_add(a, b, self.load(p))) }
    }
    /// Adds a to the vector at `p`; of pairs of vectors both, one after the other, to one vector.
    ///
    /// # Safety
    /// `p` must be readable and writable for `LANES` floats.
    #[inline(always)]
    unsafe fn add_term(self, p: *mut f32, a: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(p, self.add(self.load(p), a)) }
    }

    /// Sum of the lanes, as a fixed tree.
    fn reduce_add(self, a: Self::V) -> f32;
    /// The largest lane.
    fn reduce_max(self, a: Self::V) -> f32;
}

/// Work that [`dispatch`] compiles for every instruction set. `run` must be `#[inline(always)]`,
/// as must everything in it that touches vectors.
pub trait Kernel {
    /// What the work gives.
    type Output;
    /// The work, for one instruction set.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel with the instruction set in force on this thread.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    match isa() {
        // SAFETY: `isa` names only what the processor has.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Amx => unsafe { avx512::run(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::run(kernel) },
        Isa::Scalar => kernel.run(Portable::<1>),
        _ => kernel.run(Portable::<8>),
    }
}

/// Whether the instruction set in force on this thread multiplies pairs of bf16 numbers.
pub fn has_pairs() -> bool {
    #[cfg(target_arch = "x86_64")]
    return isa() >= Isa::Avx512 && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Runs a kernel with the instructions for pairs of bf16 numbers.
///
/// # Panics
/// If there are none: see [`has_pairs`].
pub(crate) fn dispatch_pairs<K: Kernel>(kernel: K) -> K::Output {
    assert!(has_pairs(), "no instructions for bf16");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: just asserted.
    return unsafe { avx512::run_pairs(kernel) };
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!()
}

/// Whether the instruction set in force on this thread multiplies quadruples of 8-bit integers.
pub fn has_quads() -> bool {
    #[cfg(target_arch = "x86_64")]
    return match isa() {
        Isa::Avx512 | Isa::Amx => is_x86_feature_detected!("avx512vnni"),
        Isa::Avx2 => is_x86_feature_detected!("avxvnni"),
        Isa::Scalar | Isa::Portable => false,
    };
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Runs a kernel with the instructions for quadruples of 8-bit integers.
///
/// # Panics
/// If there are none: see [`has_quads`].
pub(crate) fn dispatch_quads<K: Kernel>(kernel: K) -> K::Output {
    assert!(has_quads(), "no instructions for 8-bit integers");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: just asserted.
    return unsafe { if isa() >= Isa::Avx512 { avx512::run_quads(kernel) } else { avx2::run_quads(kernel) } };
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!()
}

/// c + a0·b0 + a1·b1 in every lane, where a lane of `a` and `b` holds two bf16 numbers: number 0 in the
/// lower half. Each is widened to a float; the products are exact.
#[inline(always)]
pub(crate) fn widened_dot<S: Simd>(s: S, a: S::V, b: S::V, c: S::V) -> S::V {
    let (a, b) = (s.bits(a), s.bits(b));
    let upper = s.splat_i(0xffff_0000_u32 as i32);
    let first = s.mul_add(s.as_float(s.shl_i::<16>(a)), s.as_float(s.shl_i::<16>(b)), c);
    s.mul_add(s.as_float(s.and_i(a, upper)), s.as_float(s.and_i(b, upper)), first)
}

/// Pairs of the bf16 numbers nearest to `first` (in the lower halves) and `second`; ties to even, NaN
/// stays NaN.
#[inline(always)]
pub(crate) fn rounded_pairs<S: Simd>(s: S, first: S::V, second: S::V) -> S::V {
    #[inline(always)]
    fn round<S: Simd>(s: S, x: S::V) -> S::I {
        let bits = s.bits(x);
        let odd = s.and_i(s.shr_i::<16>(bits), s.splat_i(1));
        let rounded = s.add_i(bits, s.add_i(odd, s.splat_i(0x7fff)));
        let quiet = s.or_i(bits, s.splat_i(0x0040_0000));
        s.bits(s.select(s.is_nan(x), s.as_float(quiet), s.as_float(rounded)))
    }
    let upper = s.and_i(round(s, second), s.splat_i(0xffff_0000_u32 as i32));
    s.as_float(s.or_i(s.shr_i::<16>(round(s, first)), upper))
}

/// The f16 number in the lower half of each lane, as a float.
#[inline(always)]
fn widen_half<S: Simd>(s: S, bits: S::I) -> S::V {
    let magnitude = s.and_i(bits, s.splat_i(0x7fff));
    let sign = s.as_float(s.shl_i::<16>(s.and_i(bits, s.splat_i(0x8000))));
    // The exponent moves by a multiplication, which is right for numbers below the normal range too.
    let moved = s.mul(s.as_float(s.shl_i::<13>(magnitude)), s.splat(f32::from_bits(0x7780_0000)));
    let infinite = s.as_float(s.or_i(s.bits(moved), s.splat_i(0x7f80_0000)));
    s.copysign(s.select(s.lt(moved, s.splat(65536.0)), moved, infinite), sign)
}

/// The f16 number nearest to a float, ties to even, in the lower half of each lane.
#[inline(always)]
fn round_half<S: Simd>(s: S, x: S::V) -> S::I {
    let magnitude = s.abs(x);
    let bits = s.bits(magnitude);
    let sign = s.and_i(s.shr_i::<16>(s.bits(x)), s.splat_i(0x8000));
    // Of the mantissa, 13 bits go; half of the last that stays is added, less one unless it is odd.
    let odd = s.and_i(s.shr_i::<13>(bits), s.splat_i(1));
    let half = s.add_i(s.splat_i(((15 - 127) << 23) + 0xfff), odd);
    let normal = s.shr_i::<13>(s.add_i(bits, half));
    // Below the normal range, an addition to 0.5 leaves the digits that stay at the end of the mantissa.
    let small = s.sub_i(s.bits(s.add(magnitude, s.splat(0.5))), s.splat_i(0.5f32.to_bits() as i32));
    let large = s.bits(s.select(s.is_nan(x), s.as_float(s.splat_i(0x7e00)), s.as_float(s.splat_i(0x7c00))));
    let finite = s.select(
        s.lt(magnitude, s.splat(f32::from_bits(0x3880_0000))),
        s.as_float(small),
        s.as_float(normal),
    );
    let rounded = s.select(s.lt(magnitude, s.splat(65520.0)), finite, s.as_float(large));
    s.or_i(s.bits(rounded), sign)
}

/// The sum of `len` floats: four vectors of partial sums, then a fixed tree.
///
/// # Safety
/// `p` must be readable for `len` floats.
#[inline(always)]
pub(crate) unsafe fn sum<S: Simd>(s: S, p: *const f32, len: usize) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let mut i = 0;
    // SAFETY: every load ends at `len` or before it.
    unsafe {
        while i + 4 * S::LANES <= len {
            sums[0] = s.add(sums[0], s.load(p.add(i)));
            sums[1] = s.add(sums[1], s.load(p.add(i + S::LANES)));
            sums[2] = s.add(sums[2], s.load(p.add(i + 2 * S::LANES)));
            sums[3] = s.add(sums[3], s.load(p.add(i + 3 * S::LANES)));
            i += 4 * S::LANES;
        }
        let rest = p.add(i);
        each_vector!(s, len - i, |j, part| sums[0] = s.add(sums[0], part.load(s, rest.add(j))));
    }
    s.reduce_add(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}
