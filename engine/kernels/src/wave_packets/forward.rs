//! The sums, and their derivatives along the axes.

use super::faithful::Faithful;
use super::packet::Packet;
use super::wave::{Column, Rows, Sums, Wave};
use super::{BLOCK, Form, ROUND, WavePackets};
use crate::math::exp;
use crate::simd::{Kernel, Part, Simd, Twice, dispatch, each_vector, lanes};

/// Where the results go.
pub struct Outputs<'a> {
    /// y \[points, outputs\].
    pub y: &'a mut [f32],
    /// dy/dx \[points, outputs, axes\], from order 1 on; empty otherwise.
    pub first: &'a mut [f32],
    /// d2y/dx2 \[points, outputs, axes\], at order 2; empty otherwise.
    pub second: &'a mut [f32],
    /// What backward reads, of [`WavePackets::kept_len`]; or empty.
    pub kept: &'a mut [f32],
}

/// Floats of scratch of [`wave_packets_forward`].
pub fn wave_packets_forward_scratch(shape: &WavePackets) -> usize {
    let widths = shape.form.log_widths().len() * shape.waves;
    ROUND + widths + (shape.form.axes() + 2 + shape.outputs * shape.jets()) * BLOCK
}

/// Sums waves at points: points \[points, axes\], packets \[rows, waves\], head \[outputs, waves\].
///
/// Phases are right to the last place of their largest term, so that a wave is off by its amplitude times
/// some 1e-7 of its phase.
///
/// # Panics
/// If a length does not fit the shape.
pub fn wave_packets_forward(
    shape: &WavePackets,
    points: &[f32],
    packets: &[f32],
    head: &[f32],
    to: Outputs,
    scratch: &mut [f32],
) {
    shape.check(packets, head);
    assert_eq!(points.len(), shape.points * shape.form.axes(), "points");
    let values = shape.points * shape.outputs;
    let derivatives = values * shape.form.axes();
    assert_eq!(to.y.len(), values, "y");
    assert_eq!(to.first.len(), if shape.order > 0 { derivatives } else { 0 }, "first derivatives");
    assert_eq!(to.second.len(), if shape.order > 1 { derivatives } else { 0 }, "second derivatives");
    assert!(to.kept.is_empty() || to.kept.len() == shape.kept_len(), "kept");
    let scratch = on_boundary(scratch, wave_packets_forward_scratch(shape));
    let call = Call { shape, points, packets, head, to, scratch };
    match shape.form {
        Form::Faithful { .. } => call.of::<Faithful>(),
        Form::Packet { .. } => call.of::<Packet>(),
    }
}

struct Call<'a> {
    shape: &'a WavePackets,
    points: &'a [f32],
    packets: &'a [f32],
    head: &'a [f32],
    to: Outputs<'a>,
    scratch: &'a mut [f32],
}

impl Call<'_> {
    fn of<W: Wave>(self) {
        match (self.shape.order, self.to.kept.is_empty()) {
            (0, true) => dispatch(Forward::<W, 0, false>(self, std::marker::PhantomData)),
            (0, false) => dispatch(Forward::<W, 0, true>(self, std::marker::PhantomData)),
            (1, _) => dispatch(Forward::<W, 1, true>(self, std::marker::PhantomData)),
            _ => dispatch(Forward::<W, 2, true>(self, std::marker::PhantomData)),
        }
    }
}

/// `KEEP`: backward's numbers are kept, if there is a place for them.
struct Forward<'a, W, const ORDER: usize, const KEEP: bool>(Call<'a>, std::marker::PhantomData<W>);

impl<W: Wave, const ORDER: usize, const KEEP: bool> Kernel for Forward<'_, W, ORDER, KEEP> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Call { shape, points, packets, head, to, scratch } = self.0;
        let (axes, waves, outputs) = (shape.form.axes(), shape.waves, shape.outputs);
        let log_widths = shape.form.log_widths();
        let widths = log_widths.start * waves..log_widths.end * waves;
        let (inverse_squares, scratch) = scratch.split_at_mut(widths.len().next_multiple_of(Sums::STRIDE));
        invert_squares(s, &packets[widths], inverse_squares);
        let (columns, scratch) = scratch.split_at_mut(axes * BLOCK);
        let (inner, results) = scratch.split_at_mut(2 * BLOCK);
        let keeps = KEEP && !to.kept.is_empty();
        let s = Twice(s);
        let mut start = 0;
        while start < shape.points {
            let count = (shape.points - start).min(BLOCK);
            let whole = count.next_multiple_of(ROUND);
            // SAFETY of this block: what is kept has a row of whole vectors for each that is addressed, and
            // so have the parts of scratch; `wave_packets_forward` compared all lengths with the shape.
            unsafe {
                let kept = Rows { first: to.kept.as_mut_ptr(), stride: shape.stride() };
                let x = match keeps {
                    true => kept.from(0, start),
                    false => Rows { first: columns.as_mut_ptr(), stride: BLOCK },
                };
                transpose_points(&points[start * axes..(start + count) * axes], axes, whole, x);
                results.fill(0.0);
                let results_of = Rows { first: results.as_mut_ptr(), stride: BLOCK };
                for wave in 0..waves {
                    let column = Column { packets, inverse_squares, waves, wave };
                    let numbers = W::gather(shape, column);
                    let rows = match keeps {
                        true => kept.from(axes + wave * shape.form.kept(ORDER), start),
                        false => Rows { first: inner.as_mut_ptr(), stride: BLOCK },
                    };
                    let mut i = 0;
                    while W::MODULATED && i < whole {
                        let (sin, cos) = numbers.inner(s, x, i);
                        if KEEP {
                            rows.store(s, 0, i, sin);
                        }
                        rows.store(s, 1, i, cos);
                        i += lanes(s);
                    }
                    let mut i = 0;
                    while i < whole {
                        let inner = match W::MODULATED {
                            true => (rows.load(s, 0, i), rows.load(s, 1, i)),
                            false => (s.splat(0.0), s.splat(0.0)),
                        };
                        let f = numbers.factors(s, x, i, inner);
                        if keeps {
                            W::keep::<_, ORDER>(s, &f, rows, i);
                        }
                        let mut o = 0;
                        while o < outputs {
                            let factor = s.splat(head[o * waves + wave] * numbers.amplitude());
                            results_of.mul_add(s, o, i, factor, f.x);
                            o += 1;
                        }
                        if ORDER > 0 {
                            let mut along = [s.splat(0.0); 2];
                            for axis in 0..axes {
                                let slopes = numbers.slopes(s, x, i, axis, &f, &mut along);
                                let first = slopes.first(s, &f, W::MODULATED);
                                let second = slopes.second(s, &f, W::MODULATED);
                                for o in 0..outputs {
                                    let factor = s.splat(head[o * waves + wave] * numbers.amplitude());
                                    let row = outputs + o * axes + axis;
                                    results_of.mul_add(s, row, i, factor, first);
                                    if ORDER > 1 {
                                        results_of.mul_add(s, row + outputs * axes, i, factor, second);
                                    }
                                }
                            }
                        }
                        i += lanes(s);
                    }
                }
            }
            let mut row = 0;
            for (values, width) in
                [(&mut *to.y, outputs), (&mut *to.first, outputs * axes), (&mut *to.second, outputs * axes)]
            {
                if !values.is_empty() {
                    let values = &mut values[start * width..(start + count) * width];
                    for (column, result) in results[row * BLOCK..].chunks(BLOCK).take(width).enumerate() {
                        for (n, result) in result[..count].iter().enumerate() {
                            values[n * width + column] = *result;
                        }
                    }
                }
                row += width;
            }
            start += count;
        }
    }
}

/// The coordinates of points, axis by axis; where vectors reach beyond, the last point again, so that
/// nothing happens there that doesn't happen at a point.
///
/// # Safety
/// There must be a point, and `whole` columns from its axes' rows on.
unsafe fn transpose_points(points: &[f32], axes: usize, whole: usize, to: Rows) {
    let count = points.len() / axes;
    for axis in 0..axes {
        // SAFETY: the caller's promise.
        let row = unsafe { std::slice::from_raw_parts_mut(to.first.add(axis * to.stride), whole) };
        for (value, point) in row.iter_mut().zip(points.chunks_exact(axes)) {
            *value = point[axis];
        }
        row[count..].fill(points[(count - 1) * axes + axis]);
    }
}

/// The part of the first `len` floats of scratch that begins where a vector does.
pub(super) fn on_boundary(scratch: &mut [f32], len: usize) -> &mut [f32] {
    let scratch = &mut scratch[..len];
    let skip = scratch.as_ptr().align_offset(64).min(Sums::STRIDE);
    &mut scratch[skip..]
}

/// exp(-2 x) of each.
#[inline(always)]
pub(super) fn invert_squares<S: Simd>(s: S, log_widths: &[f32], inverse_squares: &mut [f32]) {
    each_vector!(s, log_widths.len(), |i, part| {
        // SAFETY: the macro keeps i and the part inside the first slice, and the second is no shorter.
        unsafe {
            let x = part.load(s, log_widths.as_ptr().add(i));
            part.store(s, inverse_squares.as_mut_ptr().add(i), exp(s, s.mul(x, s.splat(-2.0))));
        }
    });
}
