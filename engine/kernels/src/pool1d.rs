//! Pooling over one dimension, with PyTorch's rules for padding and `ceil_mode`.

use std::ops::Range;

use crate::simd::{Kernel, Simd, dispatch};

/// Sizes of a pooling: input `[planes, length]`, output `[planes, out_length]`, where a plane is one
/// channel of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool1d {
    /// Samples times channels.
    pub planes: usize,
    /// Steps of the input.
    pub length: usize,
    /// Steps a window covers.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Steps on either side that hold nothing; at most half a window.
    pub padding: usize,
    /// Lets the last window reach past the end.
    pub ceil_mode: bool,
}

impl Pool1d {
    /// Steps of the output.
    ///
    /// # Panics
    /// If a size makes no sense.
    pub fn out_length(&self) -> usize {
        assert!(self.kernel > 0 && self.stride > 0, "{self:?}: sizes start at 1");
        assert!(2 * self.padding <= self.kernel, "{self:?}: padding is more than half a window");
        let padded = self.length + 2 * self.padding;
        if !self.ceil_mode {
            assert!(padded >= self.kernel, "{self:?}: a window does not fit {padded} steps");
            return (padded - self.kernel) / self.stride + 1;
        }
        let windows = padded.saturating_sub(self.kernel).div_ceil(self.stride) + 1;
        // A window has to start inside the input or its left padding.
        if (windows - 1) * self.stride >= self.length + self.padding { windows - 1 } else { windows }
    }

    /// The steps of window i inside the input, and how many it has with the padding.
    fn window(&self, i: usize) -> (Range<usize>, usize) {
        let start = i * self.stride;
        let end = (start + self.kernel).min(self.length + 2 * self.padding);
        let inside = |at: usize| at.saturating_sub(self.padding).min(self.length);
        (inside(start)..inside(end), end - start)
    }

    fn check(&self, input: usize, output: usize) {
        assert_eq!(input, self.planes * self.length, "input: [planes, length]");
        assert_eq!(output, self.planes * self.out_length(), "output: [planes, out_length]");
    }
}

/// The largest value of every window, and where in its plane it was (the first, if there are more;
/// NaN counts as largest).
///
/// # Panics
/// If a length does not match the sizes.
pub fn max_pool1d_forward(pool: &Pool1d, input: &[f32], output: &mut [f32], places: &mut [i32]) {
    pool.check(input.len(), output.len());
    assert_eq!(places.len(), output.len(), "places: one an output");
    dispatch(Maximum { pool, input, output, places });
}

struct Maximum<'a> {
    pool: &'a Pool1d,
    input: &'a [f32],
    output: &'a mut [f32],
    places: &'a mut [i32],
}

impl Kernel for Maximum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Maximum { pool, input, output, places } = self;
        let n = pool.out_length();
        // Windows side by side, all of whose steps exist.
        let whole = match pool {
            Pool1d { kernel: 2..=4, padding: 0, .. } if pool.stride == pool.kernel => {
                n.min(pool.length / pool.kernel)
            }
            _ => 0,
        };
        let mut planes = input.chunks_exact(pool.length);
        let mut outputs = output.chunks_exact_mut(n).zip(places.chunks_exact_mut(n));
        while let (Some(plane), Some((output, places))) = (planes.next(), outputs.next()) {
            let (first, first_places) = (&mut output[..whole], &mut places[..whole]);
            match pool.kernel {
                2 => side_by_side::<2>(plane, first, first_places),
                3 => side_by_side::<3>(plane, first, first_places),
                4 => side_by_side::<4>(plane, first, first_places),
                _ => {}
            }
            for i in whole..n {
                let (window, _) = pool.window(i);
                let (mut largest, mut place) = (f32::NEG_INFINITY, window.start);
                for t in window {
                    if plane[t] > largest || plane[t].is_nan() {
                        (largest, place) = (plane[t], t);
                    }
                }
                (output[i], places[i]) = (largest, place as i32);
            }
        }
    }
}

/// Windows of `K` steps that follow each other, in a form that compilers vectorise.
#[inline(always)]
fn side_by_side<const K: usize>(plane: &[f32], output: &mut [f32], places: &mut [i32]) {
    let plane = &plane[..K * output.len()];
    let places = &mut places[..output.len()];
    for i in 0..output.len() {
        let (mut largest, mut place) = (plane[K * i], K * i);
        for tap in 1..K {
            let value = plane[K * i + tap];
            let larger = (value > largest) | value.is_nan();
            largest = if larger { value } else { largest };
            place = if larger { K * i + tap } else { place };
        }
        output[i] = largest;
        places[i] = place as i32;
    }
}

/// The gradient of the input, replacing what is in `d_input`.
///
/// # Panics
/// If a length does not match the sizes, or a place is not in the plane.
pub fn max_pool1d_backward(
    length: usize,
    windows: usize,
    d_output: &[f32],
    places: &[i32],
    d_input: &mut [f32],
) {
    assert_eq!(places.len(), d_output.len(), "places: one an output");
    assert_eq!(
        d_input.len() * windows,
        d_output.len() * length,
        "planes of {length} steps and {windows} windows"
    );
    d_input.fill(0.0);
    let planes = d_output.chunks_exact(windows).zip(places.chunks_exact(windows));
    for (plane, (d_output, places)) in d_input.chunks_exact_mut(length).zip(planes) {
        for (&d, &at) in d_output.iter().zip(places) {
            plane[at as usize] += d;
        }
    }
}

/// The mean of every window; padding counts as zeros if `count_padding`, else not at all.
///
/// # Panics
/// If a length does not match the sizes.
pub fn average_pool1d_forward(pool: &Pool1d, count_padding: bool, input: &[f32], output: &mut [f32]) {
    pool.check(input.len(), output.len());
    let n = pool.out_length();
    if pool.stride == 1 && pool.padding == 0 {
        for (plane, output) in input.chunks_exact(pool.length).zip(output.chunks_exact_mut(n)) {
            dispatch(MovingAverage { taps: pool.kernel, input: plane, output });
        }
        return;
    }
    for (plane, output) in input.chunks_exact(pool.length).zip(output.chunks_exact_mut(n)) {
        for (i, y) in output.iter_mut().enumerate() {
            let (window, padded) = pool.window(i);
            let count = if count_padding { padded } else { window.len() };
            *y = plane[window].iter().sum::<f32>() / count as f32;
        }
    }
}

/// The means of `taps` neighbours, `output.len() + taps - 1` of which there are in `input`. Neighbouring
/// windows share a vector: tap after tap is added to all of them at once.
struct MovingAverage<'a> {
    taps: usize,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Kernel for MovingAverage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let MovingAverage { taps, input, output } = self;
        assert_eq!(input.len() + 1, output.len() + taps);
        let share = s.splat(1.0 / taps as f32);
        let mut i = 0;
        while i + S::LANES <= output.len() {
            let mut sum = s.splat(0.0);
            for tap in 0..taps {
                // SAFETY: the last lane reads position i + LANES - 1 + taps - 1 < input.len().
                sum = s.add(sum, unsafe { s.load(input.as_ptr().add(i + tap)) });
            }
            // SAFETY: i + LANES <= output.len().
            unsafe { s.store(output.as_mut_ptr().add(i), s.mul(sum, share)) };
            i += S::LANES;
        }
        for i in i..output.len() {
            output[i] = input[i..i + taps].iter().sum::<f32>() / taps as f32;
        }
    }
}

/// The gradient of the input, replacing what is in `d_input`.
///
/// # Panics
/// If a length does not match the sizes.
pub fn average_pool1d_backward(pool: &Pool1d, count_padding: bool, d_output: &[f32], d_input: &mut [f32]) {
    pool.check(d_input.len(), d_output.len());
    let n = pool.out_length();
    let taps = pool.kernel;
    if pool.stride == 1 && pool.padding == 0 && n >= taps {
        for (plane, d) in d_input.chunks_exact_mut(pool.length).zip(d_output.chunks_exact(n)) {
            // Positions that whole windows of gradients reach, and those near the ends.
            dispatch(MovingAverage { taps, input: d, output: &mut plane[taps - 1..n] });
            for i in (0..taps - 1).chain(n..pool.length) {
                let windows = &d[i.saturating_sub(taps - 1)..n.min(i + 1)];
                plane[i] = windows.iter().sum::<f32>() / taps as f32;
            }
        }
        return;
    }
    d_input.fill(0.0);
    for (i, &d) in d_output.iter().enumerate() {
        let plane = &mut d_input[i / n * pool.length..][..pool.length];
        let (window, padded) = pool.window(i % n);
        let share = d / (if count_padding { padded } else { window.len() }) as f32;
        plane[window].iter_mut().for_each(|x| *x += share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use proptest::prelude::*;

    const POOL: Pool1d = Pool1d { planes: 1, length: 7, kernel: 3, stride: 2, padding: 1, ceil_mode: false };
    const INPUT: [f32; 7] = [1.0, 5.0, 2.0, 2.0, -1.0, 0.0, 4.0];

    #[test]
    fn lengths_are_those_of_pytorch() {
        // (length, kernel, stride, padding, ceil_mode) -> out_length
        for (length, kernel, stride, padding, ceil_mode, expected) in [
            (7, 3, 2, 0, false, 3),
            (8, 3, 2, 0, false, 3),
            (8, 3, 2, 0, true, 4),
            (7, 2, 2, 1, true, 4),
            (4, 2, 3, 1, true, 2),
            (5, 1, 4, 0, true, 2),
            (6, 1, 4, 0, true, 2),
        ] {
            let pool = Pool1d { planes: 1, length, kernel, stride, padding, ceil_mode };
            assert_eq!(pool.out_length(), expected, "{pool:?}");
        }
    }

    #[test]
    fn max_takes_the_first_largest_and_gives_it_the_gradient() {
        let (mut output, mut places) = ([0.0; 4], [0; 4]);
        max_pool1d_forward(&POOL, &INPUT, &mut output, &mut places);
        assert_eq!((output, places), ([5.0, 5.0, 2.0, 4.0], [1, 1, 3, 6]));
        let mut d_input = [9.0; 7];
        max_pool1d_backward(POOL.length, 4, &[1.0, 2.0, 3.0, 4.0], &places, &mut d_input);
        assert_eq!(d_input, [0.0, 3.0, 0.0, 3.0, 0.0, 0.0, 4.0]);
    }

    #[test]
    fn max_of_a_window_with_nan_is_nan() {
        let pool = Pool1d { planes: 1, length: 3, kernel: 3, stride: 1, padding: 0, ceil_mode: false };
        let (mut output, mut places) = ([0.0], [0]);
        max_pool1d_forward(&pool, &[1.0, f32::NAN, 2.0], &mut output, &mut places);
        assert!(output[0].is_nan());
    }

    proptest! {
        /// Small whole numbers, so that there are ties, and now and then NaN.
        #[test]
        fn pooling_agrees_with_the_definition(
            (planes, length) in (1usize..4, 1usize..90),
            (kernel, stride) in prop_oneof![(1usize..6).prop_map(|k| (k, k)), (1usize..6, 1usize..4)],
            padded: bool,
            ceil_mode: bool,
            seed: u64,
        ) {
            let padding = if padded { kernel / 2 } else { 0 };
            prop_assume!(length + 2 * padding >= kernel);
            let pool = Pool1d { planes, length, kernel, stride, padding, ceil_mode };
            let stream = crate::random::Stream { seed, step: 0, site: 0 };
            let input: Vec<f32> = (0..(planes * length) as u64)
                .map(|i| (crate::random::uniform_at(stream, i) * 20.0).floor())
                .map(|x| if x == 19.0 { f32::NAN } else { x })
                .collect();
            let n = pool.out_length();
            for isa in Isa::available() {
                let (mut largest, mut places) = (vec![0.0; planes * n], vec![0; planes * n]);
                let mut means = vec![0.0; planes * n];
                isa.force(|| {
                    max_pool1d_forward(&pool, &input, &mut largest, &mut places);
                    average_pool1d_forward(&pool, true, &input, &mut means);
                });
                for i in 0..planes * n {
                    let (plane, start) = (&input[i / n * length..][..length], i % n * stride);
                    let inside = |t: &usize| (padding..padding + length).contains(t);
                    let window: Vec<usize> = (start..start + kernel).filter(inside).map(|t| t - padding).collect();
                    let has_nan = window.iter().any(|&t| plane[t].is_nan());
                    let expected = window.iter().map(|&t| plane[t]).fold(f32::NEG_INFINITY, f32::max);
                    let first = window.iter().copied().find(|&t| plane[t] == expected);
                    prop_assert_eq!(largest[i].is_nan(), has_nan, "{}: {:?}", isa, pool);
                    prop_assert!(has_nan || (largest[i], Some(places[i] as usize)) == (expected, first), "{isa}: {pool:?}");
                    prop_assert!(plane[places[i] as usize].is_nan() == has_nan);
                    let padded = (start + kernel).min(length + 2 * padding) - start;
                    let mean = window.iter().map(|&t| plane[t]).sum::<f32>() / padded as f32;
                    prop_assert!(has_nan || (means[i] - mean).abs() <= 1e-5 * (1.0 + mean), "{isa}: {pool:?}");
                }
            }
        }
    }

    #[test]
    fn average_counts_padding_only_if_told() {
        let mut output = [0.0; 4];
        average_pool1d_forward(&POOL, true, &INPUT, &mut output);
        assert_eq!(output, [2.0, 3.0, 1.0 / 3.0, 4.0 / 3.0]);
        average_pool1d_forward(&POOL, false, &INPUT, &mut output);
        assert_eq!(output, [3.0, 3.0, 1.0 / 3.0, 2.0]);
        let mut d_input = [9.0; 7];
        average_pool1d_backward(&POOL, false, &[2.0, 3.0, 6.0, 8.0], &mut d_input);
        assert_eq!(d_input, [1.0, 2.0, 1.0, 3.0, 2.0, 6.0, 4.0]);
    }

    #[test]
    fn a_window_past_the_end_has_only_what_is_there() {
        let pool = Pool1d { planes: 2, length: 4, kernel: 3, stride: 2, padding: 0, ceil_mode: true };
        let mut output = [0.0; 4];
        for count_padding in [true, false] {
            average_pool1d_forward(
                &pool,
                count_padding,
                &[1.0, 2.0, 3.0, 5.0, 0.0, 0.0, 6.0, 8.0],
                &mut output,
            );
            assert_eq!(output, [2.0, 4.0, 2.0, 7.0]);
        }
    }
}
