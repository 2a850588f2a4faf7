//! What a network reads of each point.

use bessemer_plan::as_words;

use crate::error::Result;
use crate::models::Model;
use crate::options::check_look_ups;
use crate::scale::Scale;

/// Scaled coordinates, and the rows of tables that a network looks up, point by point.
pub(crate) struct Inputs {
    /// For each input of the graph, in order: numbers of a point, and those of all points.
    parts: Vec<(usize, Vec<f32>)>,
    len: usize,
}

impl Inputs {
    /// Of points `[N, axes]` as they are in the signal.
    pub fn new(model: &Model, axes: &[Scale], points: impl Iterator<Item = f32>) -> Result<Inputs> {
        let d = axes.len();
        let scaled: Vec<f32> = points.zip(axes.iter().cycle()).map(|(x, scale)| scale.apply(x)).collect();
        let len = scaled.len() / d;
        check_look_ups(model, d, len)?;
        let mut parts = vec![(d, scaled)];
        let k = model.network().look_ups(d);
        if k > 0 {
            let (mut rows, mut shares) = (vec![0; len * k], vec![0.0; len * k]);
            let of_points = rows.chunks_exact_mut(k).zip(shares.chunks_exact_mut(k));
            for (point, (rows, shares)) in parts[0].1.chunks_exact(d).zip(of_points) {
                model.network().look_up(point, rows, shares);
            }
            parts.extend([(k, as_words(&rows).to_vec()), (k, shares)]);
        }
        Ok(Inputs { parts, len })
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The scaled coordinates.
    pub fn points(&self) -> &[f32] {
        &self.parts[0].1
    }

    /// How many inputs of a graph these are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// Copies all points into a buffer for each input.
    pub fn copy(&self, inputs: &mut [Vec<f32>]) {
        self.parts.iter().zip(inputs).for_each(|((_, all), input)| input.copy_from_slice(all));
    }

    /// Copies the points of these numbers into a buffer for each input.
    pub fn gather(&self, numbers: impl Iterator<Item = usize> + Clone, inputs: &mut [Vec<f32>]) {
        for ((width, all), input) in self.parts.iter().zip(inputs) {
            gather(all, *width, numbers.clone(), input);
        }
    }
}

/// Copies rows of these numbers.
pub(crate) fn gather(all: &[f32], width: usize, numbers: impl Iterator<Item = usize>, out: &mut [f32]) {
    for (number, out) in numbers.zip(out.chunks_exact_mut(width)) {
        out.copy_from_slice(&all[number * width..][..width]);
    }
}
