//! What a model was fitted to, as far as it takes to have it again.

use bessemer_plan::Pool;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fitter::WaveFitter;
use crate::signal::{Origin, Signal, bounds, check_size};

/// Where the points of a signal lie, and how it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub points: u64,
    /// The least coordinate and the greatest along each axis, less its offset.
    pub ends: Vec<[f32; 2]>,
    pub origin: Origin,
}

impl Source {
    pub fn of(signal: &Signal) -> Source {
        let axes = signal.axes().len();
        let along = |axis: usize| signal.points().iter().skip(axis).step_by(axes);
        let ends = (0..axes).map(|axis| bounds(along(axis))).map(|(least, most)| [least, most]).collect();
        Source { points: signal.len() as u64, ends, origin: signal.origin.clone() }
    }

    /// What is wrong with it, for a model of so many axes and channels.
    pub fn problem(&self, axes: usize, channels: usize) -> Option<String> {
        let sound = |[least, most]: &[f32; 2]| least.is_finite() && most.is_finite() && least <= most;
        if self.ends.len() != axes || !self.ends.iter().all(sound) {
            return Some(format!("the ends of its {axes} axes make no sense; save it again"));
        }
        let Origin { grid, axis_offsets, channel_offsets, .. } = &self.origin;
        for (offsets, count) in [(axis_offsets, axes), (channel_offsets, channels)] {
            let is_sound = offsets.is_empty() || offsets.len() == count;
            if !is_sound || offsets.iter().any(|offset| !offset.is_finite()) {
                return Some(format!("offsets of {offsets:?} are not those of {count}; save it again"));
            }
        }
        let on_grid = grid.iter().fold(1u64, |points, len| points.saturating_mul(*len as u64));
        (!grid.is_empty() && (grid.len() != axes || on_grid != self.points))
            .then(|| format!("a grid of {grid:?} is not its {} points; save it again", self.points))
    }
}

impl WaveFitter {
    /// The signal as the model has it, on a grid from the least coordinate to the greatest of the signal it was
    /// fitted to: as many points along each axis as that had, or as given; of one axis, as many as there were, evenly. No signal is needed for it.
    ///
    /// ```
    /// use bessemer_plan::Pool;
    /// use bessemer_waves::{FitOptions, Generator, Model, Split, WaveFitter};
    ///
    /// let signal = Generator::by_name("multi-tone")?.with_size(40).signal()?;
    /// let (model, mut options) = (Model::by_name("siren")?, FitOptions::default());
    /// options.train.steps = 10;
    /// let pool = Pool::new(1);
    /// let mut fitted = WaveFitter::fit(&signal, &Split::all(&signal), &model, &options, &pool)?;
    /// assert_eq!(fitted.render(None, &pool)?.points(), signal.points());
    /// assert_eq!(fitted.render(Some(&[79]), &pool)?.len(), 79);
    /// # Ok::<(), bessemer_waves::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the signal has several axes and was on no grid, and no sizes are given, there is not one size for each axis, or the grid is
    /// larger than a signal may be.
    pub fn render(&mut self, sizes: Option<&[usize]>, pool: &Pool) -> Result<Signal> {
        let axes = self.axes.len();
        let grid = match (sizes, self.source.origin.grid.as_slice()) {
            (Some(sizes), _) => sizes.to_vec(),
            // Along one axis as many points as there were lie evenly.
            (None, []) if axes == 1 => vec![self.source.points as usize],
            (None, grid) => grid.to_vec(),
        };
        if grid.len() != axes {
            let problem = match sizes {
                None => format!("the {} points it was fitted to are on no grid", self.source.points),
                Some(sizes) => format!("{} given for {axes} axes", sizes.len()),
            };
            return Err(Error::Option { what: "sizes", problem, remedy: "give one for each axis" });
        }
        let points = grid.iter().fold(1u64, |points, len| points.saturating_mul(*len as u64));
        check_size(points, axes, self.channels.len())?;
        let along = |axis: usize| -> Vec<f32> {
            let [first, last] = self.source.ends[axis].map(f64::from);
            let step = (last - first) / (grid[axis].max(2) - 1) as f64;
            (0..grid[axis]).map(|place| (first + step * place as f64) as f32).collect()
        };
        let named: Vec<(String, Vec<f32>)> =
            self.axes().map(str::to_string).enumerate().map(|(axis, name)| (name, along(axis))).collect();
        let channels: Vec<String> = self.channels().map(str::to_string).collect();
        let zeros = vec![0.0; points as usize * channels.len()];
        let mut signal = Signal::on_grid(&named, &channels, |_| zeros)?;
        let origin = self.source.origin.clone();
        signal = signal.with_values(self.predict_less(signal.points(), &origin, pool)?)?;
        let sample_rate = origin.sample_rate;
        // With more samples in the same time there are more of them a second.
        let rate = |rate: u32| match (grid.as_slice(), self.source.origin.grid.as_slice()) {
            ([now], [then]) if *then > 1 && *now > 1 => {
                (f64::from(rate) * (*now - 1) as f64 / (*then - 1) as f64).round() as u32
            }
            _ => rate,
        };
        signal.origin = Origin { sample_rate: sample_rate.map(rate), grid, window: None, ..origin };
        Ok(signal)
    }
}
