//! Signals to compare models on: one file each, and a line in `generators!`.

mod field_4d;
mod field_6d;
mod glitchy_chirp;
mod moving_packet;
mod multi_tone;
mod noisy_chirp;
mod step;

pub use field_4d::Field4d;
pub use field_6d::Field6d;
pub use glitchy_chirp::GlitchyChirp;
pub use moving_packet::MovingPacket;
pub use multi_tone::MultiTone;
pub use noisy_chirp::NoisyChirp;
pub use step::Step;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::signal::{Signal, check_size};

/// Equally spaced coordinates.
struct Axis {
    name: &'static str,
    /// The first coordinate and the last.
    ends: (f64, f64),
    count: usize,
}

impl Axis {
    fn new(name: &'static str, ends: (f64, f64), count: usize) -> Axis {
        Axis { name, ends, count }
    }

    /// Times from 0 to 1; a single one is 0.
    fn times(count: usize) -> Axis {
        Axis::new("t", (0.0, 1.0), count)
    }

    fn coordinates(&self) -> Vec<f32> {
        let (first, last) = self.ends;
        let step = (last - first) / (self.count.max(2) - 1) as f64;
        (0..self.count).map(|place| (first + step * place as f64) as f32).collect()
    }
}

/// A signal of one channel on a grid, as a formula.
trait Formula {
    fn axes(&self) -> Vec<Axis>;

    /// The values at the points `[N, axes]` of the grid, in place.
    fn fill(&self, points: &[f32], values: &mut [f32]);

    /// The points, by number, that are of interest by themselves.
    fn window(&self) -> Option<Range<usize>> {
        None
    }

    /// Points along each axis of space.
    fn size_mut(&mut self) -> &mut usize;

    /// Points in time, of what can move.
    fn times_mut(&mut self) -> Option<&mut usize> {
        None
    }
}

/// Writes the value at each point of `AXES` coordinates.
fn fill_by<const AXES: usize>(points: &[f32], values: &mut [f32], formula: impl Fn([f64; AXES]) -> f64) {
    for (point, value) in points.chunks_exact(AXES).zip(values) {
        *value = formula(std::array::from_fn(|axis| f64::from(point[axis]))) as f32;
    }
}

macro_rules! generators {
    ($($name:literal => $variant:ident),* $(,)?) => {
        /// A signal that is made by a formula, with its settings.
        ///
        /// ```
        /// use bessemer_waves::Generator;
        ///
        /// let signal = Generator::by_name("glitchy-chirp")?.signal()?;
        /// assert_eq!((signal.len(), signal.origin.window.clone()), (1000, Some(500..550)));
        /// let error = Generator::by_name("moving packets").unwrap_err().to_string();
        /// assert!(error.contains("did you mean `moving-packet`?"));
        /// # Ok::<(), bessemer_waves::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Generator {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $variant($variant),)*
        }

        impl Generator {
            /// The names by which generators are asked for.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name of this generator.
            pub fn name(&self) -> &'static str {
                match self { $(Generator::$variant(_) => $name,)* }
            }

            fn formula(&self) -> &dyn Formula {
                match self { $(Generator::$variant(formula) => formula,)* }
            }

            fn formula_mut(&mut self) -> &mut dyn Formula {
                match self { $(Generator::$variant(formula) => formula,)* }
            }

            /// A generator with its default settings.
            ///
            /// # Errors
            /// If there is none of this name; the error suggests the nearest.
            pub fn by_name(name: &str) -> Result<Generator> {
                match name.to_lowercase().replace(['_', ' '], "-").as_str() {
                    $($name => Ok(Generator::$variant($variant::default())),)*
                    _ => Err(Error::unknown("generator", name, Generator::NAMES)),
                }
            }
        }
    };
}

generators! {
    "glitchy-chirp" => GlitchyChirp,
    "field-4d" => Field4d,
    "field-6d" => Field6d,
    "step" => Step,
    "multi-tone" => MultiTone,
    "noisy-chirp" => NoisyChirp,
    "moving-packet" => MovingPacket,
}

impl Generator {
    /// The same with so many points along each axis of space.
    pub fn with_size(mut self, size: usize) -> Generator {
        *self.formula_mut().size_mut() = size;
        self
    }

    /// The same with so many points in time, if it can move.
    pub fn with_times(mut self, times: usize) -> Option<Generator> {
        *self.formula_mut().times_mut()? = times;
        Some(self)
    }

    /// The signal: a full grid, one channel `y`.
    ///
    /// # Errors
    /// If the settings ask for no points, or for more than [`MAX_NUMBERS`](crate::MAX_NUMBERS) allows.
    pub fn signal(&self) -> Result<Signal> {
        let axes = self.formula().axes();
        let count = axes.iter().fold(1u64, |count, axis| count.saturating_mul(axis.count as u64));
        check_size(count, axes.len(), 1)?;
        let axes: Vec<(&str, Vec<f32>)> = axes.iter().map(|axis| (axis.name, axis.coordinates())).collect();
        let mut signal = Signal::on_grid(&axes, &["y"], |points| {
            let mut values = vec![0.0; count as usize];
            self.formula().fill(points, &mut values);
            values
        })?;
        signal.origin.window = self.formula().window();
        Ok(signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generator_is_found_by_its_name_and_takes_a_size() {
        for name in Generator::NAMES {
            let generator = Generator::by_name(name).unwrap();
            assert_eq!(generator.name(), *name);
            let signal = generator.clone().with_size(4).signal().unwrap();
            assert_eq!(signal.origin.grid.iter().product::<usize>(), signal.len(), "{name}");
            assert_eq!(signal.origin.grid[0], 4, "{name}");
            assert_eq!(generator.signal().unwrap(), generator.signal().unwrap(), "{name}");
        }
    }

    #[test]
    fn sizes_are_bounded() {
        for name in Generator::NAMES {
            let generator = Generator::by_name(name).unwrap();
            assert!(matches!(generator.clone().with_size(0).signal(), Err(Error::NoPoints)), "{name}");
            let endless = generator.with_size(usize::MAX).signal();
            assert!(matches!(endless, Err(Error::TooLarge { .. })), "{name}");
        }
    }

    /// With time, each point of the same place has other values at other times.
    #[test]
    fn time_matters_where_there_is_time() {
        for mut generator in [
            Generator::GlitchyChirp(GlitchyChirp { times: 3, ..GlitchyChirp::default() }),
            Generator::Field4d(Field4d { size: 8, times: 3 }),
            Generator::Field6d(Field6d { size: 4, times: 3 }),
            Generator::MovingPacket(MovingPacket::default()),
        ] {
            let name = generator.name();
            let signal = generator.signal().unwrap();
            assert_eq!(signal.axes().last().map(String::as_str), Some("t"), "{name}");
            let times = *signal.origin.grid.last().unwrap();
            let same = |row: &[f32]| row.iter().all(|y| (y - row[0]).abs() < 1e-3);
            let still = signal.values().chunks(times).filter(|row| same(row)).count();
            assert!(still < signal.len() / times, "{name}: nothing changes with time");
            let before = signal.len();
            *generator.formula_mut().size_mut() += 1;
            assert!(generator.signal().unwrap().len() > before, "{name}");
        }
    }
}
