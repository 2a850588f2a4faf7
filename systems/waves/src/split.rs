//! Which points train, validate and are held out.

use bessemer_kernels::random::{Stream, uniform_at};
use bessemer_train::data::Permutation;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::signal::{Signal, bounds};

/// What the offset of the interleaved points is drawn for, apart from other uses of a seed.
const SITE: u32 = 0x494e_544c;

/// How points are held out. By default none are.
///
/// What is extrapolated is taken first, then what is interleaved, at random, and for validation, each of what is
/// left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitOptions {
    /// The end of an axis.
    pub extrapolated: Option<Extrapolated>,
    /// Every so-manieth point, beginning with one that depends on the seed. On a grid the numbers of a point
    /// along the axes are added up, so that these points lie on diagonals and not on stripes.
    pub interleaved: Option<usize>,
    /// A share of the points drawn at random, 0 or more and less than 1.
    pub random: f64,
    /// A share of the points, drawn at random, that chooses among the weights of a training.
    pub validation: f64,
    /// Seed of what is drawn.
    pub seed: u64,
}

/// The end of an axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extrapolated {
    /// The name of the axis.
    pub axis: String,
    /// Share of its width, above 0 and less than 1: points beyond that much of it are held out.
    pub share: f64,
}

/// Disjoint parts of a signal's points, by number, each in ascending order.
///
/// ```
/// use bessemer_waves::{Generator, Split, SplitOptions, Extrapolated};
///
/// let signal = Generator::by_name("step")?.with_size(100).signal()?;
/// let extrapolated = Some(Extrapolated { axis: "x".into(), share: 0.1 });
/// let options = SplitOptions { extrapolated, interleaved: Some(5), ..SplitOptions::default() };
/// let split = Split::new(&signal, &options)?;
/// assert_eq!((split.train.len(), split.interleaved.len()), (72, 18));
/// assert!(split.extrapolated.iter().copied().eq(90..100));
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Points that models and scales are fitted to; at least one.
    pub train: Vec<usize>,
    /// Points that choose the weights.
    pub validation: Vec<usize>,
    /// Points held out between those that train: at regular distances, or at random.
    pub interleaved: Vec<usize>,
    /// Points held out at the end of an axis.
    pub extrapolated: Vec<usize>,
}

impl Split {
    /// Every point trains.
    pub fn all(signal: &Signal) -> Split {
        let train = (0..signal.len()).collect();
        Split { train, validation: Vec::new(), interleaved: Vec::new(), extrapolated: Vec::new() }
    }

    /// Divides the points of a signal.
    ///
    /// # Errors
    /// If a share or a distance is out of bounds, the axis is not there, or no point is left to train on.
    pub fn new(signal: &Signal, options: &SplitOptions) -> Result<Split> {
        let wrong = |what, problem: String, remedy| Err(Error::Option { what, problem, remedy });
        for (what, share) in [("random", options.random), ("validation", options.validation)] {
            if !(0.0..1.0).contains(&share) {
                return wrong(what, format!("a share of {share}"), "give 0 or more, and less than 1");
            }
        }
        if let Some(every @ 0..=1) = options.interleaved {
            return wrong("interleaved", format!("holding out one point in {every}"), "give 2 or more");
        }
        let mut split = Split::all(signal);
        if let Some(Extrapolated { axis, share }) = &options.extrapolated {
            if !(*share > 0.0 && *share < 1.0) {
                let remedy = "give more than 0 and less than 1";
                return wrong("extrapolated", format!("a share of {share}"), remedy);
            }
            let names: Vec<&str> = signal.axes().iter().map(String::as_str).collect();
            let Some(axis) = names.iter().position(|name| name == axis) else {
                return Err(Error::unknown("axis", axis, &names));
            };
            let (least, most) = bounds((0..signal.len()).map(|number| &signal.point(number)[axis]));
            let border = f64::from(most) - share * (f64::from(most) - f64::from(least));
            let beyond = |number: usize| f64::from(signal.point(number)[axis]) > border;
            split.extrapolated = split.take(|_, number| beyond(number));
        }
        if let Some(every) = options.interleaved {
            let stream = Stream { seed: options.seed, step: 0, site: SITE };
            let offset = (f64::from(uniform_at(stream, 0)) * every as f64) as usize % every;
            split.interleaved =
                split.take(|_, number| diagonal(&signal.origin.grid, number) % every == offset);
        }
        let random = split.draw(options.random, options.seed, 0);
        split.interleaved.extend(random);
        split.interleaved.sort_unstable();
        split.validation = split.draw(options.validation, options.seed, 1);
        if split.train.is_empty() {
            return Err(Error::NothingToTrain { points: signal.len(), held_out: signal.len() });
        }
        if split.train.len() == 1 && !split.validation.is_empty() {
            let left = split.validation.len() + 1;
            let problem = format!("a share of {} leaves 1 of {left} points to train on", options.validation);
            return wrong("validation", problem, "give a smaller share");
        }
        Ok(split)
    }

    /// Takes points away from those that train, by their place among these and their number.
    fn take(&mut self, mut wanted: impl FnMut(usize, usize) -> bool) -> Vec<usize> {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for (place, number) in self.train.iter().enumerate() {
            if wanted(place, *number) { &mut taken } else { &mut left }.push(*number);
        }
        self.train = left;
        taken
    }

    /// Takes a share of the points that train, rounded down, at random.
    fn draw(&mut self, share: f64, seed: u64, purpose: u64) -> Vec<usize> {
        let count = (share * self.train.len() as f64) as usize;
        let order = Permutation::new(self.train.len(), seed, purpose);
        let mut chosen = vec![false; self.train.len()];
        order.iter().take(count).for_each(|place| chosen[place] = true);
        self.take(|place, _| chosen[place])
    }

    /// Refuses parts that are not of a signal of so many points, or share one.
    pub(crate) fn check(&self, points: usize) -> Result<()> {
        let parts = [&self.train, &self.validation, &self.interleaved, &self.extrapolated];
        let mut seen = vec![false; points];
        for number in parts.into_iter().flatten() {
            let remedy = "make the split from the same signal";
            match seen.get_mut(*number) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => {
                    let problem = format!("point {number} is in it twice");
                    return Err(Error::Option { what: "split", problem, remedy });
                }
                None => {
                    let problem = format!("there is no point {number} in a signal of {points}");
                    return Err(Error::Option { what: "split", problem, remedy });
                }
            }
        }
        let held_out = parts[1..].iter().map(|part| part.len()).sum();
        if self.train.is_empty() { Err(Error::NothingToTrain { points, held_out }) } else { Ok(()) }
    }
}

/// The sum of a point's numbers along the axes of a grid; of scattered points, the number itself.
fn diagonal(grid: &[usize], number: usize) -> usize {
    if grid.is_empty() {
        return number;
    }
    let (mut rest, mut sum) = (number, 0);
    for len in grid.iter().rev() {
        sum += rest % len;
        rest /= len;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Generator;

    fn signal(name: &str, size: usize) -> Signal {
        Generator::by_name(name).unwrap().with_size(size).signal().unwrap()
    }

    proptest! {
        #[test]
        fn every_point_is_in_one_part(
            size in 1usize..60, every in 2usize..9, random in 0.0..0.5f64, validation in 0.0..0.5f64,
            share in 0.01..0.9f64, seed: u64,
        ) {
            let signal = signal("step", size);
            let options = SplitOptions {
                extrapolated: Some(Extrapolated { axis: "x".into(), share }),
                interleaved: Some(every), random, validation, seed,
            };
            match Split::new(&signal, &options) {
                Ok(split) => {
                    split.check(size).unwrap();
                    let parts = [&split.train, &split.validation, &split.interleaved, &split.extrapolated];
                    prop_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), size);
                    prop_assert!(parts.iter().all(|part| part.is_sorted()));
                    let last = split.train.last().copied().unwrap_or(0);
                    prop_assert!(split.extrapolated.iter().all(|number| *number > last));
                    prop_assert_eq!(&split, &Split::new(&signal, &options).unwrap());
                }
                Err(error) => prop_assert!(matches!(error, Error::NothingToTrain { .. }), "{}", error),
            }
        }
    }

    #[test]
    fn the_offset_depends_on_the_seed() {
        let signal = signal("step", 50);
        let options = |seed| SplitOptions { interleaved: Some(10), seed, ..SplitOptions::default() };
        let first = |seed| Split::new(&signal, &options(seed)).unwrap().interleaved[0];
        let offsets: std::collections::BTreeSet<usize> = (0..100).map(first).collect();
        assert_eq!(offsets.len(), 10, "each of the first ten is chosen by one of a hundred seeds");
    }

    /// Stripes would leave some places along an axis without any point to train on.
    #[test]
    fn on_a_grid_no_place_along_an_axis_is_held_out_whole() {
        let signal = signal("field-4d", 8);
        let options = SplitOptions { interleaved: Some(4), ..SplitOptions::default() };
        let split = Split::new(&signal, &options).unwrap();
        assert_eq!(split.interleaved.len(), 512 / 4);
        for axis in 0..3 {
            let stride = 8usize.pow(2 - axis);
            let places: std::collections::BTreeSet<usize> =
                split.train.iter().map(|number| number / stride % 8).collect();
            assert_eq!(places.len(), 8);
        }
    }

    #[test]
    fn options_out_of_bounds_are_refused() {
        let signal = signal("step", 10);
        let usual = SplitOptions::default;
        let end = |axis: &str, share| Some(Extrapolated { axis: axis.into(), share });
        for (options, expected) in [
            (
                SplitOptions { interleaved: Some(1), ..usual() },
                "interleaved: holding out one point in 1; give 2 or more",
            ),
            (SplitOptions { random: 1.0, ..usual() }, "random: a share of 1; give 0 or more"),
            (SplitOptions { validation: f64::NAN, ..usual() }, "validation: a share of NaN"),
            (SplitOptions { extrapolated: end("x", 1.0), ..usual() }, "extrapolated: a share of 1"),
            (SplitOptions { extrapolated: end("X", 0.5), ..usual() }, "no axis `X` (did you mean `x`?)"),
        ] {
            let error = Split::new(&signal, &options).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let most = SplitOptions { validation: 0.9999, ..usual() };
        let error = Split::new(&signal, &most).unwrap_err().to_string();
        assert!(error.contains("validation: a share of 0.9999 leaves 1 of 10 points to train on"), "{error}");
        let wrong = Split { validation: vec![3], ..Split::all(&signal) };
        assert!(wrong.check(10).unwrap_err().to_string().contains("point 3 is in it twice"));
        assert!(
            Split::all(&signal).check(9).unwrap_err().to_string().contains("no point 9 in a signal of 9")
        );
    }

    #[test]
    fn of_a_single_point_nothing_can_be_held_out() {
        let signal = signal("step", 1);
        for seed in 0..20 {
            let options = SplitOptions { interleaved: Some(2), seed, ..SplitOptions::default() };
            match Split::new(&signal, &options) {
                Ok(split) => assert_eq!(split.train, [0]),
                Err(error) => assert!(error.to_string().contains("1 of 1 points are held out"), "{error}"),
            }
        }
    }
}
