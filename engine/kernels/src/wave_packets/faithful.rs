//! A cos(k x - omega t) exp(-|x - v t|^2 / (2 sigma^2)) sin(phi + epsilon cos(lambda x)).

use super::jets::{Adjoints, Factors, Slopes};
use super::wave::{Column, Rows, Sums, Wave, envelope};
use super::{MAX_AXES, WavePackets};
use crate::math::sin_cos;
use crate::simd::Simd;

/// One wave's numbers.
#[derive(Clone, Copy)]
pub(super) struct Faithful {
    space: usize,
    amplitude: f32,
    k: [f32; MAX_AXES],
    omega: f32,
    v: [f32; MAX_AXES],
    /// 1 / sigma^2
    inverse_square: f32,
    phi: f32,
    epsilon: f32,
    lambda: [f32; MAX_AXES],
    /// |v|^2
    speed_square: f32,
}

impl Wave for Faithful {
    const MODULATED: bool = true;

    #[inline(always)]
    fn gather(shape: &WavePackets, column: Column) -> Faithful {
        let space = shape.form.axes() - 1;
        let v = column.rows(space + 2, space);
        Faithful {
            space,
            amplitude: column.row(0),
            k: column.rows(1, space),
            omega: column.row(space + 1),
            v,
            inverse_square: column.inverse_square(0),
            phi: column.row(2 * space + 3),
            epsilon: column.row(2 * space + 4),
            lambda: column.rows(2 * space + 5, space),
            speed_square: v.iter().map(|v| v * v).sum(),
        }
    }

    #[inline(always)]
    fn amplitude(&self) -> f32 {
        self.amplitude
    }

    #[inline(always)]
    unsafe fn inner<S: Simd>(&self, s: S, x: Rows, i: usize) -> (S::V, S::V) {
        let mut inner = s.splat(0.0);
        for j in 0..self.space.min(MAX_AXES) {
            // SAFETY: the caller's promise.
            inner = s.mul_add(unsafe { x.load(s, j, i) }, s.splat(self.lambda[j]), inner);
        }
        sin_cos(s, inner)
    }

    #[inline(always)]
    unsafe fn factors<S: Simd>(&self, s: S, x: Rows, i: usize, (sin, cos): (S::V, S::V)) -> Factors<S::V> {
        // SAFETY: the caller's promise.
        unsafe {
            let space = self.space.min(MAX_AXES);
            let time = x.load(s, space, i);
            let mut theta = s.mul(time, s.splat(-self.omega));
            let mut squares = s.splat(0.0);
            for j in 0..space {
                let x = x.load(s, j, i);
                theta = s.mul_add(x, s.splat(self.k[j]), theta);
                let d = s.neg_mul_add(time, s.splat(self.v[j]), x);
                squares = s.mul_add(d, d, squares);
            }
            let (sin_theta, cos_theta) = sin_cos(s, theta);
            let envelope = envelope(s, squares, self.inverse_square);
            let (sin_mu, cos_mu) = sin_cos(s, s.mul_add(cos, s.splat(self.epsilon), s.splat(self.phi)));
            let (even, odd) = (s.mul(envelope, cos_theta), s.mul(envelope, s.neg(sin_theta)));
            Factors {
                x: s.mul(even, sin_mu),
                t: s.mul(odd, sin_mu),
                m: s.mul(even, cos_mu),
                b: s.mul(odd, cos_mu),
                sin,
                cos,
            }
        }
    }

    #[inline(always)]
    unsafe fn keep<S: Simd, const ORDER: usize>(s: S, f: &Factors<S::V>, kept: Rows, i: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            kept.store(s, 2, i, f.x);
            kept.store(s, 3, i, f.t);
            kept.store(s, 4, i, f.m);
            if ORDER > 0 {
                kept.store(s, 5, i, f.b);
            }
        }
    }

    #[inline(always)]
    unsafe fn kept<S: Simd, const ORDER: usize>(s: S, kept: Rows, i: usize) -> Factors<S::V> {
        // SAFETY: the caller's promise.
        unsafe {
            Factors {
                sin: kept.load(s, 0, i),
                cos: kept.load(s, 1, i),
                x: kept.load(s, 2, i),
                t: kept.load(s, 3, i),
                m: kept.load(s, 4, i),
                b: if ORDER > 0 { kept.load(s, 5, i) } else { s.splat(0.0) },
            }
        }
    }

    #[inline(always)]
    unsafe fn slopes<S: Simd>(
        &self,
        s: S,
        x: Rows,
        i: usize,
        axis: usize,
        f: &Factors<S::V>,
        along: &mut [S::V; 2],
    ) -> Slopes<S::V> {
        let zero = s.splat(0.0);
        let j = axis.min(MAX_AXES - 1);
        if axis == self.space {
            let q2 = s.splat(-self.inverse_square * self.speed_square);
            return Slopes { q1: along[0], q2, theta1: s.splat(-self.omega), ..Slopes::splat(zero) };
        }
        // SAFETY: the caller's promise.
        let (x, time) = unsafe { (x.load(s, j, i), x.load(s, self.space, i)) };
        let d = s.neg_mul_add(time, s.splat(self.v[j]), x);
        let q1 = s.mul(d, s.splat(-self.inverse_square));
        along[0] = s.neg_mul_add(q1, s.splat(self.v[j]), along[0]);
        let factor = -self.epsilon * self.lambda[j];
        Slopes {
            q1,
            q2: s.splat(-self.inverse_square),
            theta1: s.splat(self.k[j]),
            theta2: zero,
            mu1: s.mul(f.sin, s.splat(factor)),
            mu2: s.mul(f.cos, s.splat(factor * self.lambda[j])),
        }
    }

    #[inline(always)]
    unsafe fn accumulate<S: Simd, const ORDER: usize>(
        &self,
        s: S,
        x: Rows,
        i: usize,
        f: &Factors<S::V>,
        whole: &Adjoints<S::V>,
        bars: &[Slopes<S::V>; MAX_AXES],
        sums: Sums,
    ) {
        let space = self.space.min(MAX_AXES - 1);
        let last = &bars[space];
        let two = s.splat(2.0);
        // SAFETY: the caller's promise.
        unsafe {
            let time = x.load(s, space, i);
            // Adjoint of lambda x over -epsilon, and of epsilon.
            let mut inner = s.mul(whole.mu, f.sin);
            let mut epsilon = s.mul(whole.mu, f.cos);
            if ORDER > 0 {
                let (mut first, mut second) = (s.splat(0.0), s.splat(0.0));
                for (bar, lambda) in bars.iter().zip(&self.lambda).take(space) {
                    first = s.mul_add(bar.mu1, s.splat(*lambda), first);
                    second = s.mul_add(bar.mu2, s.splat(lambda * lambda), second);
                }
                inner = s.mul_add(f.cos, first, s.neg_mul_add(f.sin, second, inner));
                epsilon = s.neg_mul_add(f.sin, first, s.neg_mul_add(f.cos, second, epsilon));
            }
            sums.add(s, 2 * space + 3, whole.mu);
            sums.add(s, 2 * space + 4, epsilon);

            let envelope_by_time = s.mul(whole.q, time);
            let (mut squares, mut width) = (s.splat(0.0), s.splat(0.0));
            for (j, bar) in bars.iter().enumerate().take(space) {
                let v = s.splat(self.v[j]);
                let x = x.load(s, j, i);
                let d = s.neg_mul_add(time, v, x);
                squares = s.mul_add(d, d, squares);
                if ORDER == 0 {
                    sums.mul_add(s, 1 + j, whole.theta, x);
                    sums.mul_add(s, space + 2 + j, envelope_by_time, d);
                    sums.mul_add(s, 2 * space + 5 + j, inner, x);
                    continue;
                }
                sums.add(s, 1 + j, s.mul_add(whole.theta, x, bar.theta1));
                let q1 = s.neg_mul_add(v, last.q1, bar.q1);
                let speed = s.mul_add(time, q1, s.mul(d, s.add(envelope_by_time, last.q1)));
                sums.add(s, space + 2 + j, s.neg_mul_add(s.mul(two, v), last.q2, speed));
                width = s.add(s.mul_add(d, q1, width), bar.q2);
                let slope = s.mul(f.cos, s.mul(bar.mu2, s.splat(2.0 * self.lambda[j])));
                let lambda = s.mul_add(inner, x, s.mul_add(f.sin, bar.mu1, slope));
                sums.add(s, 2 * space + 5 + j, lambda);
            }
            if ORDER == 0 {
                sums.mul_add(s, space + 1, whole.theta, time);
                sums.mul_add(s, 2 * space + 2, whole.q, squares);
            } else {
                sums.add(s, space + 1, s.mul_add(whole.theta, time, last.theta1));
                width = s.mul_add(s.splat(self.speed_square), last.q2, width);
                sums.add(s, 2 * space + 2, s.mul_add(two, width, s.mul(whole.q, squares)));
            }
        }
    }

    #[inline(always)]
    fn finish(&self, sums: &mut [f32]) {
        let space = self.space;
        sums[space + 1] = -sums[space + 1];
        for sum in &mut sums[space + 2..2 * space + 3] {
            *sum *= self.inverse_square;
        }
        for sum in &mut sums[2 * space + 5..3 * space + 5] {
            *sum *= -self.epsilon;
        }
        for sum in &mut sums[1..3 * space + 5] {
            *sum *= self.amplitude;
        }
    }
}
