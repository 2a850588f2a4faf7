//! Matrix products of 8-bit integers, summed in 32 bits and scaled back to floats.
//!
//! The weight's columns (output channels) are each divided by a scale of their own and rounded to
//! -127 ..= 127, once; the rows of the other factor likewise, as they come. Four products at a time are
//! added by one instruction where the processor has it (VNNI). What is lost is the rounding of the
//! factors to 1/127 of the largest of their row or column (Jacob et al., "Quantization and Training of
//! Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018, with symmetric weights and
//! scales found at run time).
//!
//! As with [bf16](super::half_gemm), four numbers that meet along the inner dimension share a 32-bit
//! word, and a product of words runs through the same loops, panels and epilogues. The rows' numbers are
//! stored 128 higher, as the instruction wants them unsigned, and the column sums of the weight take
//! that back.
//!
//! ```
//! use bessemer_kernels::gemm::{Epilogue, Int8Shape, int8_gemm, pack_int8, quantize_rows};
//!
//! // Two rows of x by a weight stored [out, in].
//! let shape = Int8Shape { n: 2, k: 3 };
//! let weight = [1.0, 2.0, 3.0, -1.0, 0.5, 0.0];
//! let mut packed = vec![0.0; shape.packed_len()];
//! pack_int8(shape, &weight, &mut packed);
//! let x = [1.0, 1.0, 1.0, 2.0, 0.0, -2.0];
//! let mut rows = vec![0.0; shape.rows_len(2)];
//! quantize_rows(2, shape.k, &x, &mut rows);
//! let mut y = [0.0; 4];
//! int8_gemm(2, shape, &rows, &packed, (&mut y, 2), Epilogue::default(), None);
//! for (y, exact) in y.iter().zip([6.0, -0.5, -4.0, -2.0f32]) {
//!     assert!((y - exact).abs() < 0.05);
//! }
//! ```

use super::half::load;
use super::multiply::{NativeQuads, Scales, WidenedQuads};
use super::product::Product;
use super::share::for_shares;
use super::{Epilogue, check, pack_b, packed_len};
use crate::pool::Pool;
use crate::simd::{Kernel, Simd, dispatch, dispatch_quads, has_quads};

/// Numbers in a block, whose quarters make words.
const BLOCK: usize = 64;

/// The largest whole number that a factor is rounded to.
const LARGEST: f32 = 127.0;

/// The longest inner dimension: a sum of so many products fits 32 bits.
pub const INT8_LONGEST: usize = 1 << 16;

/// A weight \[n, k\]: `n` output channels of `k` inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int8Shape {
    /// Output channels.
    pub n: usize,
    /// Inputs, at most [`INT8_LONGEST`].
    pub k: usize,
}

impl Int8Shape {
    /// Words along the inner dimension.
    fn words(self) -> usize {
        word_count(self.k)
    }

    /// Columns with the padding of whole vectors of every width.
    fn padded(self) -> usize {
        self.n.next_multiple_of(16)
    }

    /// Floats that [`pack_int8`] writes: words, scales, column sums, and room to work in.
    pub fn packed_len(self) -> usize {
        packed_len(self.words(), self.n) + 2 * self.padded() + self.n * self.words()
    }

    /// Floats that [`quantize_rows`] writes for `m` rows: scales, then words.
    pub fn rows_len(self, m: usize) -> usize {
        m + m * self.words()
    }
}

/// Words that `k` numbers take.
fn word_count(k: usize) -> usize {
    k / BLOCK * (BLOCK / 4) + (k % BLOCK).div_ceil(4)
}

/// Rounds and packs a weight \[n, k\], stored row by row, under the instruction set in force.
///
/// # Panics
/// If a slice has not the length that the shape needs, or k is over [`INT8_LONGEST`].
pub fn pack_int8(shape: Int8Shape, weight: &[f32], out: &mut [f32]) {
    let Int8Shape { n, k } = shape;
    assert!(k <= INT8_LONGEST, "{k} inputs, but at most {INT8_LONGEST} can be summed in 32 bits");
    assert_eq!(weight.len(), n * k, "weight: [n, k]");
    assert_eq!(out.len(), shape.packed_len(), "packed length");
    let words = shape.words();
    let (packed, rest) = out.split_at_mut(packed_len(words, n));
    let (scales, rest) = rest.split_at_mut(shape.padded());
    let (sums, rows) = rest.split_at_mut(shape.padded());
    scales.fill(0.0);
    sums.fill(0.0);
    let scales_of = &mut scales[..n];
    dispatch(Quantize {
        m: n,
        k,
        x: weight.as_ptr(),
        scales: scales_of.as_mut_ptr(),
        words: rows.as_mut_ptr(),
    });
    for (row, sum) in rows.chunks_exact_mut(words.max(1)).zip(sums) {
        // From 1 ..= 255 to -127 ..= 127; what pads the last word is 128, so 0.
        let mut total = 0;
        for word in row {
            let bytes = word.to_bits().to_le_bytes().map(|byte| byte.wrapping_sub(128));
            total += bytes.map(|byte| i32::from(byte as i8)).iter().sum::<i32>();
            *word = f32::from_bits(u32::from_le_bytes(bytes));
        }
        *sum = f32::from_bits((128 * total) as u32);
    }
    pack_b(words, n, rows, (1, words), packed);
}

/// Rounds the rows of a weight \[n, k\] in place: each number to a whole multiple, -127 to 127, of its row's
/// scale. Packing the result loses nothing more. A row of numbers below 1.5e-36 becomes 0, as its scale
/// would be subnormal.
pub fn round_int8(k: usize, weight: &mut [f32]) {
    for row in weight.chunks_exact_mut(k.max(1)) {
        let scale = scale_of(row);
        row.iter_mut().for_each(|x| *x = whole(*x, scale) * scale);
    }
}

/// The whole numbers and the scale of a row from [`round_int8`]: their products are the row, to the last bit.
///
/// # Panics
/// If `out` is not as long as the row.
pub fn int8_parts(row: &[f32], out: &mut [i8]) -> f32 {
    assert_eq!(out.len(), row.len(), "out: one number for each of the row");
    let scale = scale_of(row);
    out.iter_mut().zip(row).for_each(|(q, x)| *q = whole(*x, scale) as i8);
    scale
}

/// A 127th of the largest magnitude, with 17 significant bits, so that its multiples are exact.
fn scale_of(row: &[f32]) -> f32 {
    let scale = row.iter().fold(0.0f32, |most, x| most.max(x.abs())) / LARGEST;
    if scale < f32::MIN_POSITIVE { 0.0 } else { f32::from_bits((scale.to_bits() + 0x7f) & !0x7f) }
}

fn whole(x: f32, scale: f32) -> f32 {
    // Plus 0, as integers know no -0.
    if scale > 0.0 { (x / scale).round_ties_even().clamp(-LARGEST, LARGEST) + 0.0 } else { 0.0 }
}

/// Rounds the rows of X\[m, k\]: `out` holds a scale for each, then the words.
///
/// A row with a number that is not finite gets the scale NaN, and so does all that is made of it.
///
/// # Panics
/// If a slice is shorter than its shape needs.
pub fn quantize_rows(m: usize, k: usize, x: &[f32], out: &mut [f32]) {
    check("x", x.len(), (m, k), (k, 1));
    assert!(out.len() >= m + m * word_count(k), "out: {} floats for {m} rows of {k}", out.len());
    let (scales, words) = out.split_at_mut(m);
    dispatch(Quantize { m, k, x: x.as_ptr(), scales: scales.as_mut_ptr(), words: words.as_mut_ptr() });
}

/// C[m, n] = X·Wᵀ for rows from [`quantize_rows`] and a weight from [`pack_int8`], finished by the
/// epilogue; `c` has a distance between rows. Columns are shared out over `pool` if there is one.
///
/// # Panics
/// If a slice is shorter than its shape and row stride need.
pub fn int8_gemm(
    m: usize,
    shape: Int8Shape,
    rows: &[f32],
    packed: &[f32],
    c: (&mut [f32], usize),
    epilogue: Epilogue,
    pool: Option<&Pool>,
) {
    multiply(m, shape, rows, packed, c, epilogue, pool, has_quads());
}

/// [`int8_gemm`], with the processor's instruction or without it.
fn multiply(
    m: usize,
    shape: Int8Shape,
    rows: &[f32],
    packed: &[f32],
    c: (&mut [f32], usize),
    epilogue: Epilogue,
    pool: Option<&Pool>,
    native: bool,
) {
    let (n, words) = (shape.n, shape.words());
    assert!(rows.len() >= shape.rows_len(m), "rows: {} floats for {m} rows", rows.len());
    assert_eq!(packed.len(), shape.packed_len(), "packed length");
    let (row_scales, rows) = rows.split_at(m);
    let (panels, rest) = packed.split_at(packed_len(words, n));
    let (column_scales, rest) = rest.split_at(shape.padded());
    let scales = Scales { rows: row_scales.as_ptr(), columns: column_scales.as_ptr(), sums: rest.as_ptr() };
    // SAFETY: the scales are as many as the rows, and as the columns with their padding.
    let widened = unsafe { WidenedQuads::new(scales) };
    let panels = (panels, packed_len(words, n));
    let product = Product::packed(widened, (m, n, words), (rows, (words, 1)), panels, c, epilogue);
    let run = |share| {
        let product = Product { share, ..product };
        if native {
            // SAFETY: it is run by `dispatch_quads`.
            let quads = unsafe { NativeQuads::native(product.multiply) };
            dispatch_quads(product.with(quads));
        } else {
            dispatch(product);
        }
    };
    // SAFETY: shares write columns of their own, and need no scratch.
    unsafe { for_shares(pool, run) };
}

/// Scales and words of rows; bytes are 128 higher than what they stand for.
struct Quantize {
    m: usize,
    k: usize,
    x: *const f32,
    scales: *mut f32,
    words: *mut f32,
}

impl Kernel for Quantize {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let words = word_count(self.k);
        for i in 0..self.m {
            // SAFETY: the entry points have checked the lengths; blocks and quarters are within k.
            unsafe {
                let (x, out) = (self.x.add(i * self.k), self.words.add(i * words));
                let (largest, bad) = largest(s, x, self.k);
                *self.scales.add(i) = largest / LARGEST + bad;
                let factor = if largest > 0.0 && bad == 0.0 { LARGEST / largest } else { 0.0 };
                let mut at = 0;
                while at < self.k {
                    let count = BLOCK.min(self.k - at);
                    block(s, x.add(at), count, factor, out.add(at / 4));
                    at += count;
                }
            }
        }
    }
}

/// The largest magnitude, and 0, or NaN if a number is not finite.
///
/// # Safety
/// `x` must be readable for `len` floats.
#[inline(always)]
unsafe fn largest<S: Simd>(s: S, x: *const f32, len: usize) -> (f32, f32) {
    let (mut largest, mut bad) = (s.splat(0.0), s.splat(0.0));
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i < len {
            let v = load(s, x.add(i), len - i);
            largest = s.max(s.abs(v), largest);
            bad = s.add(bad, s.mul(v, s.splat(0.0)));
            i += S::LANES;
        }
    }
    (s.reduce_max(largest), s.reduce_add(bad))
}

/// The words of up to [`BLOCK`] numbers.
///
/// # Safety
/// `x` must be readable for `count` floats, `out` writable for their words.
#[inline(always)]
unsafe fn block<S: Simd>(s: S, x: *const f32, count: usize, factor: f32, out: *mut f32) {
    let quarter = count.div_ceil(4);
    let factor = s.splat(factor);
    let mut j = 0;
    while j < quarter {
        let mut word = s.splat_i(0);
        let mut t = 4;
        while t > 0 {
            t -= 1;
            let left = count.saturating_sub(t * quarter).min(quarter).saturating_sub(j);
            // SAFETY: as many as are left in the quarter.
            let v = unsafe { load(s, x.wrapping_add(t * quarter + j), left) };
            let byte = s.add_i(s.to_int(s.mul(v, factor)), s.splat_i(128));
            word = s.or_i(s.shl_i::<8>(word), byte);
        }
        // SAFETY: the caller's promise.
        unsafe {
            if quarter - j >= S::LANES {
                s.store(out.add(j), s.as_float(word));
            } else {
                s.store_first(out.add(j), quarter - j, s.as_float(word));
            }
        }
        j += S::LANES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use proptest::prelude::*;

    fn numbers(len: usize, seed: u64) -> Vec<f32> {
        let stream = crate::random::Stream { seed, step: 0, site: 0 };
        (0..len as u64).map(|i| crate::random::normal_at(stream, i)).collect()
    }

    /// A row as whole numbers, and their scale.
    fn rounded(row: &[f32]) -> (Vec<i32>, f32) {
        let largest = row.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let factor = if largest > 0.0 { LARGEST / largest } else { 0.0 };
        (row.iter().map(|x| (x * factor).round_ties_even() as i32).collect(), largest / LARGEST)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// The integer sums are exact; only the two scales round.
        #[test]
        fn products_are_those_of_the_rounded_factors(
            (m, n, k) in (0usize..30, 0usize..140, prop_oneof![0usize..140, 1000usize..1100]),
            accumulate: bool,
        ) {
            let (x, weight, bias) = (numbers(m * k, 1), numbers(n * k, 2), numbers(n, 3));
            let before = numbers(m * n, 4);
            let shape = Int8Shape { n, k };
            for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
                for native in [false, isa.force(has_quads)] {
                    let mut c = before.clone();
                    isa.force(|| {
                        let mut packed = vec![f32::NAN; shape.packed_len()];
                        pack_int8(shape, &weight, &mut packed);
                        let mut rows = vec![f32::NAN; shape.rows_len(m)];
                        quantize_rows(m, k, &x, &mut rows);
                        let epilogue = Epilogue { accumulate, bias: Some(&bias), ..Epilogue::default() };
                        multiply(m, shape, &rows, &packed, (&mut c, n), epilogue, None, native);
                    });
                    for i in 0..m {
                        let (a, a_scale) = rounded(&x[i * k..(i + 1) * k]);
                        for j in 0..n {
                            let (b, b_scale) = rounded(&weight[j * k..(j + 1) * k]);
                            let sum: i64 = a.iter().zip(&b).map(|(a, b)| i64::from(a * b)).sum();
                            let product = sum as f64 * f64::from(a_scale) * f64::from(b_scale);
                            let expected = product + f64::from(bias[j]) + if accumulate { f64::from(before[i * n + j]) } else { 0.0 };
                            let got = f64::from(c[i * n + j]);
                            let near = 1e-6 * (product.abs() + expected.abs() + 3.0);
                            prop_assert!((got - expected).abs() <= near, "{isa} {native}: {got}, not {expected}");
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_rounded_is_not_rounded_again(k in 1usize..200, size in -120i32..120, seed: u64) {
            let mut weight = numbers(3 * k, seed);
            weight.iter_mut().for_each(|x| *x *= 2f32.powi(size));
            let before = weight.clone();
            round_int8(k, &mut weight);
            let rounded = weight.clone();
            round_int8(k, &mut weight);
            prop_assert_eq!(&weight, &rounded);
            for (row, before) in rounded.chunks(k).zip(before.chunks(k)) {
                let mut parts = vec![0; k];
                let scale = int8_parts(row, &mut parts);
                let again: Vec<f32> = parts.iter().map(|q| f32::from(*q) * scale).collect();
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&again), bits(row));
                // And what the kernel makes of it are the same whole numbers.
                prop_assert_eq!(super::tests::rounded(row).0, parts.iter().map(|q| i32::from(*q)).collect::<Vec<_>>());
                // A scale that would be subnormal is 0, and its whole row with it.
                let most = if scale > 0.0 { 0.5001 * scale } else { LARGEST * f32::MIN_POSITIVE };
                prop_assert!(before.iter().zip(row).all(|(x, y)| (x - y).abs() <= most));
            }
        }
    }

    /// The largest sums of the longest rows: in 32 bits, with the 128 that bytes are stored higher by.
    #[test]
    fn the_longest_rows_do_not_overflow() {
        let shape = Int8Shape { n: 1, k: INT8_LONGEST };
        for (sign, isa) in Isa::available().into_iter().flat_map(|isa| [(1.0, isa), (-1.0, isa)]) {
            isa.force(|| {
                let mut packed = vec![0.0; shape.packed_len()];
                pack_int8(shape, &vec![sign; shape.k], &mut packed);
                let mut rows = vec![0.0; shape.rows_len(1)];
                quantize_rows(1, shape.k, &vec![1.0; shape.k], &mut rows);
                for native in [false, has_quads()] {
                    let mut c = [0.0];
                    multiply(1, shape, &rows, &packed, (&mut c, 1), Epilogue::default(), None, native);
                    let expected = f64::from(sign) * shape.k as f64;
                    assert!((f64::from(c[0]) / expected - 1.0).abs() < 1e-6, "{isa}: {} of {expected}", c[0]);
                }
            });
        }
    }

    #[test]
    fn what_is_not_finite_is_not_hidden() {
        let shape = Int8Shape { n: 3, k: 70 };
        for isa in Isa::available().into_iter().chain([Isa::Scalar]) {
            isa.force(|| {
                let mut packed = vec![0.0; shape.packed_len()];
                pack_int8(shape, &numbers(210, 1), &mut packed);
                let mut x = numbers(140, 2);
                x[100] = f32::INFINITY;
                let (mut rows, mut c) = (vec![0.0; shape.rows_len(2)], [0.0; 6]);
                quantize_rows(2, 70, &x, &mut rows);
                int8_gemm(2, shape, &rows, &packed, (&mut c, 3), Epilogue::default(), None);
                assert!(
                    c[..3].iter().all(|x| x.is_finite()) && c[3..].iter().all(|x| x.is_nan()),
                    "{isa}: {c:?}"
                );
            });
        }
    }
}
