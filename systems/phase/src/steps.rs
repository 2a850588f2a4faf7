//! From slopes to whole steps of indices.

use bessemer_kernels::optimizer::{Adam, adamw};

/// A float for each index that gathers what the slopes ask for, and hands it on in whole steps.
pub(crate) struct Steps {
    gathered: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    taken: u64,
}

impl Steps {
    pub fn new(indices: usize) -> Steps {
        let zeros = || vec![0.0; indices];
        Steps { gathered: zeros(), first: zeros(), second: zeros(), taken: 0 }
    }

    /// What it carries: what has gathered, Adam's two means, and the steps taken.
    pub fn memory(&mut self) -> ([&mut Vec<f32>; 3], &mut u64) {
        ([&mut self.gathered, &mut self.first, &mut self.second], &mut self.taken)
    }

    /// One step of Adam from `slopes`, `[nodes, 2, D]`, of phases and magnitudes, `[nodes, D]` each, that turn on
    /// `circles`. An index moves once more than the `threshold` has gathered: by one or, if it may by `several`,
    /// by as many as have.
    pub fn step(
        &mut self,
        (rule, threshold, several): (Adam, f32, bool),
        slopes: &[f32],
        indices: [&mut Vec<i16>; 2],
        circles: [i64; 2],
        d: usize,
    ) {
        self.taken += 1;
        adamw(rule, self.taken, 1.0, &mut self.gathered, slopes, &mut self.first, &mut self.second);
        for (place, gathered) in self.gathered.iter_mut().enumerate() {
            let times = (*gathered / threshold).trunc();
            let times = if several { times } else { times.clamp(-1.0, 1.0) };
            if times != 0.0 {
                *gathered -= times * threshold;
                let (kind, at) = (place / d % 2, place / (2 * d) * d + place % d);
                let index = &mut indices[kind][at];
                *index = (i64::from(*index) + times as i64).rem_euclid(circles[kind]) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With Adam's first step, of exactly the rate against the sign of the slope, then steps of zero slope.
    #[test]
    fn what_has_gathered_moves_indices_around_their_circles() {
        let rule = Adam { learning_rate: 2.5, beta1: 0.0, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
        for (several, expected) in [(true, [[6, 2], [1, 30]]), (false, [[7, 1], [0, 31]])] {
            let mut steps = Steps::new(4);
            let (mut phase, mut magnitude) = (vec![0, 0], vec![31, 0]);
            // One node of two dimensions; circles of 8 and 32.
            let slopes = [3.0, -1.0, -0.1, 7.0];
            steps.step((rule, 1.0, several), &slopes, [&mut phase, &mut magnitude], [8, 32], 2);
            assert_eq!([phase.clone(), magnitude.clone()], expected);
            // What did not make a whole step is kept: half an index, or one and a half.
            assert!(steps.gathered.iter().all(|g| (g.abs() - if several { 0.5 } else { 1.5 }).abs() < 1e-5));
        }
    }
}
