//! Derivatives of a product of an envelope, a carrier and a modulation, and their reverse.
//!
//! A wave is X = exp(q) C(theta) S(mu), where C and S are sines or cosines. With T = dX/dtheta, M = dX/dmu
//! and B = d2X/dtheta dmu, and as C'' = -C and S'' = -S, everything is a sum of these four: the derivative by
//! theta takes X to T, T to -X, M to B and B to -M, the one by mu takes X to M, M to -X, T to B and B to -T,
//! and the one by q changes nothing. Along an axis on which q, theta and mu have first and second derivatives
//! q1, q2 and so on,
//!
//! X'  = q1 X + theta1 T + mu1 M
//! X'' = (q2 + q1^2 - theta1^2 - mu1^2) X + (theta2 + 2 q1 theta1) T + (mu2 + 2 q1 mu1) M + 2 theta1 mu1 B.

use crate::simd::Simd;

/// The four numbers, and the sine and cosine within the modulation.
#[derive(Clone, Copy)]
pub(super) struct Factors<V> {
    pub x: V,
    pub t: V,
    pub m: V,
    pub b: V,
    pub sin: V,
    pub cos: V,
}

/// Derivatives of q, theta and mu along an axis; or the adjoints of these.
#[derive(Clone, Copy)]
pub(super) struct Slopes<V> {
    pub q1: V,
    pub q2: V,
    pub theta1: V,
    pub theta2: V,
    pub mu1: V,
    pub mu2: V,
}

/// Adjoints of q, theta and mu themselves.
#[derive(Clone, Copy)]
pub(super) struct Adjoints<V> {
    pub q: V,
    pub theta: V,
    pub mu: V,
}

/// What multiplies X, T, M and B in a sum of X, its derivatives, and factors given for each.
#[derive(Clone, Copy)]
pub(super) struct Coefficients<V> {
    pub x: V,
    pub t: V,
    pub m: V,
    pub b: V,
}

impl<V: Copy> Slopes<V> {
    /// The same number everywhere.
    #[inline(always)]
    pub fn splat(v: V) -> Slopes<V> {
        Slopes { q1: v, q2: v, theta1: v, theta2: v, mu1: v, mu2: v }
    }

    /// What multiplies X in X''.
    #[inline(always)]
    fn square<S: Simd<V = V>>(&self, s: S, modulated: bool) -> V {
        let sum = s.mul_add(self.q1, self.q1, self.q2);
        let sum = s.neg_mul_add(self.theta1, self.theta1, sum);
        if modulated { s.neg_mul_add(self.mu1, self.mu1, sum) } else { sum }
    }

    /// X'
    #[inline(always)]
    pub fn first<S: Simd<V = V>>(&self, s: S, f: &Factors<V>, modulated: bool) -> V {
        let sum = s.mul_add(self.q1, f.x, s.mul(self.theta1, f.t));
        if modulated { s.mul_add(self.mu1, f.m, sum) } else { sum }
    }

    /// X''
    #[inline(always)]
    pub fn second<S: Simd<V = V>>(&self, s: S, f: &Factors<V>, modulated: bool) -> V {
        let q = s.add(self.q1, self.q1);
        let t = s.mul_add(q, self.theta1, self.theta2);
        let sum = s.mul_add(self.square(s, modulated), f.x, s.mul(t, f.t));
        if !modulated {
            return sum;
        }
        let m = s.mul_add(q, self.mu1, self.mu2);
        let b = s.mul(s.add(self.theta1, self.theta1), self.mu1);
        s.mul_add(m, f.m, s.mul_add(b, f.b, sum))
    }

    /// Adjoints of these slopes, where `first` and `second` are those of X' and X'', if there is an X''.
    #[inline(always)]
    pub fn reverse<S: Simd<V = V>>(
        &self,
        s: S,
        f: &Factors<V>,
        first: V,
        second: Option<V>,
        modulated: bool,
    ) -> Slopes<V> {
        let zero = s.splat(0.0);
        let mut q1 = s.mul(first, f.x);
        let mut theta1 = s.mul(first, f.t);
        let mut mu1 = if modulated { s.mul(first, f.m) } else { zero };
        let Some(second) = second else { return Slopes { q1, theta1, mu1, ..Slopes::splat(zero) } };
        let twice = s.add(second, second);
        q1 = s.mul_add(twice, self.first(s, f, modulated), q1);
        let mut by_theta = s.neg_mul_add(self.theta1, f.x, s.mul(self.q1, f.t));
        let mut mu2 = zero;
        if modulated {
            by_theta = s.mul_add(self.mu1, f.b, by_theta);
            let by_mu = s.neg_mul_add(self.mu1, f.x, s.mul(self.q1, f.m));
            mu1 = s.mul_add(twice, s.mul_add(self.theta1, f.b, by_mu), mu1);
            mu2 = s.mul(second, f.m);
        }
        theta1 = s.mul_add(twice, by_theta, theta1);
        Slopes { q1, theta1, mu1, q2: s.mul(second, f.x), theta2: s.mul(second, f.t), mu2 }
    }
}

impl<V: Copy> Coefficients<V> {
    /// Adds `first` X' + `second` X''.
    #[inline(always)]
    pub fn add<S: Simd<V = V>>(
        &mut self,
        s: S,
        slopes: &Slopes<V>,
        first: V,
        second: Option<V>,
        modulated: bool,
    ) {
        self.x = s.mul_add(first, slopes.q1, self.x);
        self.t = s.mul_add(first, slopes.theta1, self.t);
        if modulated {
            self.m = s.mul_add(first, slopes.mu1, self.m);
        }
        let Some(second) = second else { return };
        let q = s.add(slopes.q1, slopes.q1);
        self.x = s.mul_add(second, slopes.square(s, modulated), self.x);
        self.t = s.mul_add(second, s.mul_add(q, slopes.theta1, slopes.theta2), self.t);
        if modulated {
            self.m = s.mul_add(second, s.mul_add(q, slopes.mu1, slopes.mu2), self.m);
            let b = s.mul(s.add(slopes.theta1, slopes.theta1), slopes.mu1);
            self.b = s.mul_add(second, b, self.b);
        }
    }

    /// Derivatives of the sum by q, theta and mu.
    #[inline(always)]
    pub fn reverse<S: Simd<V = V>>(&self, s: S, f: &Factors<V>, modulated: bool) -> Adjoints<V> {
        let mut q = s.mul_add(self.x, f.x, s.mul(self.t, f.t));
        let mut theta = s.neg_mul_add(self.t, f.x, s.mul(self.x, f.t));
        let mut mu = s.splat(0.0);
        if modulated {
            q = s.mul_add(self.m, f.m, s.mul_add(self.b, f.b, q));
            theta = s.neg_mul_add(self.b, f.m, s.mul_add(self.m, f.b, theta));
            mu = s.neg_mul_add(self.m, f.x, s.mul(self.x, f.m));
            mu = s.neg_mul_add(self.b, f.t, s.mul_add(self.t, f.b, mu));
        }
        Adjoints { q, theta, mu }
    }
}
