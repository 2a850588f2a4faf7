//! Turning rows so that they lie in lanes, and products of rows that end up in lanes.

use std::any::TypeId;

use super::LINE;
use crate::gemm::kernels::{SIDE, transpose};
use crate::simd::Simd;

/// The first value of the first row, and the distance between rows.
type Matrix = (*const f32, usize);

/// Turns `count` rows so that they lie in lanes, `[head_dim, LINE]`, times `factor`. Lanes up to the
/// next whole vector repeat the last row.
///
/// # Safety
/// The rows must be there, and room in `to`.
#[inline(always)]
pub(super) unsafe fn turn<S: Simd>(
    s: S,
    (from, row): Matrix,
    count: usize,
    head_dim: usize,
    factor: f32,
    to: *mut f32,
) {
    #[cfg(target_arch = "x86_64")]
    if TypeId::of::<S>() == TypeId::of::<crate::simd::Avx512>() && head_dim.is_multiple_of(4) {
        // SAFETY: the caller's promise; a value of that type proves the instructions.
        return unsafe { fours::turn((from, row), count, head_dim, factor, to) };
    }
    let factor = s.splat(factor);
    let mut lane = 0;
    while lane < count {
        let mut c = 0;
        while c < head_dim {
            let columns = head_dim - c;
            let mut square = [s.splat(0.0); SIDE];
            // SAFETY: the caller's promise.
            unsafe {
                for (r, v) in square.iter_mut().enumerate().take(S::LANES) {
                    let from = from.add((lane + r).min(count - 1) * row + c);
                    *v = if columns >= S::LANES { s.load(from) } else { s.load_first(from, columns) };
                }
                transpose(s, &mut square);
                for (r, v) in square.into_iter().enumerate().take(S::LANES) {
                    if r < columns {
                        s.store(to.add((c + r) * LINE + lane), s.mul(v, factor));
                    }
                }
            }
            c += S::LANES;
        }
        lane += S::LANES;
    }
}

/// Less the product of row i of `x` and row i of `y`, in lane i.
///
/// # Safety
/// Both hold `count` rows, and `to` whole vectors of lanes.
#[inline(always)]
pub(super) unsafe fn less_dots<S: Simd>(
    s: S,
    x: Matrix,
    y: Matrix,
    count: usize,
    head_dim: usize,
    to: *mut f32,
) {
    #[cfg(target_arch = "x86_64")]
    if TypeId::of::<S>() == TypeId::of::<crate::simd::Avx512>() && head_dim.is_multiple_of(4) {
        // SAFETY: the caller's promise; a value of that type proves the instructions.
        return unsafe { fours::less_dots(x, y, count, head_dim, to) };
    }
    for row in 0..count {
        let mut sum = s.splat(0.0);
        // SAFETY: the caller's promise.
        unsafe {
            let (x, y) = (x.0.add(row * x.1), y.0.add(row * y.1));
            let mut c = 0;
            while c + S::LANES <= head_dim {
                sum = s.mul_add(s.load(x.add(c)), s.load(y.add(c)), sum);
                c += S::LANES;
            }
            if c < head_dim {
                let rest = head_dim - c;
                sum = s.mul_add(s.load_first(x.add(c), rest), s.load_first(y.add(c), rest), sum);
            }
            *to.add(row) = -s.reduce_add(sum);
        }
    }
}

/// With AVX-512: four columns of sixteen rows at a time, gathered by loads of quarters of vectors,
/// which leaves half the shuffles of turning a square of whole vectors.
#[cfg(target_arch = "x86_64")]
mod fours {
    use std::arch::x86_64::*;

    use super::{LINE, Matrix};

    /// Sixteen rows from `lane` on; the last one stands in for those beyond.
    #[inline(always)]
    fn places((from, row): Matrix, count: usize, lane: usize) -> [*const f32; 16] {
        let mut places = [from; 16];
        for (i, place) in places.iter_mut().enumerate() {
            *place = from.wrapping_add((lane + i).min(count - 1) * row);
        }
        places
    }

    /// Four values from column c on of rows `4 q + k` in quarter q of vector k.
    #[inline(always)]
    unsafe fn load(places: &[*const f32; 16], c: usize) -> [__m512; 4] {
        // SAFETY: the callers' promise: the rows must be there, and the processor have AVX-512.
        unsafe {
            let mut fours = [_mm512_setzero_ps(); 4];
            for (k, v) in fours.iter_mut().enumerate() {
                let quarter = _mm512_castps128_ps512(_mm_loadu_ps(places[k].add(c)));
                let quarter = _mm512_insertf32x4::<1>(quarter, _mm_loadu_ps(places[4 + k].add(c)));
                let quarter = _mm512_insertf32x4::<2>(quarter, _mm_loadu_ps(places[8 + k].add(c)));
                *v = _mm512_insertf32x4::<3>(quarter, _mm_loadu_ps(places[12 + k].add(c)));
            }
            fours
        }
    }

    /// Rows 4 q + k in quarter q of vector k to one column a vector, rows in lanes.
    #[inline(always)]
    unsafe fn columns([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
        // SAFETY: the callers' promise: the processor has AVX-512.
        unsafe {
            let (ab, cd) =
                (_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpacklo_ps(c, d)));
            let (ab_high, cd_high) =
                (_mm512_castps_pd(_mm512_unpackhi_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d)));
            [
                _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
                _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)),
            ]
        }
    }

    #[inline(always)]
    pub unsafe fn turn(rows: Matrix, count: usize, head_dim: usize, factor: f32, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            let factor = _mm512_set1_ps(factor);
            for lane in (0..count).step_by(16) {
                let places = places(rows, count, lane);
                for c in (0..head_dim).step_by(4) {
                    let columns = columns(load(&places, c));
                    for (i, v) in columns.into_iter().enumerate() {
                        _mm512_storeu_ps(to.add((c + i) * LINE + lane), _mm512_mul_ps(v, factor));
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub unsafe fn less_dots(x: Matrix, y: Matrix, count: usize, head_dim: usize, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            for lane in (0..count).step_by(16) {
                let mut sum = [_mm512_setzero_ps(); 4];
                let (x, y) = (places(x, count, lane), places(y, count, lane));
                for c in (0..head_dim).step_by(4) {
                    let (x, y) = (load(&x, c), load(&y, c));
                    for ((sum, x), y) in sum.iter_mut().zip(x).zip(y) {
                        *sum = _mm512_fnmadd_ps(x, y, *sum);
                    }
                }
                let [a, b, c, d] = columns(sum);
                _mm512_storeu_ps(to.add(lane), _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
            }
        }
    }
}
