//! A chirp with a glitch in its middle.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Axis, Formula, fill_by};

/// y = sin(x²/2) e^(-x²/10) for x in -10 .. 10, and sin(20x)/2 on top of it in the twentieth of the points
/// that follows the middle: of 1,000 points, on those numbered 500 to 549.
///
/// With one time this has the single axis x. With more, from 0 to 1, there is an axis t as well, the chirp
/// moves along x by [`GlitchyChirp::SPEED`] and the glitch stays where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlitchyChirp {
    /// Points along x.
    pub size: usize,
    /// Points in time.
    pub times: usize,
}

impl GlitchyChirp {
    /// How far the chirp moves along x in a unit of time.
    pub const SPEED: f64 = 2.0;

    /// The points of the glitch, by number along x.
    fn glitch(&self) -> Range<usize> {
        self.size / 2..self.size / 2 + self.size / 20
    }
}

impl Default for GlitchyChirp {
    fn default() -> Self {
        GlitchyChirp { size: 1000, times: 1 }
    }
}

impl Formula for GlitchyChirp {
    fn axes(&self) -> Vec<Axis> {
        let x = Axis::new("x", (-10.0, 10.0), self.size);
        if self.times == 1 { vec![x] } else { vec![x, Axis::times(self.times)] }
    }

    fn fill(&self, points: &[f32], values: &mut [f32]) {
        let chirp = |x: f64| (0.5 * x * x).sin() * (-0.1 * x * x).exp();
        if self.times == 1 {
            fill_by(points, values, |[x]| chirp(x));
        } else {
            fill_by(points, values, |[x, t]| chirp(x - GlitchyChirp::SPEED * t));
        }
        let axes = points.len() / values.len();
        if let Some(glitch) = self.window() {
            for number in glitch {
                values[number] += (0.5 * (20.0 * f64::from(points[number * axes])).sin()) as f32;
            }
        }
    }

    fn window(&self) -> Option<Range<usize>> {
        let Range { start, end } = self.glitch();
        (start < end).then(|| start * self.times..end * self.times)
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.size
    }

    fn times_mut(&mut self) -> Option<&mut usize> {
        Some(&mut self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Generator;

    /// The energy that is published of this signal: predicting zero has a mean square of 0.0709, predicting
    /// the mean one of 0.0646, and of all energy 8.7 % is the glitch's.
    #[test]
    fn its_energy_is_the_published_one() {
        let signal = Generator::GlitchyChirp(GlitchyChirp::default()).signal().unwrap();
        let mean = |values: &[f32], of: &dyn Fn(f64) -> f64| {
            values.iter().map(|y| of(f64::from(*y))).sum::<f64>() / 1000.0
        };
        let square = mean(signal.values(), &|y| y * y);
        let variance = square - mean(signal.values(), &|y| y).powi(2);
        assert!((square - 0.0709).abs() < 5e-5 && (variance - 0.0646).abs() < 5e-5, "{square}, {variance}");
        let glitch: f64 = signal
            .origin
            .window
            .clone()
            .unwrap()
            .map(|n| f64::from(signal.point(n)[0]))
            .map(|x| (0.5 * (20.0 * x).sin()).powi(2))
            .sum();
        assert!((glitch / 1000.0 / square - 0.087).abs() < 5e-4, "{}", glitch / 1000.0 / square);
        assert_eq!((signal.point(0), signal.point(999)), (&[-10.0][..], &[10.0][..]));
    }

    #[test]
    fn the_glitch_stays_while_the_chirp_moves() {
        let at = |times| Generator::GlitchyChirp(GlitchyChirp { size: 401, times }).signal().unwrap();
        let (still, moving) = (at(1), at(2));
        assert_eq!(moving.origin.window, Some(400..440));
        for x in 0..401 {
            assert_eq!(moving.value(2 * x), still.value(x), "at time 0");
            // 40 points are the distance of 2 that it has moved by time 1.
            let apart = [200..220, 240..260].iter().any(|glitch: &Range<usize>| glitch.contains(&x));
            if x >= 40 && !apart {
                let (now, before) = (moving.value(2 * x + 1)[0], still.value(x - 40)[0]);
                assert!((now - before).abs() < 1e-4, "{x}: {now}, {before}");
            }
        }
    }
}
