//! Reductions over one axis: [outer, axis, inner] -> [outer, inner].
//!
//! Sums run in f32 over blocks of rows or columns small enough to lose little, in an order that
//! depends on the shape and the instruction set only. NaN gives NaN in every reduction.

use crate::simd::{Kernel, Part, Simd, dispatch, each_vector, sum};

/// What to reduce to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The sum; 0 for an empty axis.
    Sum,
    /// The sum over the axis length.
    Mean,
    /// The largest; -infinity for an empty axis.
    Max,
}

/// Reduces `x` \[outer, axis, inner\] over its middle axis into `out` \[outer, inner\]; with
/// `accumulate`, adds to `out` (sums and means), or takes the extreme of it and the new value.
///
/// # Panics
/// If the lengths do not fit the shape.
pub fn reduce(
    reduction: Reduction,
    x: &[f32],
    out: &mut [f32],
    outer: usize,
    axis: usize,
    inner: usize,
    accumulate: bool,
) {
    assert_eq!(x.len(), outer * axis * inner);
    assert_eq!(out.len(), outer * inner);
    if !accumulate {
        out.fill(match reduction {
            Reduction::Max => f32::NEG_INFINITY,
            _ => 0.0,
        });
    }
    let factor = if reduction == Reduction::Mean { 1.0 / axis as f32 } else { 1.0 };
    let shape = Shape { x, out, outer, axis, inner, factor };
    match reduction {
        Reduction::Sum | Reduction::Mean => dispatch(Reduce { shape, op: Sum }),
        Reduction::Max => dispatch(Reduce { shape, op: Largest }),
    }
}

struct Shape<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
    outer: usize,
    axis: usize,
    inner: usize,
    factor: f32,
}

/// How an element joins a partial result, and how partial results join.
trait Fold: Copy {
    const START: f32;
    fn value<S: Simd>(s: S, x: S::V) -> S::V;
    fn join<S: Simd>(s: S, a: S::V, b: S::V) -> S::V;
    fn join_scalar(a: f32, b: f32) -> f32;
    /// Joins the lanes of a vector.
    #[inline(always)]
    fn join_lanes<S: Simd>(s: S, v: S::V) -> f32 {
        let mut lanes = [Self::START; 16];
        // SAFETY: no instruction set has more than 16 lanes.
        unsafe { s.store(lanes.as_mut_ptr(), v) };
        lanes[..S::LANES].iter().copied().fold(Self::START, Self::join_scalar)
    }
}

#[derive(Clone, Copy)]
struct Sum;
#[derive(Clone, Copy)]
struct Largest;

impl Fold for Sum {
    const START: f32 = 0.0;
    #[inline(always)]
    fn value<S: Simd>(_: S, x: S::V) -> S::V {
        x
    }
    #[inline(always)]
    fn join<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
        s.add(a, b)
    }
    #[inline(always)]
    fn join_scalar(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn join_lanes<S: Simd>(s: S, v: S::V) -> f32 {
        s.reduce_add(v)
    }
}

impl Fold for Largest {
    const START: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn value<S: Simd>(_: S, x: S::V) -> S::V {
        x
    }
    #[inline(always)]
    fn join<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
        // `max` gives b for NaN, so only a NaN in a needs keeping.
        s.select(s.is_nan(a), a, s.max(a, b))
    }
    #[inline(always)]
    fn join_scalar(a: f32, b: f32) -> f32 {
        if a.is_nan() || a > b { a } else { b }
    }
}

struct Reduce<'a, F> {
    shape: Shape<'a>,
    op: F,
}

impl<F: Fold> Kernel for Reduce<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Shape { x, out, outer, axis, inner, factor } = self.shape;
        for o in 0..outer {
            // SAFETY: the entry point checked both lengths against the shape.
            unsafe {
                let x = x.as_ptr().add(o * axis * inner);
                let out = out.as_mut_ptr().add(o * inner);
                if inner == 1 {
                    *out = F::join_scalar(*out, fold_row(s, self.op, x, axis) * factor);
                } else {
                    fold_columns(s, self.op, x, out, axis, inner, factor);
                }
            }
        }
    }
}

/// Values of a row that are summed at once; long rows lose less in sums of such sums.
const BLOCK: usize = 4096;

/// # Safety
/// `x` must be readable for `len` floats.
#[inline(always)]
unsafe fn fold_row<S: Simd, F: Fold>(s: S, _: F, x: *const f32, len: usize) -> f32 {
    let mut total = F::START;
    let mut start = 0;
    while start < len {
        let n = BLOCK.min(len - start);
        let mut sums = [s.splat(F::START); 4];
        // SAFETY: every load ends at start + n <= len or before it.
        unsafe {
            let x = x.add(start);
            let mut i = 0;
            while i + 4 * S::LANES <= n {
                sums[0] = F::join(s, sums[0], F::value(s, s.load(x.add(i))));
                sums[1] = F::join(s, sums[1], F::value(s, s.load(x.add(i + S::LANES))));
                sums[2] = F::join(s, sums[2], F::value(s, s.load(x.add(i + 2 * S::LANES))));
                sums[3] = F::join(s, sums[3], F::value(s, s.load(x.add(i + 3 * S::LANES))));
                i += 4 * S::LANES;
            }
            let x = x.add(i);
            each_vector!(s, n - i, |j, part| {
                let value = F::value(s, part.load(s, x.add(j)));
                sums[0] = F::join(s, sums[0], part.keep(s, value, F::START));
            });
        }
        let joined = F::join(s, F::join(s, sums[0], sums[1]), F::join(s, sums[2], sums[3]));
        total = F::join_scalar(total, F::join_lanes(s, joined));
        start += n;
    }
    total
}

/// Folds the rows of x \[axis, inner\] into `out` \[inner\], a few vectors of columns at a time.
///
/// # Safety
/// `x` must be readable for `axis * inner` floats and `out` writable for `inner`.
#[inline(always)]
unsafe fn fold_columns<S: Simd, F: Fold>(
    s: S,
    _: F,
    x: *const f32,
    out: *mut f32,
    axis: usize,
    inner: usize,
    factor: f32,
) {
    let mut column = 0;
    // SAFETY: every load and store is within a row of `inner` floats.
    unsafe {
        while column + 4 * S::LANES <= inner {
            let x = x.add(column);
            let mut sums = [s.splat(F::START); 4];
            for row in 0..axis {
                let x = x.add(row * inner);
                sums[0] = F::join(s, sums[0], F::value(s, s.load(x)));
                sums[1] = F::join(s, sums[1], F::value(s, s.load(x.add(S::LANES))));
                sums[2] = F::join(s, sums[2], F::value(s, s.load(x.add(2 * S::LANES))));
                sums[3] = F::join(s, sums[3], F::value(s, s.load(x.add(3 * S::LANES))));
            }
            for (k, &sum) in sums.iter().enumerate() {
                let out = out.add(column + k * S::LANES);
                s.store(out, F::join(s, s.load(out), s.mul(sum, s.splat(factor))));
            }
            column += 4 * S::LANES;
        }
        let (x, out) = (x.add(column), out.add(column));
        each_vector!(s, inner - column, |i, part| {
            let mut sum = s.splat(F::START);
            for row in 0..axis {
                sum = F::join(s, sum, F::value(s, part.load(s, x.add(row * inner + i))));
            }
            let before = part.load(s, out.add(i));
            part.store(s, out.add(i), F::join(s, before, s.mul(sum, s.splat(factor))));
        });
    }
}

/// The sum of all values: f32 in blocks of 1,024, f64 across them.
pub fn total(x: &[f32]) -> f64 {
    dispatch(Total(x))
}

struct Total<'a>(&'a [f32]);

impl Kernel for Total<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let mut total = 0.0;
        for block in self.0.chunks(1024) {
            // SAFETY: the slice is readable for its length.
            total += f64::from(unsafe { sum(s, block.as_ptr(), block.len()) });
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Isa;
    use crate::random::{Stream, fill_normal};

    fn oracle(reduction: Reduction, column: &[f64]) -> f64 {
        let fold = |start, f: fn(f64, f64) -> f64| column.iter().copied().fold(start, f);
        match reduction {
            Reduction::Sum => column.iter().sum(),
            Reduction::Mean => column.iter().sum::<f64>() / column.len() as f64,
            Reduction::Max => fold(f64::NEG_INFINITY, f64::max),
        }
    }

    const ALL: [Reduction; 3] = [Reduction::Sum, Reduction::Mean, Reduction::Max];

    proptest! {
        #[test]
        fn reductions_match_f64(
            outer in 1..5usize,
            axis in 1..300usize,
            inner in prop_oneof![Just(1), 2..150usize],
            accumulate: bool,
            seed: u64,
        ) {
            let mut x = vec![0.0; outer * axis * inner];
            fill_normal(Stream { seed, step: 0, site: 0 }, 0, &mut x);
            for (reduction, isa) in ALL.iter().flat_map(|&r| Isa::available().into_iter().map(move |i| (r, i))) {
                let mut out = vec![0.25; outer * inner];
                isa.force(|| reduce(reduction, &x, &mut out, outer, axis, inner, accumulate));
                for o in 0..outer {
                    for i in 0..inner {
                        let column: Vec<f64> =
                            (0..axis).map(|a| f64::from(x[(o * axis + a) * inner + i])).collect();
                        let mut exact = oracle(reduction, &column);
                        if accumulate {
                            exact = match reduction {
                                Reduction::Max => exact.max(0.25),
                                _ => exact + 0.25,
                            };
                        }
                        let size: f64 = column.iter().map(|x| x.abs().max(x * x)).sum::<f64>() + 1.0;
                        let got = out[o * inner + i];
                        prop_assert!((f64::from(got) - exact).abs() < 1e-6 * size, "{isa} {reduction:?}: {got} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn nan_reaches_every_result() {
        for isa in Isa::available() {
            for reduction in ALL {
                for at in [0, 1, 40, 99] {
                    let mut x = vec![1.0; 100];
                    x[at] = f32::NAN;
                    let (mut row, mut columns) = ([0.0], [0.0; 50]);
                    isa.force(|| {
                        reduce(reduction, &x, &mut row, 1, 100, 1, false);
                        reduce(reduction, &x, &mut columns, 1, 2, 50, false);
                    });
                    assert!(row[0].is_nan() && columns[at % 50].is_nan(), "{isa} {reduction:?} at {at}");
                    assert_eq!(columns.iter().filter(|x| x.is_nan()).count(), 1);
                }
            }
        }
    }

    #[test]
    fn long_sums_stay_accurate() {
        let x = vec![0.1f32; 3_000_001];
        let exact = 0.1f32 as f64 * x.len() as f64;
        for isa in Isa::available() {
            let mut out = [0.0];
            let all = isa.force(|| {
                reduce(Reduction::Sum, &x, &mut out, 1, x.len(), 1, false);
                total(&x)
            });
            assert!((f64::from(out[0]) / exact - 1.0).abs() < 3e-5);
            assert!((all / exact - 1.0).abs() < 1e-6);
        }
    }
}
