//! Signals: points and what was measured there.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shorten};
use crate::exact::{Exact, Rounded};

/// The most axes of a signal.
pub const MAX_AXES: usize = 8;

/// The most channels of a signal.
pub const MAX_CHANNELS: usize = 64;

/// Coordinates and values of a signal together, at most: 1 GiB of them.
pub const MAX_NUMBERS: u64 = 1 << 28;

/// N points of D axes, and what m channels have there. All numbers are finite.
///
/// What a file has far from 0, such as seconds since 1970, is held less an offset, so that single precision has it:
/// see [`Signal::axis_offset`] and [`Signal::channel_offset`]. All others are 0.
///
/// ```
/// use bessemer_waves::Signal;
///
/// // Three points of one axis, a channel each.
/// let signal = Signal::new(&["x"], vec![0.0, 0.5, 1.0], &["y"], vec![2.0, 3.0, 5.0])?;
/// assert_eq!((signal.len(), signal.axes().len(), signal.channels().len()), (3, 1, 1));
/// assert_eq!((signal.point(1), signal.value(1)), (&[0.5][..], &[3.0][..]));
///
/// let error = Signal::new(&["x"], vec![0.0, 0.5], &["y"], vec![2.0, f32::NAN]).unwrap_err();
/// assert_eq!(error.to_string(), "point 1: `y` is NaN; correct it or leave the point out");
/// # Ok::<(), bessemer_waves::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    axes: Vec<String>,
    points: Vec<f32>,
    channels: Vec<String>,
    values: Vec<f32>,
    /// Where it comes from, and how it is best written.
    pub origin: Origin,
}

/// What is known of a signal besides its numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Origin {
    /// If the points are a full grid, the last axis running fastest, how many there are along each axis; else
    /// empty. Coordinates of a grid need not be stored to have it again.
    pub grid: Vec<usize>,
    /// Bytes of a value in the file that it was read from; 4 where it is not from a file of fixed-size values.
    pub value_bytes: Option<usize>,
    /// Samples a second, of a sound.
    pub sample_rate: Option<u32>,
    /// The largest difference that values could have, where the format sets it: 1 for images.
    pub range: Option<f32>,
    /// Points, by number, that are of interest by themselves, such as those of a glitch.
    pub window: Option<Range<usize>>,
    /// What the coordinates along each axis are less; empty where that is 0 for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub axis_offsets: Vec<f64>,
    /// Likewise the values of each channel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channel_offsets: Vec<f64>,
    /// Axes and channels of which different numbers in the file have become equal in single precision.
    #[serde(skip)]
    pub merged: Vec<Merged>,
}

/// Different numbers that have become equal in single precision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The axis or channel.
    pub name: String,
    /// Different numbers in the file.
    pub before: usize,
    /// Different numbers that are left.
    pub left: usize,
}

/// The share of its different numbers that a channel must keep to be told nothing of: of random numbers some always
/// become equal.
const KEPT: f64 = 0.9;

impl Signal {
    /// Of named axes and channels: `points` is `[N, axes]` and `values` `[N, channels]`, row by row.
    ///
    /// # Errors
    /// If there are no points, axes or channels, or more than the limits [`MAX_AXES`], [`MAX_CHANNELS`] and
    /// [`MAX_NUMBERS`]; if the lengths don't agree; if a number is infinite or NaN.
    pub fn new<S: AsRef<str>>(
        axes: &[S],
        points: Vec<f32>,
        channels: &[S],
        values: Vec<f32>,
    ) -> Result<Signal> {
        let (d, m) = (axes.len(), channels.len());
        check_size(points.len().checked_div(d).unwrap_or(0) as u64, d, m)?;
        let n = points.len() / d;
        for (what, found, width) in [("coordinates", points.len(), d), ("values", values.len(), m)] {
            if found != n * width {
                return Err(Error::Mismatch { what, found, points: n, width, expected: n * width });
            }
        }
        for (names, numbers) in [(axes, &points), (channels, &values)] {
            if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
                let name = format!("`{}`", shorten(names[place % names.len()].as_ref()));
                return Err(Error::NotFinite { point: place / names.len(), name, value: numbers[place] });
            }
        }
        let named = |names: &[S]| names.iter().map(|name| name.as_ref().to_string()).collect();
        let (axes, channels) = (named(axes), named(channels));
        Ok(Signal { axes, points, channels, values, origin: Origin::default() })
    }

    /// Of columns as they were read: on the grid of the axis `row` where there is none but those of channels.
    ///
    /// # Errors
    /// As [`Signal::new`].
    pub(crate) fn of_columns(axes: Vec<(String, Exact)>, channels: Vec<(String, Exact)>) -> Result<Signal> {
        let (along, of_channels) = (Columns::of(axes, 1.0), Columns::of(channels, KEPT));
        let mut signal = if along.names.is_empty() {
            let count = of_channels.numbers.len() / of_channels.names.len().max(1);
            check_size(count as u64, 1, of_channels.names.len())?;
            let rows = (0..count).map(|row| row as f32).collect();
            Signal::on_grid(&[("row".to_string(), rows)], &of_channels.names, |_| of_channels.numbers)?
        } else {
            Signal::new(&along.names, along.numbers, &of_channels.names, of_channels.numbers)?
        };
        signal.origin.axis_offsets = along.offsets;
        signal.origin.channel_offsets = of_channels.offsets;
        signal.origin.merged = [along.merged, of_channels.merged].concat();
        Ok(signal)
    }

    /// Of one channel as it was read, on a full grid as [`Signal::on_grid`] has it.
    ///
    /// # Errors
    /// As [`Signal::new`].
    pub(crate) fn of_column_on_grid(
        axes: &[(String, Vec<f32>)],
        channel: &str,
        exact: Exact,
    ) -> Result<Signal> {
        let Columns { names, numbers, offsets, merged } =
            Columns::of(vec![(channel.to_string(), exact)], KEPT);
        let mut signal = Signal::on_grid(axes, &names, |_| numbers)?;
        signal.origin.channel_offsets = offsets;
        signal.origin.merged = merged;
        Ok(signal)
    }

    /// Values on a full grid: along each axis its name and coordinates, the last axis running fastest. The points
    /// are handed to `values`.
    ///
    /// # Errors
    /// As [`Signal::new`].
    pub(crate) fn on_grid<S: AsRef<str>>(
        axes: &[(S, Vec<f32>)],
        channels: &[S],
        values: impl FnOnce(&[f32]) -> Vec<f32>,
    ) -> Result<Signal> {
        let grid: Vec<usize> = axes.iter().map(|(_, along)| along.len()).collect();
        let count = grid.iter().fold(1u64, |count, len| count.saturating_mul(*len as u64));
        check_size(count, axes.len(), channels.len())?;
        let mut points = vec![0.0; count as usize * axes.len()];
        for (number, point) in points.chunks_exact_mut(axes.len()).enumerate() {
            let mut rest = number;
            for (coordinate, (_, along)) in point.iter_mut().zip(axes).rev() {
                *coordinate = along[rest % along.len()];
                rest /= along.len();
            }
        }
        let names: Vec<&str> = axes.iter().map(|(name, _)| name.as_ref()).collect();
        let channels: Vec<&str> = channels.iter().map(AsRef::as_ref).collect();
        let values = values(&points);
        let mut signal = Signal::new(&names, points, &channels, values)?;
        signal.origin.grid = grid;
        Ok(signal)
    }

    /// How many points there are; at least one.
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.values.len() / self.channels.len()
    }

    /// The names of the axes.
    pub fn axes(&self) -> &[String] {
        &self.axes
    }

    /// The names of the channels.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// What the coordinates along an axis are less; 0 unless they were read from a file that has them far from 0.
    ///
    /// ```
    /// use bessemer_waves::{ReadOptions, read};
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("minutes.csv");
    /// std::fs::write(&path, "seconds,y\n1700000060,1\n1700000120,2\n").unwrap();
    /// let signal = read(&path, &ReadOptions::default())?;
    /// assert_eq!((signal.axis_offset(0), signal.points()), (1700000060.0, &[0.0, 60.0][..]));
    /// # Ok::<(), bessemer_waves::Error>(())
    /// ```
    pub fn axis_offset(&self, axis: usize) -> f64 {
        self.origin.axis_offsets.get(axis).copied().unwrap_or(0.0)
    }

    /// What the values of a channel are less; 0 unless they were read from a file that has them far from 0.
    pub fn channel_offset(&self, channel: usize) -> f64 {
        self.origin.channel_offsets.get(channel).copied().unwrap_or(0.0)
    }

    /// All coordinates less the offsets of their axes, `[N, axes]`.
    pub fn points(&self) -> &[f32] {
        &self.points
    }

    /// All values less the offsets of their channels, `[N, channels]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The coordinates of a point, less the offsets of their axes.
    ///
    /// # Panics
    /// If there are not so many points.
    pub fn point(&self, number: usize) -> &[f32] {
        &self.points[number * self.axes.len()..][..self.axes.len()]
    }

    /// The values at a point, less the offsets of their channels.
    ///
    /// # Panics
    /// If there are not so many points.
    pub fn value(&self, number: usize) -> &[f32] {
        &self.values[number * self.channels.len()..][..self.channels.len()]
    }

    /// The signal with other values at the same points, as a model gives them.
    ///
    /// # Errors
    /// If there are not as many, or one is infinite or NaN.
    pub fn with_values(&self, values: Vec<f32>) -> Result<Signal> {
        let replaced = Signal::new(&self.axes, self.points.clone(), &self.channels, values)?;
        Ok(Signal { origin: self.origin.clone(), ..replaced })
    }

    /// Bytes that the signal takes as it is: its values, at the size they had in the file, and, unless the
    /// points are a grid, four bytes for each coordinate.
    pub fn raw_bytes(&self) -> u64 {
        let coordinates = if self.origin.grid.is_empty() { size_of_val(self.points()) } else { 0 };
        (self.values.len() * self.origin.value_bytes.unwrap_or(size_of::<f32>()) + coordinates) as u64
    }

    /// The largest difference between two values: that of the format where it sets one, else that found. It
    /// is what PSNR is relative to.
    pub fn peak(&self) -> f32 {
        let m = self.channels.len();
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for channel in 0..m {
            let (low, high) = bounds(self.values.iter().skip(channel).step_by(m));
            let offset = self.channel_offset(channel) - self.channel_offset(0);
            least = least.min(offset + f64::from(low));
            most = most.max(offset + f64::from(high));
        }
        self.origin.range.unwrap_or((most - least) as f32)
    }
}

/// Columns to single precision.
struct Columns {
    names: Vec<String>,
    /// Row by row.
    numbers: Vec<f32>,
    /// Empty where they are 0 for all.
    offsets: Vec<f64>,
    merged: Vec<Merged>,
}

impl Columns {
    /// Of columns that are told of where they keep less than a share of their different numbers.
    fn of(columns: Vec<(String, Exact)>, kept: f64) -> Columns {
        let width = columns.len();
        let mut all =
            Columns { names: Vec::new(), numbers: Vec::new(), offsets: Vec::new(), merged: Vec::new() };
        for (place, (name, exact)) in columns.into_iter().enumerate() {
            let Rounded { offset, numbers, merged } = exact.rounded();
            if let Some((before, left)) =
                merged.filter(|(before, left)| (*left as f64) < kept * *before as f64)
            {
                all.merged.push(Merged { name: name.clone(), before, left });
            }
            all.numbers.resize(width * numbers.len(), 0.0);
            let own = all.numbers.iter_mut().skip(place).step_by(width);
            own.zip(numbers).for_each(|(place, number)| *place = number);
            all.names.push(name);
            all.offsets.push(offset);
        }
        if all.offsets.iter().all(|offset| *offset == 0.0) {
            all.offsets.clear();
        }
        all
    }
}

/// The least and the largest of some numbers.
pub(crate) fn bounds<'a>(numbers: impl Iterator<Item = &'a f32>) -> (f32, f32) {
    numbers.fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), x| (least.min(*x), most.max(*x)))
}

/// Refuses sizes that no signal may have, before anything of them is allocated.
pub(crate) fn check_size(points: u64, axes: usize, channels: usize) -> Result<()> {
    if !(1..=MAX_AXES).contains(&axes) {
        return Err(Error::Axes { axes });
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(Error::Channels { channels });
    }
    if points == 0 {
        return Err(Error::NoPoints);
    }
    if points.saturating_mul((axes + channels) as u64) > MAX_NUMBERS {
        return Err(Error::TooLarge { points, axes, channels, limit: MAX_NUMBERS });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(axes: &[&str], points: Vec<f32>, channels: &[&str], values: Vec<f32>) -> String {
        Signal::new(axes, points, channels, values).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        let nine = ["a"; 9];
        for (error, expected) in [
            (refused(&[], vec![], &["y"], vec![]), "0 axes; a signal has 1 to 8"),
            (refused(&nine, vec![0.0; 9], &["y"], vec![0.0]), "9 axes; a signal has 1 to 8"),
            (refused(&["x"], vec![0.0], &[], vec![]), "0 channels; a signal has 1 to 64"),
            (refused(&["x"], vec![], &["y"], vec![]), "no points; give at least one"),
            (
                refused(&["x", "t"], vec![0.0; 5], &["y"], vec![0.0; 2]),
                "coordinates hold 5 numbers, but 2 points of 2 take 4",
            ),
            (
                refused(&["x"], vec![0.0; 3], &["y", "z"], vec![0.0; 4]),
                "values hold 4 numbers, but 3 points of 2 take 6",
            ),
            (
                refused(&["x", "t"], vec![0.0, 1.0, 2.0, f32::INFINITY], &["y"], vec![0.0; 2]),
                "point 1: `t` is inf",
            ),
        ] {
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn sizes_are_bounded_before_anything_is_allocated() {
        assert!(check_size(1 << 27, 1, 1).is_ok());
        for points in [(1 << 27) + 1, u64::MAX] {
            assert!(matches!(check_size(points, 1, 1), Err(Error::TooLarge { .. })), "{points}");
        }
    }

    #[test]
    fn the_last_axis_of_a_grid_runs_fastest() {
        let axes = [("y", vec![0.0, 1.0]), ("x", vec![5.0, 6.0, 7.0])];
        let signal = Signal::on_grid(&axes, &["v"], |_| vec![0.0; 6]).unwrap();
        assert_eq!(signal.points(), [0.0, 5.0, 0.0, 6.0, 0.0, 7.0, 1.0, 5.0, 1.0, 6.0, 1.0, 7.0]);
        assert_eq!((signal.origin.grid.as_slice(), signal.raw_bytes()), (&[2, 3][..], 24));
        let scattered = Signal::new(&["y", "x"], signal.points().to_vec(), &["v"], vec![0.0; 6]).unwrap();
        assert_eq!(scattered.raw_bytes(), 24 + 48, "coordinates count where nothing else tells them");
    }
}
