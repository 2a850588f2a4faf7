//! Gradients by packets and head.

use super::faithful::Faithful;
use super::forward::{invert_squares, on_boundary};
use super::jets::{Adjoints, Coefficients, Slopes};
use super::packet::Packet;
use super::wave::{Column, Rows, Sums, Wave};
use super::{BLOCK, Form, MAX_AXES, ROUND, WavePackets};
use crate::simd::{Kernel, Simd, Twice, dispatch, lanes};

/// Gradients of what forward gave; those that are absent count as zeros.
#[derive(Clone, Copy, Default)]
pub struct OutputGradients<'a> {
    /// By y \[points, outputs\].
    pub y: Option<&'a [f32]>,
    /// By dy/dx \[points, outputs, axes\].
    pub first: Option<&'a [f32]>,
    /// By d2y/dx2 \[points, outputs, axes\].
    pub second: Option<&'a [f32]>,
}

/// Where the gradients go.
pub struct Gradients<'a> {
    /// Packets \[rows, waves\].
    pub packets: &'a mut [f32],
    /// Add to what `packets` holds.
    pub add_packets: bool,
    /// Head \[outputs, waves\].
    pub head: &'a mut [f32],
    /// Add to what `head` holds.
    pub add_head: bool,
}

/// Floats of scratch of [`wave_packets_backward`].
pub fn wave_packets_backward_scratch(shape: &WavePackets) -> usize {
    let widths = shape.form.log_widths().len() * shape.waves;
    let sums = shape.form.rows() + 1;
    ROUND + widths + (shape.outputs + 2) * shape.jets() * BLOCK + sums * (Sums::STRIDE + 1)
}

/// Gradients by packets and head, from what forward kept.
///
/// # Panics
/// If a length does not fit the shape.
pub fn wave_packets_backward(
    shape: &WavePackets,
    packets: &[f32],
    head: &[f32],
    kept: &[f32],
    given: OutputGradients,
    to: Gradients,
    scratch: &mut [f32],
) {
    let values = shape.points * shape.outputs;
    let derivatives = values * shape.form.axes();
    for (name, given, len) in
        [("y", given.y, values), ("first", given.first, derivatives), ("second", given.second, derivatives)]
    {
        assert!(given.is_none_or(|given| given.len() == len), "gradient of {name}");
    }
    assert!(given.first.is_none() || shape.order > 0, "{shape:?}");
    assert!(given.second.is_none() || shape.order > 1, "{shape:?}");
    assert_eq!(kept.len(), shape.kept_len(), "kept");
    assert_eq!(to.packets.len(), packets.len(), "gradient of packets");
    assert_eq!(to.head.len(), head.len(), "gradient of the head");
    shape.check(packets, head);
    if !to.add_packets {
        to.packets.fill(0.0);
    }
    if !to.add_head {
        to.head.fill(0.0);
    }
    let scratch = on_boundary(scratch, wave_packets_backward_scratch(shape));
    let call = Call { shape, packets, head, kept, given, to, scratch };
    match shape.form {
        Form::Faithful { .. } => call.of::<Faithful>(),
        Form::Packet { .. } => call.of::<Packet>(),
    }
}

struct Call<'a> {
    shape: &'a WavePackets,
    packets: &'a [f32],
    head: &'a [f32],
    kept: &'a [f32],
    given: OutputGradients<'a>,
    to: Gradients<'a>,
    scratch: &'a mut [f32],
}

impl Call<'_> {
    fn of<W: Wave>(self) {
        match self.shape.order {
            0 => dispatch(Backward::<W, 0>(self, std::marker::PhantomData)),
            1 => dispatch(Backward::<W, 1>(self, std::marker::PhantomData)),
            _ => dispatch(Backward::<W, 2>(self, std::marker::PhantomData)),
        }
    }
}

struct Backward<'a, W, const ORDER: usize>(Call<'a>, std::marker::PhantomData<W>);

impl<W: Wave, const ORDER: usize> Kernel for Backward<'_, W, ORDER> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Call { shape, packets, head, kept, given, to, scratch } = self.0;
        let (axes, waves, outputs, jets) = (shape.form.axes(), shape.waves, shape.outputs, shape.jets());
        let (rows, kept_rows) = (shape.form.rows(), shape.form.kept(ORDER));
        let log_widths = shape.form.log_widths();
        let widths = log_widths.start * waves..log_widths.end * waves;
        let (inverse_squares, scratch) = scratch.split_at_mut(widths.len().next_multiple_of(Sums::STRIDE));
        invert_squares(s, &packets[widths], inverse_squares);
        let (gradients, scratch) = scratch.split_at_mut(outputs * jets * BLOCK);
        let (of_wave, scratch) = scratch.split_at_mut(jets * BLOCK);
        let (values, scratch) = scratch.split_at_mut(jets * BLOCK);
        let (sums, totals) = scratch.split_at_mut((rows + 1) * Sums::STRIDE);
        let s = Twice(s);
        let mut start = 0;
        while start < shape.points {
            let count = (shape.points - start).min(BLOCK);
            let whole = count.next_multiple_of(ROUND);
            transpose_gradients(shape, given, start, count, whole, gradients);
            for wave in 0..waves {
                let numbers = W::gather(shape, Column { packets, inverse_squares, waves, wave });
                // Of a single output, all gradients have its factor; of several, they are summed before.
                let several = outputs > 1;
                let (by_value, factor) = match several {
                    false => (gradients.as_mut_ptr(), head[wave]),
                    true => {
                        weigh(s, shape, head, wave, whole, gradients, of_wave);
                        (of_wave.as_mut_ptr(), 1.0)
                    }
                };
                sums.fill(0.0);
                // SAFETY of this block: what is kept has a row of whole vectors for each that is addressed,
                // and so have the parts of scratch; `wave_packets_backward` compared all lengths with the
                // shape. What is kept is only read.
                unsafe {
                    let x = Rows { first: kept.as_ptr().cast_mut(), stride: shape.stride() }.from(0, start);
                    let of_points = x.from(axes + wave * kept_rows, 0);
                    let by_value = Rows { first: by_value, stride: BLOCK };
                    let values = Rows { first: values.as_mut_ptr(), stride: BLOCK };
                    let sums = Sums(sums.as_mut_ptr());
                    let zero = s.splat(0.0);
                    let mut bars = [Slopes::splat(zero); MAX_AXES];
                    let mut i = 0;
                    while i < whole {
                        let f = W::kept::<_, ORDER>(s, of_points, i);
                        let y = by_value.load(s, 0, i);
                        let adjoints = if ORDER == 0 {
                            let mu = if W::MODULATED { s.mul(y, f.m) } else { zero };
                            Adjoints { q: s.mul(y, f.x), theta: s.mul(y, f.t), mu }
                        } else {
                            let mut sum = Coefficients { x: y, t: zero, m: zero, b: zero };
                            let mut along = [zero; 2];
                            for (axis, bar) in bars.iter_mut().enumerate().take(axes) {
                                let slopes = numbers.slopes(s, x, i, axis, &f, &mut along);
                                let first = by_value.load(s, 1 + axis, i);
                                let second = match ORDER {
                                    1 => None,
                                    _ => Some(by_value.load(s, 1 + axes + axis, i)),
                                };
                                sum.add(s, &slopes, first, second, W::MODULATED);
                                *bar = slopes.reverse(s, &f, first, second, W::MODULATED);
                                if several {
                                    values.store(s, 1 + axis, i, slopes.first(s, &f, W::MODULATED));
                                    if ORDER > 1 {
                                        let second = slopes.second(s, &f, W::MODULATED);
                                        values.store(s, 1 + axes + axis, i, second);
                                    }
                                }
                            }
                            sum.reverse(s, &f, W::MODULATED)
                        };
                        if several {
                            values.store(s, 0, i, f.x);
                        }
                        sums.add(s, rows, adjoints.q);
                        numbers.accumulate::<_, ORDER>(s, x, i, &f, &adjoints, &bars, sums);
                        i += lanes(s);
                    }
                    for (row, total) in totals.iter_mut().enumerate().take(rows + 1) {
                        *total = s.0.reduce_add(s.0.load(sums.0.add(row * Sums::STRIDE)));
                    }
                }
                numbers.finish(&mut totals[..rows]);
                let value = totals[rows];
                if let Form::Faithful { .. } = shape.form {
                    totals[0] = value;
                }
                for (row, total) in totals[..rows].iter().enumerate() {
                    to.packets[row * waves + wave] += factor * total;
                }
                for o in 0..outputs {
                    let sum = match several {
                        false => value,
                        true => dot(s, &gradients[o * jets * BLOCK..], values, jets, whole),
                    };
                    to.head[o * waves + wave] += numbers.amplitude() * sum;
                }
            }
            start += count;
        }
    }
}

/// Gradients of the values of a point, output by output: by y, and by each axis's first and second
/// derivatives, as rows of points; zeros where vectors reach beyond.
fn transpose_gradients(
    shape: &WavePackets,
    given: OutputGradients,
    start: usize,
    count: usize,
    whole: usize,
    to: &mut [f32],
) {
    let (axes, outputs) = (shape.form.axes(), shape.outputs);
    for (o, to) in to.chunks_exact_mut(shape.jets() * BLOCK).enumerate() {
        let mut to = to.chunks_exact_mut(BLOCK);
        for (from, width) in [(given.y, 1), (given.first, axes), (given.second, axes)] {
            for (axis, to) in to.by_ref().take(width).enumerate() {
                let (to, beyond) = to[..whole].split_at_mut(count);
                beyond.fill(0.0);
                let Some(from) = from else {
                    to.fill(0.0);
                    continue;
                };
                let width = outputs * width;
                let column = o * (width / outputs) + axis;
                for (to, point) in to.iter_mut().zip(from[start * width..].chunks_exact(width)) {
                    *to = point[column];
                }
            }
        }
    }
}

/// The gradients of one wave's values: those of the outputs, weighed by the head.
#[inline(always)]
fn weigh<S: Simd>(
    s: S,
    shape: &WavePackets,
    head: &[f32],
    wave: usize,
    whole: usize,
    gradients: &[f32],
    to: &mut [f32],
) {
    let jets = shape.jets();
    for row in 0..jets {
        let mut i = 0;
        while i < whole {
            let mut sum = s.splat(0.0);
            let mut o = 0;
            while o < shape.outputs {
                let factor = s.splat(head[o * shape.waves + wave]);
                let from = &gradients[(o * jets + row) * BLOCK + i..][..lanes(s)];
                // SAFETY: a whole vector, just cut.
                sum = unsafe { s.mul_add(factor, s.load(from.as_ptr()), sum) };
                o += 1;
            }
            let to = &mut to[row * BLOCK + i..][..lanes(s)];
            // SAFETY: a whole vector, just cut.
            unsafe { s.store(to.as_mut_ptr(), sum) };
            i += lanes(s);
        }
    }
}

/// The sum of products of the first `whole` points of `rows` rows.
#[inline(always)]
fn dot<S: Simd>(s: S, a: &[f32], b: &[f32], rows: usize, whole: usize) -> f32 {
    let mut sum = s.splat(0.0);
    for row in 0..rows {
        let (a, b) = (&a[row * BLOCK..][..whole], &b[row * BLOCK..][..whole]);
        let mut i = 0;
        while i < whole {
            // SAFETY: both have `whole` floats, whole vectors.
            sum = unsafe { s.mul_add(s.load(a.as_ptr().add(i)), s.load(b.as_ptr().add(i)), sum) };
            i += lanes(s);
        }
    }
    s.reduce_add(sum)
}
