//! Transposing a square of vectors in registers.

use std::any::TypeId;

use crate::simd::Simd;

/// Vectors in the largest square.
pub(crate) const SIDE: usize = 16;

/// Transposes the first `LANES` vectors: lane j of vector i goes to lane i of vector j.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(s: S, rows: &mut [S::V; SIDE]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m256, __m512};
        if TypeId::of::<S>() == TypeId::of::<crate::simd::Avx512>() {
            // SAFETY: `S` is the type whose vectors these are, and its value proves the instructions.
            return unsafe { avx512(&mut *(&raw mut *rows).cast::<[__m512; SIDE]>()) };
        }
        if TypeId::of::<S>() == TypeId::of::<crate::simd::Avx2>() {
            // SAFETY: as above.
            return unsafe { avx2(&mut *(&raw mut *rows).cast::<[__m256; SIDE]>()) };
        }
    }
    let mut from = [[0.0f32; SIDE]; SIDE];
    for (line, &row) in from.iter_mut().zip(&*rows).take(S::LANES) {
        // SAFETY: a line holds the widest vector.
        unsafe { s.store(line.as_mut_ptr(), row) };
    }
    let mut to = [[0.0f32; SIDE]; SIDE];
    for i in 0..S::LANES {
        for j in 0..S::LANES {
            to[j][i] = from[i][j];
        }
    }
    for (row, line) in rows.iter_mut().zip(&to).take(S::LANES) {
        // SAFETY: as above.
        *row = unsafe { s.load(line.as_ptr()) };
    }
}

/// Pairs, then fours, then quarters of vectors.
///
/// # Safety
/// The processor must have AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn avx512(r: &mut [std::arch::x86_64::__m512; SIDE]) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise.
    unsafe {
        // Plain loops: a closure may not be inlined, and would then run without the instructions.
        let mut pairs = [_mm512_setzero_ps(); SIDE];
        for (i, pair) in pairs.iter_mut().enumerate() {
            let (a, b) = (r[i & !1], r[i | 1]);
            *pair = if i & 1 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) };
        }
        // fours[4 q + c]: column c of rows 4 q .. 4 q + 4, in each quarter
        let mut fours = [_mm512_setzero_ps(); SIDE];
        for (i, four) in fours.iter_mut().enumerate() {
            let (q, c) = (i & !3, i & 3);
            let a = _mm512_castps_pd(pairs[q + (c >> 1)]);
            let b = _mm512_castps_pd(pairs[q + 2 + (c >> 1)]);
            *four = _mm512_castpd_ps(if c & 1 == 0 {
                _mm512_unpacklo_pd(a, b)
            } else {
                _mm512_unpackhi_pd(a, b)
            });
        }
        for c in 0..4 {
            let (f0, f1, f2, f3) = (fours[c], fours[4 + c], fours[8 + c], fours[12 + c]);
            let low = _mm512_shuffle_f32x4::<0x88>(f0, f1);
            let high = _mm512_shuffle_f32x4::<0x88>(f2, f3);
            let low_odd = _mm512_shuffle_f32x4::<0xdd>(f0, f1);
            let high_odd = _mm512_shuffle_f32x4::<0xdd>(f2, f3);
            r[c] = _mm512_shuffle_f32x4::<0x88>(low, high);
            r[8 + c] = _mm512_shuffle_f32x4::<0xdd>(low, high);
            r[4 + c] = _mm512_shuffle_f32x4::<0x88>(low_odd, high_odd);
            r[12 + c] = _mm512_shuffle_f32x4::<0xdd>(low_odd, high_odd);
        }
    }
}

/// Pairs, then fours, then halves of vectors.
///
/// # Safety
/// The processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn avx2(r: &mut [std::arch::x86_64::__m256; SIDE]) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise.
    unsafe {
        // Plain loops: a closure may not be inlined, and would then run without the instructions.
        let mut pairs = [_mm256_setzero_ps(); 8];
        for (i, pair) in pairs.iter_mut().enumerate() {
            let (a, b) = (r[i & !1], r[i | 1]);
            *pair = if i & 1 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) };
        }
        let mut fours = [_mm256_setzero_ps(); 8];
        for (i, four) in fours.iter_mut().enumerate() {
            let (q, c) = (i & !3, i & 3);
            let a = _mm256_castps_pd(pairs[q + (c >> 1)]);
            let b = _mm256_castps_pd(pairs[q + 2 + (c >> 1)]);
            *four = _mm256_castpd_ps(if c & 1 == 0 {
                _mm256_unpacklo_pd(a, b)
            } else {
                _mm256_unpackhi_pd(a, b)
            });
        }
        for c in 0..4 {
            r[c] = _mm256_permute2f128_ps::<0x20>(fours[c], fours[4 + c]);
            r[4 + c] = _mm256_permute2f128_ps::<0x31>(fours[c], fours[4 + c]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::simd::{Kernel, dispatch};

    #[test]
    fn lane_j_of_vector_i_goes_to_lane_i_of_vector_j() {
        struct Check;
        impl Kernel for Check {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(self, s: S) {
                let line = |i: usize| -> [f32; SIDE] { std::array::from_fn(|j| (100 * i + j) as f32) };
                // SAFETY: a line holds the widest vector.
                let mut rows: [S::V; SIDE] = std::array::from_fn(|i| unsafe { s.load(line(i).as_ptr()) });
                transpose(s, &mut rows);
                for (i, &row) in rows.iter().enumerate().take(S::LANES) {
                    let mut out = [0.0; SIDE];
                    // SAFETY: as above.
                    unsafe { s.store(out.as_mut_ptr(), row) };
                    for (j, &x) in out.iter().enumerate().take(S::LANES) {
                        assert_eq!(x, (100 * j + i) as f32);
                    }
                }
            }
        }
        for isa in Isa::available() {
            isa.force(|| dispatch(Check));
        }
    }
}
