//! What a wave is, in f64, with derivatives by the rules of power series.

use super::Form;

/// a + b h + c h² + e (a' + b' h + c' h²), where h³ and e² are 0: h is a step along an axis, e one of a row.
#[derive(Clone, Copy)]
struct Series([[f64; 3]; 2]);

impl Series {
    fn constant(a: f64) -> Series {
        Series([[a, 0.0, 0.0], [0.0; 3]])
    }

    fn add(mut self, other: Series) -> Series {
        for (a, b) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *a += b;
        }
        self
    }

    fn scale(mut self, factor: f64) -> Series {
        self.0.iter_mut().flatten().for_each(|a| *a *= factor);
        self
    }

    fn sub(self, other: Series) -> Series {
        self.add(other.scale(-1.0))
    }

    fn mul(self, other: Series) -> Series {
        let mut product = [[0.0; 3]; 2];
        for (e, h) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            for (with_e, with_h) in (0..=e).flat_map(|e| (0..=h).map(move |h| (e, h))) {
                product[e][h] += self.0[with_e][with_h] * other.0[e - with_e][h - with_h];
            }
        }
        Series(product)
    }

    /// A function of it, from the function's value and first three derivatives: Taylor's series, which ends
    /// there, as nothing is of a higher degree than h² e.
    fn map(self, derivatives: [f64; 4]) -> Series {
        let [value, first, second, third] = derivatives;
        let step = self.sub(Series::constant(self.0[0][0]));
        let square = step.mul(step);
        let sum = Series::constant(value).add(step.scale(first)).add(square.scale(second / 2.0));
        sum.add(square.mul(step).scale(third / 6.0))
    }

    fn sin(self) -> Series {
        let (sin, cos) = self.0[0][0].sin_cos();
        self.map([sin, cos, -sin, -cos])
    }

    fn cos(self) -> Series {
        let (sin, cos) = self.0[0][0].sin_cos();
        self.map([cos, -sin, -cos, sin])
    }

    fn exp(self) -> Series {
        self.map([self.0[0][0].exp(); 4])
    }

    fn square(self) -> Series {
        self.mul(self)
    }
}

fn sum(terms: impl Iterator<Item = Series>) -> Series {
    terms.fold(Series::constant(0.0), Series::add)
}

fn dot(a: &[Series], b: &[Series]) -> Series {
    sum(a.iter().zip(b).map(|(a, b)| a.mul(*b)))
}

/// The wave at x, from its rows.
fn psi(form: Form, rows: &[Series], x: &[Series]) -> Series {
    let mut rest = rows;
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at(count);
        rest = after;
        taken
    };
    match form {
        Form::Faithful { space } => {
            let (x, t) = (&x[..space], x[space]);
            let (amplitude, k, omega, v) = (take(1)[0], take(space), take(1)[0], take(space));
            let sigma = take(1)[0].exp();
            let (phi, epsilon, lambda) = (take(1)[0], take(1)[0], take(space));
            let square = sum(x.iter().zip(v).map(|(x, v)| x.sub(v.mul(t)).square()));
            let inverse = sigma.square().map(reciprocal(sigma.square().0[0][0]));
            let envelope = square.mul(inverse).scale(-0.5).exp();
            let modulation = phi.add(epsilon.mul(dot(lambda, x).cos())).sin();
            amplitude.mul(dot(k, x).sub(omega.mul(t)).cos()).mul(envelope).mul(modulation)
        }
        Form::Packet { axes, chirp, moving } => {
            let (centre, log_width, k, phase) = (take(axes), take(axes), take(axes), take(1)[0]);
            let beta = take(if chirp { axes } else { 0 });
            let v = take(if moving { axes - 1 } else { 0 });
            let mut u: Vec<Series> = x.iter().zip(centre).map(|(x, c)| x.sub(*c)).collect();
            let last = u[axes - 1];
            for (u, v) in u.iter_mut().zip(v) {
                *u = u.sub(v.mul(last));
            }
            let squares: Vec<Series> = u.iter().map(|u| u.square()).collect();
            let inverse: Vec<Series> = log_width.iter().map(|width| width.scale(-2.0).exp()).collect();
            let phase = phase.add(dot(k, &u)).add(dot(beta, &squares));
            phase.cos().mul(dot(&inverse, &squares).scale(-0.5).exp())
        }
    }
}

/// 1/x and its derivatives.
fn reciprocal(x: f64) -> [f64; 4] {
    [1.0 / x, -1.0 / x.powi(2), 2.0 / x.powi(3), -6.0 / x.powi(4)]
}

/// The wave at x, its first derivatives by the axes, and its second, as many as `order` says; or the
/// derivatives of all of these by a row.
pub(super) fn jet(form: Form, order: usize, rows: &[f64], by: Option<usize>, x: &[f64]) -> Vec<f64> {
    let mut rows: Vec<Series> = rows.iter().map(|row| Series::constant(*row)).collect();
    if let Some(row) = by {
        rows[row].0[1][0] = 1.0;
    }
    let part = usize::from(by.is_some());
    let mut x: Vec<Series> = x.iter().map(|x| Series::constant(*x)).collect();
    let mut jet = vec![psi(form, &rows, &x).0[part][0]];
    let mut second = Vec::new();
    for axis in 0..if order > 0 { x.len() } else { 0 } {
        x[axis].0[0][1] = 1.0;
        let along = psi(form, &rows, &x).0[part];
        x[axis].0[0][1] = 0.0;
        jet.push(along[1]);
        second.push(2.0 * along[2]);
    }
    if order > 1 {
        jet.extend(second);
    }
    jet
}
