//! Mean and squared distances from it, of every channel.

use crate::simd::{Kernel, Part, Simd, dispatch, each_vector, sum};

/// For every channel of x \[outer, channels, inner\]: the mean, and the sum of the squares of the
/// distances from it, \[channels\] each. Two sweeps, so that nothing is lost where the mean is large.
///
/// # Panics
/// If the lengths do not fit the shape.
pub fn moments(
    x: &[f32],
    (outer, channels, inner): (usize, usize, usize),
    mean: &mut [f32],
    squares: &mut [f32],
) {
    assert_eq!(x.len(), outer * channels * inner);
    assert_eq!((mean.len(), squares.len()), (channels, channels));
    dispatch(Moments { x, outer, channels, inner, mean, squares });
}

struct Moments<'a> {
    x: &'a [f32],
    outer: usize,
    channels: usize,
    inner: usize,
    mean: &'a mut [f32],
    squares: &'a mut [f32],
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Moments { x, outer, channels, inner, mean, squares } = self;
        let share = 1.0 / (outer * inner) as f32;
        let (x, mean, squares) = (x.as_ptr(), mean.as_mut_ptr(), squares.as_mut_ptr());
        // SAFETY: the entry point has checked the lengths against the shape.
        unsafe {
            if inner == 1 {
                let mut c = 0;
                while c + 4 * S::LANES <= channels {
                    columns::<S, 4>(s, x.add(c), (outer, channels), share, mean.add(c), squares.add(c));
                    c += 4 * S::LANES;
                }
                let (x, mean, squares) = (x.add(c), mean.add(c), squares.add(c));
                each_vector!(s, channels - c, |j, part| {
                    let mut total = s.splat(0.0);
                    for row in 0..outer {
                        total = s.add(total, part.load(s, x.add(row * channels + j)));
                    }
                    let average = s.mul(total, s.splat(share));
                    let mut distances = s.splat(0.0);
                    for row in 0..outer {
                        let distance = s.sub(part.load(s, x.add(row * channels + j)), average);
                        distances = s.mul_add(distance, distance, distances);
                    }
                    part.store(s, mean.add(j), average);
                    part.store(s, squares.add(j), distances);
                });
                return;
            }
            for c in 0..channels {
                let row = |o: usize| x.add((o * channels + c) * inner);
                let mut total = 0.0;
                for o in 0..outer {
                    total += sum(s, row(o), inner);
                }
                let average = total * share;
                let mut distances = s.splat(0.0);
                for o in 0..outer {
                    let x = row(o);
                    each_vector!(s, inner, |j, part| {
                        let distance = s.sub(part.load(s, x.add(j)), s.splat(average));
                        let square = part.keep(s, s.mul(distance, distance), 0.0);
                        distances = s.add(distances, square);
                    });
                }
                *mean.add(c) = average;
                *squares.add(c) = s.reduce_add(distances);
            }
        }
    }
}

/// `V` vectors of columns of x, `rows` rows of `row` floats.
///
/// # Safety
/// The columns must be inside x, and the results writable.
#[inline(always)]
unsafe fn columns<S: Simd, const V: usize>(
    s: S,
    x: *const f32,
    (rows, row): (usize, usize),
    share: f32,
    mean: *mut f32,
    squares: *mut f32,
) {
    let (mut average, mut distances) = ([s.splat(0.0); V], [s.splat(0.0); V]);
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..rows {
            for (v, total) in average.iter_mut().enumerate() {
                *total = s.add(*total, s.load(x.add(i * row + v * S::LANES)));
            }
        }
        for average in &mut average {
            *average = s.mul(*average, s.splat(share));
        }
        for i in 0..rows {
            for v in 0..V {
                let distance = s.sub(s.load(x.add(i * row + v * S::LANES)), average[v]);
                distances[v] = s.mul_add(distance, distance, distances[v]);
            }
        }
        for v in 0..V {
            s.store(mean.add(v * S::LANES), average[v]);
            s.store(squares.add(v * S::LANES), distances[v]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn moments_agree_with_the_definition(
            (outer, channels, inner) in (1usize..40, 0usize..90, prop_oneof![Just(1usize), 2usize..50]),
            shift in prop_oneof![Just(0.0f32), Just(1000.0)],
        ) {
            let stream = crate::random::Stream { seed: 1, step: 0, site: 0 };
            let x: Vec<f32> =
                (0..(outer * channels * inner) as u64).map(|i| shift + crate::random::normal_at(stream, i)).collect();
            for isa in Isa::available() {
                let (mut mean, mut squares) = (vec![f32::NAN; channels], vec![f32::NAN; channels]);
                isa.force(|| moments(&x, (outer, channels, inner), &mut mean, &mut squares));
                for c in 0..channels {
                    let values = || (0..outer * inner).map(|i| f64::from(x[(i / inner * channels + c) * inner + i % inner]));
                    let average = values().sum::<f64>() / (outer * inner) as f64;
                    let distances: f64 = values().map(|v| (v - average).powi(2)).sum();
                    prop_assert!((f64::from(mean[c]) - average).abs() <= 1e-6 * (1.0 + average.abs()));
                    // A mean that is off by its rounding counts once for every value.
                    let slack = (outer * inner) as f64 * (2e-7 * f64::from(shift)).powi(2);
                    prop_assert!((f64::from(squares[c]) - distances).abs() <= 1e-5 * distances + slack + 1e-6);
                }
            }
        }
    }
}
