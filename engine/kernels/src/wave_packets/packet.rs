//! cos(phase + sum of k u + beta u^2) exp(-1/2 sum of (u / width)^2) (Gabor 1946; with beta, the chirplets of
//! Mann & Haykin 1995).

use super::jets::{Adjoints, Factors, Slopes};
use super::wave::{Column, Rows, Sums, Wave, envelope};
use super::{Form, MAX_AXES, WavePackets};
use crate::math::sin_cos;
use crate::simd::Simd;

/// One wave's numbers. What the form lacks is 0: a packet that stands still has no velocity.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    axes: usize,
    chirp: bool,
    moving: bool,
    centre: [f32; MAX_AXES],
    /// 1 / width^2
    inverse_square: [f32; MAX_AXES],
    k: [f32; MAX_AXES],
    phase: f32,
    beta: [f32; MAX_AXES],
    /// Of the axes before the last.
    v: [f32; MAX_AXES],
    /// Second derivatives of q and theta along the last axis.
    last: [f32; 2],
}

impl Packet {
    /// The position relative to the centre, where `last` is that along the last axis.
    ///
    /// # Safety
    /// The points' rows must be there.
    #[inline(always)]
    unsafe fn relative<S: Simd>(&self, s: S, x: Rows, i: usize, axis: usize, last: S::V) -> S::V {
        // SAFETY: the caller's promise.
        let u = s.sub(unsafe { x.load(s, axis, i) }, s.splat(self.centre[axis]));
        if self.moving { s.neg_mul_add(last, s.splat(self.v[axis]), u) } else { u }
    }

    /// The position along the last axis.
    ///
    /// # Safety
    /// The points' rows must be there.
    #[inline(always)]
    unsafe fn last<S: Simd>(&self, s: S, x: Rows, i: usize) -> S::V {
        let last = self.axes.clamp(1, MAX_AXES) - 1;
        // SAFETY: the caller's promise.
        s.sub(unsafe { x.load(s, last, i) }, s.splat(self.centre[last]))
    }
}

impl Wave for Packet {
    const MODULATED: bool = false;

    #[inline(always)]
    fn gather(shape: &WavePackets, column: Column) -> Packet {
        let axes = shape.form.axes();
        let Form::Packet { chirp, moving, .. } = shape.form else { unreachable!("asked for by its form") };
        let mut inverse_square = [0.0; MAX_AXES];
        for (axis, value) in inverse_square.iter_mut().take(axes).enumerate() {
            *value = column.inverse_square(axis);
        }
        let chirps = if chirp { axes } else { 0 };
        let beta = column.rows(3 * axes + 1, chirps);
        let v = column.rows(3 * axes + 1 + chirps, if moving { axes - 1 } else { 0 });
        let mut last = [-inverse_square[axes - 1], 2.0 * beta[axes - 1]];
        for axis in 0..axes - 1 {
            let square = v[axis] * v[axis];
            last[0] -= square * inverse_square[axis];
            last[1] += 2.0 * square * beta[axis];
        }
        Packet {
            axes,
            chirp,
            moving,
            centre: column.rows(0, axes),
            inverse_square,
            k: column.rows(2 * axes, axes),
            phase: column.row(3 * axes),
            beta,
            v,
            last,
        }
    }

    #[inline(always)]
    fn amplitude(&self) -> f32 {
        1.0
    }

    #[inline(always)]
    unsafe fn inner<S: Simd>(&self, s: S, _: Rows, _: usize) -> (S::V, S::V) {
        (s.splat(0.0), s.splat(0.0))
    }

    #[inline(always)]
    unsafe fn factors<S: Simd>(&self, s: S, x: Rows, i: usize, _: (S::V, S::V)) -> Factors<S::V> {
        let axes = self.axes.clamp(1, MAX_AXES);
        let (mut theta, mut squares) = (s.splat(self.phase), s.splat(0.0));
        // SAFETY: the caller's promise.
        unsafe {
            let last = self.last(s, x, i);
            for j in 0..axes {
                let u = if j + 1 == axes { last } else { self.relative(s, x, i, j, last) };
                squares = s.mul_add(s.mul(u, u), s.splat(self.inverse_square[j]), squares);
                let k = s.splat(self.k[j]);
                let k = if self.chirp { s.mul_add(u, s.splat(self.beta[j]), k) } else { k };
                theta = s.mul_add(u, k, theta);
            }
        }
        let envelope = envelope(s, squares, 1.0);
        let (sin, cos) = sin_cos(s, theta);
        let zero = s.splat(0.0);
        Factors {
            x: s.mul(envelope, cos),
            t: s.mul(envelope, s.neg(sin)),
            m: zero,
            b: zero,
            sin: zero,
            cos: zero,
        }
    }

    #[inline(always)]
    unsafe fn keep<S: Simd, const ORDER: usize>(s: S, f: &Factors<S::V>, kept: Rows, i: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            kept.store(s, 0, i, f.x);
            kept.store(s, 1, i, f.t);
        }
    }

    #[inline(always)]
    unsafe fn kept<S: Simd, const ORDER: usize>(s: S, kept: Rows, i: usize) -> Factors<S::V> {
        let zero = s.splat(0.0);
        // SAFETY: the caller's promise.
        let (x, t) = unsafe { (kept.load(s, 0, i), kept.load(s, 1, i)) };
        Factors { x, t, m: zero, b: zero, sin: zero, cos: zero }
    }

    #[inline(always)]
    unsafe fn slopes<S: Simd>(
        &self,
        s: S,
        x: Rows,
        i: usize,
        axis: usize,
        _: &Factors<S::V>,
        along: &mut [S::V; 2],
    ) -> Slopes<S::V> {
        let j = axis.min(MAX_AXES - 1);
        let is_last = axis + 1 == self.axes;
        // SAFETY: the caller's promise.
        let u = unsafe {
            let last = self.last(s, x, i);
            if is_last { last } else { self.relative(s, x, i, j, last) }
        };
        let q1 = s.mul(u, s.splat(-self.inverse_square[j]));
        let theta1 = s.mul_add(u, s.splat(2.0 * self.beta[j]), s.splat(self.k[j]));
        let zeros = Slopes::splat(s.splat(0.0));
        if is_last {
            let (q2, theta2) = (s.splat(self.last[0]), s.splat(self.last[1]));
            return Slopes { q1: s.add(q1, along[0]), theta1: s.add(theta1, along[1]), q2, theta2, ..zeros };
        }
        let v = s.splat(self.v[j]);
        *along = [s.neg_mul_add(v, q1, along[0]), s.neg_mul_add(v, theta1, along[1])];
        let (q2, theta2) = (s.splat(-self.inverse_square[j]), s.splat(2.0 * self.beta[j]));
        Slopes { q1, theta1, q2, theta2, ..zeros }
    }

    #[inline(always)]
    unsafe fn accumulate<S: Simd, const ORDER: usize>(
        &self,
        s: S,
        x: Rows,
        i: usize,
        _: &Factors<S::V>,
        whole: &Adjoints<S::V>,
        bars: &[Slopes<S::V>; MAX_AXES],
        sums: Sums,
    ) {
        let axes = self.axes.clamp(1, MAX_AXES);
        let end = &bars[axes - 1];
        let two = s.splat(2.0);
        let velocities = 3 * axes + 1 + if self.chirp { axes } else { 0 };
        // SAFETY: the caller's promise.
        unsafe {
            let last = self.last(s, x, i);
            sums.add(s, 3 * axes, whole.theta);
            for (j, bar) in bars.iter().enumerate().take(axes) {
                let is_last = j + 1 == axes;
                let u = if is_last { last } else { self.relative(s, x, i, j, last) };
                let (inverse, beta, v) =
                    (s.splat(self.inverse_square[j]), s.splat(self.beta[j]), s.splat(self.v[j]));
                let theta1 = s.mul_add(u, s.add(beta, beta), s.splat(self.k[j]));
                let (q, theta) = (s.mul(whole.q, u), s.mul(whole.theta, u));
                let mut centre = s.neg_mul_add(inverse, q, s.mul(theta1, whole.theta));
                if ORDER == 0 {
                    sums.mul_add(s, axes + j, q, u);
                    sums.add(s, 2 * axes + j, theta);
                    if self.chirp {
                        sums.mul_add(s, 3 * axes + 1 + j, theta, u);
                    }
                    if self.moving && !is_last {
                        sums.mul_add(s, velocities + j, centre, s.neg(last));
                    }
                    sums.add(s, j, centre);
                    continue;
                }
                // What reaches u's own slopes: directly, and for all but the last axis through that axis.
                let mut own = *bar;
                if self.moving && !is_last {
                    let square = s.mul(v, v);
                    own.q1 = s.neg_mul_add(v, end.q1, own.q1);
                    own.theta1 = s.neg_mul_add(v, end.theta1, own.theta1);
                    own.q2 = s.mul_add(square, end.q2, own.q2);
                    own.theta2 = s.mul_add(square, end.theta2, own.theta2);
                }
                let twice_beta = s.add(beta, beta);
                centre = s.mul_add(twice_beta, own.theta1, s.neg_mul_add(inverse, own.q1, centre));
                sums.add(s, j, centre);
                let width = s.mul(two, s.mul_add(u, own.q1, own.q2));
                sums.add(s, axes + j, s.mul_add(q, u, width));
                sums.add(s, 2 * axes + j, s.add(theta, own.theta1));
                if self.chirp {
                    let slope = s.mul(two, s.mul_add(u, own.theta1, own.theta2));
                    sums.add(s, 3 * axes + 1 + j, s.mul_add(theta, u, slope));
                }
                if self.moving && !is_last {
                    let turn = s.mul_add(s.mul(inverse, u), end.q1, s.mul(s.neg(theta1), end.theta1));
                    let bend = s.neg_mul_add(inverse, end.q2, s.mul(twice_beta, end.theta2));
                    let speed = s.mul_add(s.mul(two, v), bend, turn);
                    sums.add(s, velocities + j, s.neg_mul_add(last, centre, speed));
                }
            }
        }
    }

    #[inline(always)]
    fn finish(&self, sums: &mut [f32]) {
        let axes = self.axes;
        // The last axis's centre also holds what the others' positions are relative to.
        let shift: f32 = (0..axes - 1).map(|j| self.v[j] * sums[j]).sum();
        for sum in &mut sums[..axes] {
            *sum = -*sum;
        }
        sums[axes - 1] += shift;
        for (sum, inverse) in sums[axes..2 * axes].iter_mut().zip(&self.inverse_square) {
            *sum *= inverse;
        }
    }
}
