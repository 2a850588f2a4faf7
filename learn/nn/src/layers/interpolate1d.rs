//! Resampling of the last axis.

use bessemer_graph::GraphError;
use serde::{Deserialize, Serialize};

use crate::trace::{Trace, Value};

/// How values between positions are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// On the line between the two neighbours.
    #[default]
    Linear,
    /// The value at or before.
    Nearest,
}

/// Stretches or shrinks the last axis to `size` positions, as PyTorch's `F.interpolate` does with
/// `align_corners=False`: positions are the middles of equal cells, and ends are continued by their
/// own value. It is one product with a constant matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interpolate1d {
    /// Length of the result.
    pub size: usize,
    /// How values between positions are found.
    pub mode: Interpolation,
}

impl Interpolate1d {
    /// `[.., length]` to `[.., size]`.
    pub fn forward(&self, t: &mut Trace, x: Value) -> Result<Value, GraphError> {
        let length = t.graph.ty(x).last();
        if length == 0 || self.size == 0 || t.graph.shape(x).is_empty() {
            let problem = format!("{:?} to {} positions", t.graph.shape(x), self.size);
            return Err(GraphError::Shape { operation: "interpolate1d", scope: t.graph.scope(), problem });
        }
        let matrix = t.graph.constant(&[length, self.size], self.matrix(length));
        let mut shape = t.graph.shape(x).to_vec();
        let rows = t.graph.reshape(x, &[shape.iter().product::<usize>() / length, length])?;
        let y = t.graph.matmul(rows, matrix)?;
        *shape.last_mut().expect("not a scalar") = self.size;
        t.graph.reshape(y, &shape)
    }

    /// What each of `length` positions adds to each result: `[length, size]`.
    fn matrix(&self, length: usize) -> Vec<f32> {
        let mut matrix = vec![0.0; length * self.size];
        for i in 0..self.size {
            match self.mode {
                Interpolation::Nearest => matrix[i * length / self.size * self.size + i] = 1.0,
                Interpolation::Linear => {
                    let middle = (i as f64 + 0.5) * length as f64 / self.size as f64 - 0.5;
                    let at = middle.clamp(0.0, (length - 1) as f64);
                    let before = at as usize;
                    let share = (at - before as f64) as f32;
                    matrix[before * self.size + i] += 1.0 - share;
                    matrix[(before + 1).min(length - 1) * self.size + i] += share;
                }
            }
        }
        matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::check;

    #[test]
    fn gradients() {
        for mode in [Interpolation::Linear, Interpolation::Nearest] {
            check(2, &[&[2, 2, 3]], |t, x| Interpolate1d { size: 5, mode }.forward(t, x[0]));
        }
    }

    #[test]
    fn every_result_is_a_mean_of_its_neighbours() {
        for (length, size) in [(3, 7), (7, 3), (1, 4), (24, 96), (5, 5)] {
            for mode in [Interpolation::Linear, Interpolation::Nearest] {
                let matrix = Interpolate1d { size, mode }.matrix(length);
                for i in 0..size {
                    let total: f32 = (0..length).map(|j| matrix[j * size + i]).sum();
                    assert!((total - 1.0).abs() < 1e-6, "{mode:?} {length} to {size}: {total}");
                }
            }
        }
        let cells = Interpolate1d { size: 4, mode: Interpolation::Linear }.matrix(2);
        assert_eq!(cells, [1.0, 0.75, 0.25, 0.0, 0.0, 0.25, 0.75, 1.0]);
    }
}
