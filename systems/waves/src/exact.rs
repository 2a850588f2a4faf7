//! Columns of numbers that may lie far from 0, such as seconds since 1970: f32 has their differences, not them.

/// Beyond this, double precision has not every whole number.
const WHOLE_MAX: u128 = 1 << 53;

/// So many times farther from 0 than from each other, numbers are had less an offset, if rounding would change them.
const FAR: f64 = 16.0;

/// The numbers of a column as they are read, whole ones exactly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exact {
    /// What all are less; a whole number that double precision has.
    base: i128,
    rest: Vec<f64>,
}

/// The numbers of a column to single precision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rounded {
    /// What the numbers are less.
    pub offset: f64,
    pub numbers: Vec<f32>,
    /// How many different numbers there were, and are now, if these are fewer.
    pub merged: Option<(usize, usize)>,
}

impl Exact {
    pub fn push(&mut self, number: f64) {
        self.rest.push(number - self.base as f64);
    }

    pub fn push_whole(&mut self, number: impl Into<i128>) {
        let number = number.into();
        if self.rest.is_empty() && number.unsigned_abs() > WHOLE_MAX {
            self.base = (number as f64) as i128;
        }
        self.rest.push((number - self.base) as f64);
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The place and value of a number that is NaN or beyond single precision, if there is one.
    pub fn not_single(&self) -> Option<(usize, f32)> {
        let place = self.rest.iter().position(|x| !(*x as f32).is_finite())?;
        Some((place, self.rest[place] as f32))
    }

    /// The numbers to single precision, less their least where they lie so far from 0 that rounding would lose what
    /// they differ by.
    pub fn rounded(self) -> Rounded {
        let Exact { base, mut rest } = self;
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let (least, most) = rest.iter().fold(ends, |(a, b), x| (a.min(*x), b.max(*x)));
        let is_exact = |x: &f64| f64::from(*x as f32) == *x;
        let is_far = least.abs().max(most.abs()) > FAR * (most - least);
        let mut offset = base as f64;
        if base == 0 && is_far && !rest.iter().all(is_exact) {
            offset = least;
            rest.iter_mut().for_each(|x| *x -= least);
        }
        let numbers: Vec<f32> = rest.iter().map(|x| *x as f32).collect();
        let mut merged = None;
        if !rest.iter().all(is_exact) {
            let left = different(&mut numbers.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
            let before = different(&mut rest);
            merged = (left < before).then_some((before, left));
        }
        Rounded { offset, numbers, merged }
    }
}

/// How many different numbers there are.
fn different(numbers: &mut [f64]) -> usize {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.chunk_by(|a, b| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rounded(numbers: &[f64]) -> Rounded {
        let mut exact = Exact::default();
        numbers.iter().for_each(|x| exact.push(*x));
        exact.rounded()
    }

    #[test]
    fn numbers_far_from_0_keep_what_they_differ_by() {
        let minutes = rounded(&[1.7e9, 1.7e9 + 60.0, 1.7e9 + 120.5]);
        assert_eq!((minutes.offset, minutes.numbers), (1.7e9, vec![0.0, 60.0, 120.5]));
        // Nothing is subtracted where nothing would be lost.
        assert_eq!(rounded(&[1000.0, 1001.0, 1002.0]).offset, 0.0);
        assert_eq!(rounded(&[0.1, 0.3, -0.7]).offset, 0.0);
        // Whole numbers that not even double precision has.
        let mut exact = Exact::default();
        (0..50).for_each(|n| exact.push_whole((1i64 << 60) + 1 + n));
        let whole = exact.rounded();
        assert_eq!((whole.offset, whole.merged), ((1i64 << 60) as f64, None));
        assert!(whole.numbers.iter().copied().eq((1..51).map(|n| n as f32)));
    }

    #[test]
    fn numbers_that_become_equal_are_counted() {
        assert_eq!(rounded(&[0.0, 1e9, 1e9 + 1.0, 1e9 + 2.0]).merged, Some((4, 2)));
        assert_eq!(rounded(&[0.1, 0.1, 0.2]).merged, None);
    }

    proptest! {
        #[test]
        fn an_offset_gives_back_the_numbers(from in -1e12..1e12f64, x in prop::collection::vec(0.0..1e4f64, 1..40)) {
            let numbers: Vec<f64> = x.iter().map(|x| from + x).collect();
            let Rounded { offset, numbers: less, .. } = rounded(&numbers);
            let width = numbers.iter().fold(0.0f64, |width, x| width.max((x - numbers[0]).abs()));
            for (x, less) in numbers.iter().zip(less) {
                // Half a unit of single precision, at most 16 widths away from 0.
                let most = (FAR + 1.0) * 2.0 * width * f64::from(f32::EPSILON) + x.abs() * f64::EPSILON;
                prop_assert!((offset + f64::from(less) - x).abs() <= most, "{x}");
            }
        }
    }
}
