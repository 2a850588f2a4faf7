//! Matrix products of 16-bit floats, summed in f32.
//!
//! bf16 is the upper half of an f32: 8 bits of precision, the same range. f16 (IEEE 754 binary16) has 11
//! bits and ends at 65,504. Operands are given as *pairs*: a 32-bit word (the bits of an f32 in a slice)
//! holds two numbers that follow each other along the inner dimension, the first in the lower half. A
//! product of pairs is then laid out as a product of half as many floats, and runs through the same
//! loops, panels and epilogues. Where the processor multiplies pairs of bf16 numbers (AVX-512 BF16) it
//! takes half the time; elsewhere, and in f16, the numbers are widened in every tile, which saves memory but
//! takes up to twice the time of a product of floats.
//!
//! Which two numbers make a pair is free as long as both operands agree. Of every 32 numbers along the
//! inner dimension, 16 are followed by the 16 after them (and of what is left at the end, the first
//! half by the second), so that pairs are made of whole vectors without shuffling.
//!
//! ```
//! use bessemer_kernels::gemm::{Epilogue, Half, gemm_scratch, half_gemm, pair_columns, pair_count, pair_rows};
//!
//! let (m, n, k) = (1, 2, 3);
//! let a = [1.0, 2.0, 3.0]; // [m, k]
//! let b = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]; // [k, n]
//! let pairs = pair_count(k);
//! let (mut a_pairs, mut b_pairs) = (vec![0.0; m * pairs], vec![0.0; pairs * n]);
//! pair_columns(Half::Bf16, m, k, &a, k, &mut a_pairs);
//! pair_rows(Half::Bf16, k, n, &b, n, &mut b_pairs);
//! let mut c = [0.0; 2];
//! let mut scratch = vec![0.0; gemm_scratch(pairs)];
//! let (a, b) = ((&a_pairs[..], (pairs, 1)), (&b_pairs[..], (n, 1)));
//! half_gemm(Half::Bf16, (m, n, k), a, b, (&mut c, n), Epilogue::default(), &mut scratch);
//! assert_eq!(c, [14.0, 140.0]);
//! ```

use super::multiply::{NativePairs, WidenedHalves, WidenedPairs};
use super::product::Product;
use super::share::for_shares;
use super::{Epilogue, Strides, check, gemm_scratch, packed_len};
use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch, dispatch_pairs, has_pairs, rounded_pairs};

/// A format of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// 8 bits of precision, the range of f32.
    Bf16,
    /// 11 bits of precision, up to 65,504.
    F16,
}

/// Numbers in a block, whose halves make pairs.
const BLOCK: usize = 32;

/// Pairs that `k` numbers along the inner dimension make.
pub fn pair_count(k: usize) -> usize {
    k / BLOCK * (BLOCK / 2) + (k % BLOCK).div_ceil(2)
}

/// Makes pairs along the rows of X\[m, k\], whose rows are `row` apart: `out` is
/// \[m, `pair_count(k)`\].
///
/// # Panics
/// If a slice is shorter than its shape needs.
pub fn pair_columns(half: Half, m: usize, k: usize, x: &[f32], row: usize, out: &mut [f32]) {
    check("x", x.len(), (m, k), (row, 1));
    assert!(out.len() >= m * pair_count(k), "out: {} words for {m} rows of {k}", out.len());
    // SAFETY: the lengths were just checked.
    unsafe { columns(half, (m, k), (x.as_ptr(), row), out.as_mut_ptr()) };
}

/// Makes pairs of the rows of X\[k, n\], which are `row` apart: `out` is \[`pair_count(k)`, n\].
///
/// # Panics
/// If a slice is shorter than its shape needs.
pub fn pair_rows(half: Half, k: usize, n: usize, x: &[f32], row: usize, out: &mut [f32]) {
    check("x", x.len(), (k, n), (row, 1));
    assert!(out.len() >= pair_count(k) * n, "out: {} words for {k} rows of {n}", out.len());
    // SAFETY: the lengths were just checked.
    unsafe { rows(half, (k, n), (x.as_ptr(), row), out.as_mut_ptr()) };
}

/// [`pair_columns`] of memory.
///
/// # Safety
/// X must be readable and `out` writable as there.
pub(crate) unsafe fn columns(
    half: Half,
    (m, k): (usize, usize),
    (x, row): (*const f32, usize),
    out: *mut f32,
) {
    match half {
        // SAFETY: it is run by `dispatch_pairs`.
        Half::Bf16 if has_pairs() => unsafe {
            dispatch_pairs(PairColumns { rounding: NativeBf16::new(), m, k, x, row, out });
        },
        Half::Bf16 => dispatch(PairColumns { rounding: WidenedBf16, m, k, x, row, out }),
        Half::F16 => dispatch(PairColumns { rounding: F16, m, k, x, row, out }),
    }
}

/// [`pair_rows`] of memory.
///
/// # Safety
/// X must be readable and `out` writable as there.
pub(crate) unsafe fn rows(half: Half, (k, n): (usize, usize), (x, row): (*const f32, usize), out: *mut f32) {
    match half {
        // SAFETY: it is run by `dispatch_pairs`.
        Half::Bf16 if has_pairs() => unsafe {
            dispatch_pairs(PairRows { rounding: NativeBf16::new(), k, n, x, row, out });
        },
        Half::Bf16 => dispatch(PairRows { rounding: WidenedBf16, k, n, x, row, out }),
        Half::F16 => dispatch(PairRows { rounding: F16, k, n, x, row, out }),
    }
}

/// C[m, n] = A[m, k]·B[k, n] for sizes (m, n, k) and pairs along k: `a` is \[m, `pair_count(k)`\] and `b`
/// \[`pair_count(k)`, n\] of any strides, finished by the epilogue. `c` has a distance between rows.
///
/// `scratch` holds at least `gemm_scratch(pair_count(k))` floats.
///
/// # Panics
/// If a slice is shorter than its shape and strides need.
pub fn half_gemm(
    half: Half,
    (m, n, k): (usize, usize, usize),
    a: (&[f32], Strides),
    b: (&[f32], Strides),
    c: (&mut [f32], usize),
    epilogue: Epilogue,
    scratch: &mut [f32],
) {
    let pairs = pair_count(k);
    let needed = gemm_scratch(pairs);
    assert!(scratch.len() >= needed, "scratch: {} floats, needs {needed}", scratch.len());
    let product = Product::unpacked(WidenedPairs, (m, n, pairs), a, b, c, epilogue, scratch.as_mut_ptr());
    run(half, product, has_pairs());
}

/// The same with a B of pairs from [`pack_b`](super::pack_b), its columns shared out over `pool` if there
/// is one.
///
/// # Panics
/// If a slice is shorter than its shape and strides need.
pub fn half_gemm_packed(
    half: Half,
    (m, n, k): (usize, usize, usize),
    a: (&[f32], Strides),
    packed_b: &[f32],
    c: (&mut [f32], usize),
    epilogue: Epilogue,
    pool: Option<&Pool>,
) {
    let pairs = pair_count(k);
    let packed = (packed_b, packed_len(pairs, n));
    let product = Product::packed(WidenedPairs, (m, n, pairs), a, packed, c, epilogue);
    // SAFETY: shares write columns of their own, and need no scratch.
    unsafe { for_shares(pool, |share| run(half, Product { share, ..product }, has_pairs())) };
}

/// Runs a product of pairs; by the processor's instruction for bf16 if `native`, which must then be there.
pub(crate) fn run(half: Half, product: Product<WidenedPairs>, native: bool) {
    match half {
        Half::Bf16 if native => {
            // SAFETY: it is run by `dispatch_pairs`.
            let multiply = unsafe { NativePairs::new() };
            dispatch_pairs(product.with(multiply));
        }
        Half::Bf16 => dispatch(product),
        Half::F16 => dispatch(product.with(WidenedHalves)),
    }
}

/// How two floats become a word.
trait Rounding: Copy {
    fn pair<S: Simd>(self, s: S, first: S::V, second: S::V) -> S::V;
}

/// bf16, by the processor's instruction.
#[derive(Clone, Copy)]
struct NativeBf16(());

impl NativeBf16 {
    /// # Safety
    /// To be used within [`dispatch_pairs`] only.
    unsafe fn new() -> NativeBf16 {
        NativeBf16(())
    }
}

impl Rounding for NativeBf16 {
    #[inline(always)]
    fn pair<S: Simd>(self, s: S, first: S::V, second: S::V) -> S::V {
        // SAFETY: whoever made this value promised the instruction.
        unsafe { s.round_pairs(first, second) }
    }
}

/// bf16, by shifts.
#[derive(Clone, Copy)]
struct WidenedBf16;

impl Rounding for WidenedBf16 {
    #[inline(always)]
    fn pair<S: Simd>(self, s: S, first: S::V, second: S::V) -> S::V {
        rounded_pairs(s, first, second)
    }
}

#[derive(Clone, Copy)]
struct F16;

impl Rounding for F16 {
    #[inline(always)]
    fn pair<S: Simd>(self, s: S, first: S::V, second: S::V) -> S::V {
        s.round_halves(first, second)
    }
}

/// Loads up to `count` floats, and zeros after them.
///
/// # Safety
/// They must be readable.
#[inline(always)]
pub(super) unsafe fn load<S: Simd>(s: S, p: *const f32, count: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        match count {
            0 => s.splat(0.0),
            n if n >= S::LANES => s.load(p),
            n => s.load_first(p, n),
        }
    }
}

/// Makes words of `first_count` numbers at `first` and `second_count` (as many, or fewer) at `second`.
///
/// # Safety
/// The numbers must be readable, and `out` writable for `first_count` words.
#[inline(always)]
unsafe fn words<S: Simd, R: Rounding>(
    s: S,
    rounding: R,
    (first, first_count): (*const f32, usize),
    (second, second_count): (*const f32, usize),
    out: *mut f32,
) {
    let mut j = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while j + S::LANES <= second_count {
            s.store(out.add(j), rounding.pair(s, s.load(first.add(j)), s.load(second.add(j))));
            j += S::LANES;
        }
        while j < first_count {
            let a = load(s, first.add(j), first_count - j);
            let b = load(s, second.wrapping_add(j), second_count.saturating_sub(j));
            let word = rounding.pair(s, a, b);
            if first_count - j >= S::LANES {
                s.store(out.add(j), word);
            } else {
                s.store_first(out.add(j), first_count - j, word);
            }
            j += S::LANES;
        }
    }
}

struct PairColumns<R> {
    rounding: R,
    m: usize,
    k: usize,
    x: *const f32,
    row: usize,
    out: *mut f32,
}

impl<R: Rounding> Kernel for PairColumns<R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let pairs = pair_count(self.k);
        for i in 0..self.m {
            // SAFETY: the entry point has checked both lengths; blocks and their halves are within k.
            unsafe {
                let (x, out) = (self.x.add(i * self.row), self.out.add(i * pairs));
                let mut at = 0;
                while at < self.k {
                    let count = BLOCK.min(self.k - at);
                    let half = count.div_ceil(2);
                    words(
                        s,
                        self.rounding,
                        (x.add(at), half),
                        (x.wrapping_add(at + half), count - half),
                        out.add(at / 2),
                    );
                    at += count;
                }
            }
        }
    }
}

struct PairRows<R> {
    rounding: R,
    k: usize,
    n: usize,
    x: *const f32,
    row: usize,
    out: *mut f32,
}

impl<R: Rounding> Kernel for PairRows<R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut at = 0;
        while at < self.k {
            let count = BLOCK.min(self.k - at);
            let half = count.div_ceil(2);
            for j in 0..half {
                // SAFETY: the entry point has checked both lengths; a second row exists if it is
                // within the block.
                unsafe {
                    let first = self.x.add((at + j) * self.row);
                    let second = self.x.wrapping_add((at + half + j) * self.row);
                    let seconds = if half + j < count { self.n } else { 0 };
                    words(
                        s,
                        self.rounding,
                        (first, self.n),
                        (second, seconds),
                        self.out.add((at / 2 + j) * self.n),
                    );
                }
            }
            at += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::gemm::pack_b;
    use proptest::prelude::*;

    /// The nearest number, by its definition: a multiple of the last digit's worth, or the even one of two.
    fn nearest(half: Half, x: f32) -> f32 {
        let x = f64::from(x);
        let (digits, least, largest) = match half {
            Half::Bf16 => (8, -126, f64::from(f32::from_bits(0x7f7f_0000))),
            Half::F16 => (11, -14, 65504.0),
        };
        let exponent = (x.abs().log2().floor() as i32).max(least);
        let unit = 2f64.powi(exponent + 1 - digits);
        let rounded = (x / unit).round_ties_even() * unit;
        if rounded.abs() > largest { f32::INFINITY.copysign(x as f32) } else { rounded as f32 }
    }

    fn numbers(len: usize, seed: u64) -> Vec<f32> {
        let stream = crate::random::Stream { seed, step: 0, site: 0 };
        (0..len as u64).map(|i| crate::random::normal_at(stream, i)).collect()
    }

    /// The numbers of a pair.
    fn halves(half: Half, word: f32) -> [f32; 2] {
        let bits = word.to_bits();
        match half {
            Half::Bf16 => [f32::from_bits(bits << 16), f32::from_bits(bits & 0xffff_0000)],
            Half::F16 => [bits & 0xffff, bits >> 16].map(|half| {
                let (exponent, digits) = ((half >> 10 & 31) as i32, (half & 1023) as f32);
                let magnitude = match exponent {
                    0 => digits * 2f32.powi(-24),
                    31 if digits > 0.0 => f32::NAN,
                    31 => f32::INFINITY,
                    _ => (1024.0 + digits) * 2f32.powi(exponent - 25),
                };
                if half & 0x8000 == 0 { magnitude } else { -magnitude }
            }),
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        let mut x = numbers(1000, 1);
        x.extend([
            0.0, -0.0, 1e-40, -3e38, 65519.0, 65520.0, -65536.0, 6e-8, 2.9e-8, 1e-5, -6.1e-5, 6.104e-5,
        ]);
        x.extend(
            (0..64).flat_map(|i| [8, 9, 11, 12].map(|e| (1.0 + i as f32 / 64.0) * (1.0 + 2f32.powi(-e)))),
        );
        for half in [Half::Bf16, Half::F16] {
            for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
                let mut words = vec![0.0; pair_count(x.len())];
                isa.force(|| pair_columns(half, 1, x.len(), &x, x.len(), &mut words));
                let mut got: Vec<f32> = words.iter().flat_map(|w| halves(half, *w)).collect();
                // The instruction takes what is below the normal range for 0, here as in products.
                let native = half == Half::Bf16 && isa.force(has_pairs);
                let tiny = |x: f32| native && x.abs() < f32::MIN_POSITIVE;
                let mut expected: Vec<f32> =
                    x.iter().map(|x| if tiny(*x) { 0f32.copysign(*x) } else { nearest(half, *x) }).collect();
                got.sort_by(f32::total_cmp);
                expected.sort_by(f32::total_cmp);
                assert_eq!(got, expected, "{isa} {half:?}");
                let special =
                    [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::NAN, f32::from_bits(0x7fff_ffff)];
                let mut words = [0.0; 3];
                isa.force(|| pair_columns(half, 1, 5, &special, 5, &mut words));
                let [a, d] = halves(half, words[0]);
                let [b, e] = halves(half, words[1]);
                let [c, _] = halves(half, words[2]);
                assert_eq!([a, b, c], [f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY]);
                assert!(d.is_nan() && e.is_nan(), "{isa}: {d} {e}");
            }
        }
    }

    /// Widening, seen through a product with 1.
    #[test]
    fn every_f16_number_is_widened() {
        let words: Vec<f32> = (0..1 << 15).map(|i: u32| f32::from_bits(i | (i | 0x8000) << 16)).collect();
        for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
            // The first of each pair, then the second.
            for (one, which) in [(0x3c00, 0), (0x3c00_u32 << 16, 1)] {
                let mut c = vec![0.0; words.len()];
                let (a, b) = (([f32::from_bits(one)], (1, 1)), (&words[..], (words.len(), 1)));
                let mut scratch = vec![0.0; gemm_scratch(1)];
                let sizes = (1, words.len(), 2);
                isa.force(|| {
                    let c = (&mut c[..], words.len());
                    half_gemm(Half::F16, sizes, (&a.0, a.1), b, c, Epilogue::default(), &mut scratch);
                });
                for (word, got) in words.iter().zip(&c) {
                    let pair = halves(Half::F16, *word);
                    // What is not infinite times 0 is 0.
                    let expected = if pair[1 - which].is_finite() { pair[which] } else { f32::NAN };
                    assert!(
                        *got == expected || got.is_nan() && expected.is_nan(),
                        "{isa}: {got}, not {expected}"
                    );
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn products_agree_with_the_definition(
            (m, n, k) in (0usize..15, 0usize..80, prop_oneof![4 => 0usize..100, 1 => 1000usize..1100]),
            (a_by_rows, b_by_rows, packed) in any::<(bool, bool, bool)>(),
            (accumulate, f16) in any::<(bool, bool)>(),
        ) {
            let half = if f16 { Half::F16 } else { Half::Bf16 };
            let (a, b, bias) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
            let before = numbers(m * n, 4);
            let pairs = pair_count(k);
            let transposed = |x: &[f32], rows: usize, cols: usize| -> Vec<f32> {
                (0..rows * cols).map(|i| x[i % rows * cols + i / rows]).collect()
            };
            for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
                for native in [false, isa.force(has_pairs)] {
                    let mut c = before.clone();
                    isa.force(|| {
                        // Each operand as pairs within rows, or as pairs of rows.
                        let (mut a_pairs, mut b_pairs) = (vec![0.0; m * pairs], vec![0.0; pairs * n]);
                        let a_strides = if a_by_rows {
                            pair_rows(half, k, m, &transposed(&a, m, k), m, &mut a_pairs);
                            (1, m)
                        } else {
                            pair_columns(half, m, k, &a, k, &mut a_pairs);
                            (pairs, 1)
                        };
                        let b_strides = if b_by_rows {
                            pair_rows(half, k, n, &b, n, &mut b_pairs);
                            (n, 1)
                        } else {
                            pair_columns(half, n, k, &transposed(&b, k, n), k, &mut b_pairs);
                            (1, pairs)
                        };
                        let epilogue = Epilogue { accumulate, bias: Some(&bias), ..Epilogue::default() };
                        let mut panels = vec![f32::NAN; packed_len(pairs, n)];
                        let mut scratch = vec![f32::NAN; gemm_scratch(pairs)];
                        if packed {
                            pack_b(pairs, n, &b_pairs, b_strides, &mut panels);
                        }
                        if native != has_pairs() {
                            // What other processors with AVX-512 do.
                            let (a, b) = ((&a_pairs[..], a_strides), (&b_pairs[..], b_strides));
                            let product = Product::unpacked(
                                WidenedPairs, (m, n, pairs), a, b, (&mut c, n), epilogue, scratch.as_mut_ptr(),
                            );
                            run(half, product, false);
                        } else if packed {
                            half_gemm_packed(half, (m, n, k), (&a_pairs, a_strides), &panels, (&mut c, n), epilogue, None);
                        } else {
                            let (a, b) = ((&a_pairs[..], a_strides), (&b_pairs[..], b_strides));
                            half_gemm(half, (m, n, k), a, b, (&mut c, n), epilogue, &mut scratch);
                        }
                    });
                    for i in 0..m {
                        for j in 0..n {
                            let products = (0..k).map(|p| f64::from(nearest(half, a[i * k + p])) * f64::from(nearest(half, b[p * n + j])));
                            let (sum, size) = products.fold((0.0, 0.0), |(sum, size): (f64, f64), x| (sum + x, size + x.abs()));
                            let expected = sum + f64::from(bias[j]) + if accumulate { f64::from(before[i * n + j]) } else { 0.0 };
                            let got = f64::from(c[i * n + j]);
                            prop_assert!((got - expected).abs() <= 1e-6 * (size + 4.0), "{isa} {native}: {got}, not {expected}");
                        }
                    }
                }
            }
        }
    }
}
