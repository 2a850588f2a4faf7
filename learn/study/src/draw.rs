//! Random numbers by place: functions of a seed, a number and a position, never of what was drawn before.

use bessemer_kernels::random::{Stream, uniform_at};

/// What numbers are drawn for; other uses of a seed, such as dropout, have small numbers.
const SITE_SHUFFLE: u32 = 0x5348_5546;
const SITE_TRIAL: u32 = 0x5452_4941;

/// A uniform number in 0 .. 1, a multiple of 2^-48.
fn uniform(seed: u64, step: u64, site: u32, position: u64) -> f64 {
    let stream = Stream { seed, step, site };
    let [high, low] = [0, 1].map(|half| f64::from(uniform_at(stream, 2 * position + half)));
    high + low / f64::from(1 << 24)
}

/// A uniform number in 0 .. 1 for one dimension of a trial.
pub fn of_trial(seed: u64, trial: u64, dimension: usize) -> f64 {
    uniform(seed, trial, SITE_TRIAL, dimension as u64)
}

/// The numbers `0..len` in an order that is a function of the length and the seed.
pub fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> =
        (0..len).map(|item| (uniform(seed, 0, SITE_SHUFFLE, item as u64), item)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_holds_every_item_and_depends_on_the_seed() {
        let mut order = shuffled(1000, 3);
        assert_eq!(order, shuffled(1000, 3));
        assert_ne!(order, shuffled(1000, 4));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1000));
    }

    /// The mean of 10,000 uniform numbers lies within four of its standard deviations of one half.
    #[test]
    fn draws_are_spread_evenly() {
        for dimension in 0..3 {
            let mean = (0..10_000).map(|trial| of_trial(7, trial, dimension)).sum::<f64>() / 1e4;
            assert!((mean - 0.5).abs() < 4.0 * (1.0f64 / 12.0 / 1e4).sqrt(), "{mean}");
        }
        assert_ne!(of_trial(7, 0, 0), of_trial(7, 0, 1));
        assert_ne!(of_trial(7, 0, 0), of_trial(8, 0, 0));
    }
}
