//! How well a model has a signal.

use std::fmt;

use crate::signal::{Merged, Signal};
use crate::split::Split;

/// Sums of errors, in double precision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    count: u64,
    absolute: f64,
    squared: f64,
}

impl Errors {
    pub fn add(&mut self, actual: &[f32], predicted: &[f32]) {
        for (actual, predicted) in actual.iter().zip(predicted) {
            self.add_one(f64::from(*actual) - f64::from(*predicted));
        }
    }

    fn add_one(&mut self, error: f64) {
        self.count += 1;
        self.absolute += error.abs();
        self.squared += error * error;
    }

    pub fn mse(&self) -> f64 {
        self.squared / self.count as f64
    }

    pub fn mae(&self) -> f64 {
        self.absolute / self.count as f64
    }
}

/// Which points a score is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those that were trained on.
    Training,
    /// Those that chose the weights.
    Validation,
    /// Those held out between the ones trained on.
    Interleaved,
    /// Those held out at the end of an axis.
    Extrapolated,
    /// Those of the window of interest, see [`Origin::window`](crate::Origin::window), that were trained on.
    WindowTraining,
    /// Those of the window of interest that were held out.
    WindowHeldOut,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Part::Training => "training",
            Part::Validation => "validation",
            Part::Interleaved => "interleaved",
            Part::Extrapolated => "extrapolated",
            Part::WindowTraining => "window, training",
            Part::WindowHeldOut => "window, held out",
        })
    }
}

/// Errors of a model on some points, and of predicting the mean of the training values beside them. All are of
/// all channels, in the unit of the signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Which points.
    pub part: Part,
    /// How many.
    pub points: usize,
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Peak signal-to-noise ratio, 10 log10(peak² / MSE), in decibels, where the peak is [`Signal::peak`].
    /// Infinite where there is no error, `None` where all values of the signal are equal.
    pub psnr: Option<f64>,
    /// Mean squared error of predicting the mean of the training values of each channel.
    pub mean_mse: f64,
    /// Mean absolute error of that.
    pub mean_mae: f64,
}

/// The parts of a split that have points, with their points by number.
pub(crate) fn parts(signal: &Signal, split: &Split) -> Vec<(Part, Vec<usize>)> {
    let window = signal.origin.window.clone().unwrap_or(0..0);
    let inside = |parts: &[&Vec<usize>]| -> Vec<usize> {
        parts.iter().copied().flatten().copied().filter(|number| window.contains(number)).collect()
    };
    let held_out = inside(&[&split.interleaved, &split.extrapolated]);
    [
        (Part::Training, split.train.clone()),
        (Part::Validation, split.validation.clone()),
        (Part::Interleaved, split.interleaved.clone()),
        (Part::Extrapolated, split.extrapolated.clone()),
        (Part::WindowTraining, inside(&[&split.train])),
        (Part::WindowHeldOut, held_out),
    ]
    .into_iter()
    .filter(|(_, points)| !points.is_empty())
    .collect()
}

/// The mean of each channel over some points.
pub(crate) fn means(signal: &Signal, points: &[usize]) -> Vec<f64> {
    let mut sums = vec![0.0; signal.channels().len()];
    for number in points {
        sums.iter_mut().zip(signal.value(*number)).for_each(|(sum, y)| *sum += f64::from(*y));
    }
    sums.iter().map(|sum| sum / points.len() as f64).collect()
}

impl Score {
    /// Of predictions `[points, channels]` at points by number, beside the training means.
    pub(crate) fn new(
        part: Part,
        signal: &Signal,
        points: &[usize],
        predicted: &[f32],
        means: &[f64],
    ) -> Score {
        let (mut errors, mut of_mean) = (Errors::default(), Errors::default());
        for (number, predicted) in points.iter().zip(predicted.chunks_exact(means.len())) {
            let actual = signal.value(*number);
            errors.add(actual, predicted);
            actual.iter().zip(means).for_each(|(y, mean)| of_mean.add_one(f64::from(*y) - mean));
        }
        let (mse, peak) = (errors.mse(), f64::from(signal.peak()));
        let psnr = (peak > 0.0).then(|| 10.0 * (peak * peak / mse).log10());
        let (mean_mse, mean_mae) = (of_mean.mse(), of_mean.mae());
        Score { part, points: points.len(), mse, mae: errors.mae(), psnr, mean_mse, mean_mae }
    }
}

/// What a fit came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// A score of each part of the split that has points.
    pub scores: Vec<Score>,
    /// How many numbers the model has learned.
    pub parameters: usize,
    /// Bytes that these take on disk, without the description beside them.
    pub bytes: u64,
    /// Bytes that the signal takes as it is, see [`Signal::raw_bytes`].
    pub raw_bytes: u64,
    /// What else there is to know of it.
    pub notes: Vec<Note>,
}

impl Outcome {
    /// How many times smaller than the signal the model is.
    pub fn compression(&self) -> f64 {
        self.raw_bytes as f64 / self.bytes as f64
    }

    /// The score of a part, if it has points.
    pub fn score(&self, part: Part) -> Option<&Score> {
        self.scores.iter().find(|score| score.part == part)
    }
}

/// Something about a fit that its scores don't tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The model can hold every point by itself.
    MoreParametersThanPoints {
        /// Numbers that are learned.
        parameters: usize,
        /// Values that they are learned from.
        values: usize,
    },
    /// All training points have the same coordinate.
    ConstantAxis {
        /// The name of the axis.
        axis: String,
    },
    /// Numbers of all packets that training has left exactly as they began.
    Frozen {
        /// Their names.
        names: &'static str,
        /// How many packets there are.
        packets: usize,
    },
    /// Different coordinates or values of the file have become equal.
    Merged(Merged),
    /// All training values are the same.
    ConstantChannel {
        /// The name of the channel.
        channel: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::MoreParametersThanPoints { parameters, values } => write!(
                f,
                "the model has {parameters} parameters for {values} training values: it can learn them by heart"
            ),
            Note::ConstantAxis { axis } => {
                write!(f, "axis `{axis}` is constant in training: nothing can be learned of it")
            }
            Note::Frozen { names, packets } => write!(
                f,
                "{names} of all {packets} packets are as they began: where all times are 0 they have no gradient, and \
                 every packet stays around the origin"
            ),
            Note::Merged(Merged { name, before, left }) => write!(
                f,
                "`{name}`: of {before} different numbers in the file {left} are left in single precision; give times \
                 from their first, or parts by themselves"
            ),
            Note::ConstantChannel { channel } => {
                write!(f, "channel `{channel}` is constant in training: its mean has no error there")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_the_textbook_ones() {
        let mut signal =
            Signal::new(&["x"], vec![0.0, 1.0, 2.0, 3.0], &["y"], vec![1.0, 5.0, 0.0, 4.0]).unwrap();
        let score = Score::new(Part::Interleaved, &signal, &[1, 3], &[4.0, 6.0], &[3.0]);
        assert_eq!((score.points, score.mse, score.mae), (2, 2.5, 1.5));
        assert_eq!((score.mean_mse, score.mean_mae), (2.5, 1.5));
        assert!((score.psnr.unwrap() - 10.0).abs() < 1e-12, "a peak of 5, squared, is ten times 2.5");
        signal.origin.range = Some(0.5);
        let score = Score::new(Part::Interleaved, &signal, &[1, 3], &[4.0, 6.0], &[3.0]);
        assert!((score.psnr.unwrap() + 10.0).abs() < 1e-12, "of a format whose peak is 0.5");
        let constant = Signal::new(&["x"], vec![0.0, 1.0], &["y"], vec![2.0; 2]).unwrap();
        assert_eq!(Score::new(Part::Training, &constant, &[0, 1], &[2.0; 2], &[2.0]).psnr, None);
        let exact = Score::new(Part::Training, &signal, &[0], &[1.0], &[3.0]);
        assert_eq!(exact.psnr, Some(f64::INFINITY));
    }

    #[test]
    fn the_window_is_scored_apart() {
        let mut signal = Signal::new(&["x"], vec![0.0; 10], &["y"], vec![0.0; 10]).unwrap();
        signal.origin.window = Some(3..6);
        let split = Split {
            train: vec![0, 3, 4],
            validation: vec![1],
            interleaved: vec![5, 6],
            extrapolated: vec![],
        };
        let expected = [
            (Part::Training, vec![0, 3, 4]),
            (Part::Validation, vec![1]),
            (Part::Interleaved, vec![5, 6]),
            (Part::WindowTraining, vec![3, 4]),
            (Part::WindowHeldOut, vec![5]),
        ];
        assert_eq!(parts(&signal, &split), expected);
    }
}
