//! AVX2 with FMA: 8 floats a vector.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// AVX2 with FMA: 8 floats a vector.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// Compiles and runs a kernel for this instruction set.
///
/// # Safety
/// The processor must have it.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// The same with the instructions for quadruples of 8-bit integers.
///
/// # Safety
/// The processor must have them too.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(super) unsafe fn run_quads<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

// SAFETY of every block below: a value of this type exists only inside `run`, whose caller promised
// the instructions; loads and stores pass their own caller's promise on.
impl Simd for Avx2 {
    const LANES: usize = 8;
    const FUSED: bool = true;
    type V = __m256;
    type I = __m256i;
    type M = __m256;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V {
        unsafe { _mm256_maskload_ps(p, first(n)) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V) {
        unsafe { _mm256_maskstore_ps(p, first(n), v) }
    }
    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    fn prefetch_far(self, p: *const f32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn widened_dot_quads(self, a: Self::I, b: Self::I, c: Self::I) -> Self::I {
        unsafe {
            let even = _mm256_set1_epi16(0xff);
            let (a_even, a_odd) = (_mm256_and_si256(a, even), _mm256_srli_epi16::<8>(a));
            let b_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b));
            let b_odd = _mm256_srai_epi16::<8>(b);
            let sum = _mm256_add_epi32(c, _mm256_madd_epi16(a_even, b_even));
            _mm256_add_epi32(sum, _mm256_madd_epi16(a_odd, b_odd))
        }
    }
    #[inline(always)]
    unsafe fn dot_quads(self, a: Self::I, b: Self::I, c: Self::I) -> Self::I {
        // SAFETY: the caller promises the instruction.
        unsafe { _mm256_dpbusd_avx_epi32(c, a, b) }
    }
    #[inline(always)]
    fn widen_halves(self, a: Self::V) -> [Self::V; 2] {
        unsafe {
            let words = _mm256_castps_si256(a);
            let lower = _mm256_and_si256(words, _mm256_set1_epi32(0xffff));
            // Each half of the vector is packed by itself, the first numbers in its lower part.
            let packed = _mm256_packus_epi32(lower, _mm256_srli_epi32::<16>(words));
            let sorted = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            [
                _mm256_cvtph_ps(_mm256_castsi256_si128(sorted)),
                _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(sorted)),
            ]
        }
    }
    #[inline(always)]
    fn round_halves(self, first: Self::V, second: Self::V) -> Self::V {
        unsafe {
            const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT;
            let first = _mm256_cvtepu16_epi32(_mm256_cvtps_ph::<NEAREST>(first));
            let second = _mm256_cvtepu16_epi32(_mm256_cvtps_ph::<NEAREST>(second));
            _mm256_castsi256_ps(_mm256_or_si256(first, _mm256_slli_epi32::<16>(second)))
        }
    }
    #[inline(always)]
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }
    #[inline(always)]
    fn neg(self, a: Self::V) -> Self::V {
        unsafe { _mm256_xor_ps(_mm256_set1_ps(-0.0), a) }
    }
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        // Two factors, as 2^n itself may be out of range.
        unsafe {
            let n = _mm256_cvtps_epi32(n);
            let half = _mm256_srai_epi32::<1>(n);
            let bias = _mm256_set1_epi32(127);
            let first = _mm256_slli_epi32::<23>(_mm256_add_epi32(half, bias));
            let second = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias));
            _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))
        }
    }
    #[inline(always)]
    fn copysign(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b))
        }
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
    }
    #[inline(always)]
    fn le(self, a: Self::V, b: Self::V) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_LE_OQ>(a, b) }
    }
    #[inline(always)]
    fn is_nan(self, a: Self::V) -> Self::M {
        unsafe { _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a) }
    }
    #[inline(always)]
    fn select(self, mask: Self::M, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_blendv_ps(b, a, mask) }
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> Self::I {
        unsafe { _mm256_set1_epi32(x) }
    }
    #[inline(always)]
    fn bits(self, a: Self::V) -> Self::I {
        unsafe { _mm256_castps_si256(a) }
    }
    #[inline(always)]
    fn as_float(self, a: Self::I) -> Self::V {
        unsafe { _mm256_castsi256_ps(a) }
    }
    #[inline(always)]
    fn to_int(self, a: Self::V) -> Self::I {
        unsafe { _mm256_cvtps_epi32(a) }
    }
    #[inline(always)]
    fn to_float(self, a: Self::I) -> Self::V {
        unsafe { _mm256_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn mul_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_mullo_epi32(a, b) }
    }
    #[inline(always)]
    fn mul_high_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe {
            let even = _mm256_srli_epi64::<32>(_mm256_mul_epu32(a, b));
            let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b));
            _mm256_blend_epi32::<0b1010_1010>(even, odd)
        }
    }
    #[inline(always)]
    fn and_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_and_si256(a, b) }
    }
    #[inline(always)]
    fn or_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_or_si256(a, b) }
    }
    #[inline(always)]
    fn xor_i(self, a: Self::I, b: Self::I) -> Self::I {
        unsafe { _mm256_xor_si256(a, b) }
    }
    #[inline(always)]
    fn shl_i<const K: i32>(self, a: Self::I) -> Self::I {
        unsafe { _mm256_slli_epi32::<K>(a) }
    }
    #[inline(always)]
    fn shr_i<const K: i32>(self, a: Self::I) -> Self::I {
        unsafe { _mm256_srli_epi32::<K>(a) }
    }
    #[inline(always)]
    fn sar_i<const K: i32>(self, a: Self::I) -> Self::I {
        unsafe { _mm256_srai_epi32::<K>(a) }
    }
    #[inline(always)]
    fn eq_i(self, a: Self::I, b: Self::I) -> Self::M {
        unsafe { _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)) }
    }
    #[inline(always)]
    fn iota(self) -> Self::I {
        unsafe { _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7) }
    }
    #[inline(always)]
    unsafe fn transpose_8x8(self, src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
        unsafe { transpose_8x8(src, src_stride, dst, dst_stride) }
    }
    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        unsafe { run(kernel) }
    }
    #[inline(always)]
    unsafe fn call_quads<K: Kernel>(self, kernel: K) -> K::Output {
        unsafe { run_quads(kernel) }
    }
    #[inline(always)]
    fn reduce_add(self, a: Self::V) -> f32 {
        unsafe {
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    fn reduce_max(self, a: Self::V) -> f32 {
        unsafe {
            let a = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)))
        }
    }
}

/// A mask of the first `n` lanes.
///
/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

/// [`Simd::transpose_8x8`] with AVX.
///
/// # Safety
/// As there, and the processor must have AVX.
#[inline(always)]
pub(super) unsafe fn transpose_8x8(src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
    unsafe {
        for half in 0..2 {
            // Four columns of rows i and i + 4, so that no step crosses the 128-bit halves.
            let pair = |i: usize| {
                let low = _mm256_castps128_ps256(_mm_loadu_ps(src.add(i * src_stride + 4 * half)));
                _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(src.add((i + 4) * src_stride + 4 * half)))
            };
            let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
            let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let dst = dst.add(4 * half * dst_stride);
            _mm256_storeu_ps(dst, _mm256_shuffle_ps::<0x44>(ab_low, cd_low));
            _mm256_storeu_ps(dst.add(dst_stride), _mm256_shuffle_ps::<0xee>(ab_low, cd_low));
            _mm256_storeu_ps(dst.add(2 * dst_stride), _mm256_shuffle_ps::<0x44>(ab_high, cd_high));
            _mm256_storeu_ps(dst.add(3 * dst_stride), _mm256_shuffle_ps::<0xee>(ab_high, cd_high));
        }
    }
}
