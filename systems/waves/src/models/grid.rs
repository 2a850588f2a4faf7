//! Dense grids of several resolutions (the encoding of Müller et al., "Instant Neural Graphics Primitives with a
//! Multiresolution Hash Encoding", 2022, without the hashing).

use bessemer_graph::ops::embedding::Embedding;
use bessemer_graph::ops::reduce::Reduction;
use bessemer_graph::ops::unary::Unary;
use bessemer_nn::layers::Linear;
use bessemer_nn::{GraphError, Init, Trace, Value};
use serde::{Deserialize, Serialize};

use super::layers::{head, stack};
use super::{MAX_LAYERS, MAX_PARAMETERS, MAX_WIDTH, Network, Shape, out_of_bounds};

/// The most axes: a point has 2 to that power neighbours in each grid.
const MAX_GRID_AXES: usize = 4;

/// The most grids.
const MAX_LEVELS: usize = 16;

/// Learned vectors at the vertices of grids over -1 .. 1, each of twice as many cells along an axis as the one
/// before. At a point each grid gives the multilinear interpolation of the vectors around it; side by side they
/// go through layers of ReLU. Beyond the ends of an axis its end counts. For signals of at most 4 axes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grid {
    /// Cells along each axis of the coarsest grid; the model's size.
    pub cells: usize,
    /// How many grids there are.
    pub levels: usize,
    /// Length of the vectors.
    pub features: usize,
    /// Width of the layers.
    pub width: usize,
    /// Layers with ReLU; 0 for a linear map alone.
    pub layers: usize,
}

impl Default for Grid {
    fn default() -> Self {
        Grid { cells: 4, levels: 4, features: 2, width: 16, layers: 1 }
    }
}

impl Grid {
    /// Cells along each axis of each grid.
    fn resolutions(&self) -> impl Iterator<Item = usize> {
        (0..self.levels).map(|level| self.cells << level)
    }

    /// Vertices of all grids.
    fn vertices(&self, axes: usize) -> u128 {
        self.resolutions().map(|cells| (cells as u128 + 1).pow(axes as u32)).sum()
    }
}

impl Network for Grid {
    fn forward(&self, t: &mut Trace, _: Value, shape: Shape) -> Result<Value, GraphError> {
        let (samples, corners) = (t.samples(), 1 << shape.axes);
        let rows = t.input_indices("rows", &[self.levels * corners]);
        let shares = t.input("shares", &[self.levels * corners]);
        let vertices = self.vertices(shape.axes) as usize;
        // Small, so that all is up to the vectors' gradients at first, as in the paper.
        let table = t.parameter("vertices", &[vertices, self.features], Init::Uniform { bound: 1e-4 })?;
        let vectors = t.apply(Embedding, &[table, rows])?;
        let shares = t.graph.reshape(shares, &[samples, self.levels * corners, 1])?;
        let weighed = t.graph.mul(vectors, shares)?;
        let by_level = t.graph.reshape(weighed, &[samples, self.levels, corners, self.features])?;
        let sums = t.graph.reduce(by_level, Reduction::Sum, 2)?;
        let features = t.graph.reshape(sums, &[samples, self.levels * self.features])?;
        let x = stack(t, features, self.layers, |t, x, inputs, _| {
            let z = Linear::new(inputs, self.width).forward(t, x)?;
            t.apply(Unary::Relu, &[z])
        })?;
        head(t, x, shape.channels)
    }

    fn check(&self, shape: Shape) -> Option<String> {
        if shape.axes > MAX_GRID_AXES {
            return Some(format!(
                "a signal of {} axes is beyond the {MAX_GRID_AXES} of a dense grid; choose another model, such as siren",
                shape.axes
            ));
        }
        if self.layers > MAX_LAYERS {
            return Some(format!("layers is {}; it must be at most {MAX_LAYERS}", self.layers));
        }
        let settings = [
            ("cells", self.cells, MAX_WIDTH),
            ("levels", self.levels, MAX_LEVELS),
            ("features", self.features, MAX_WIDTH),
            ("width", self.width, MAX_WIDTH),
        ];
        out_of_bounds(&settings).or_else(|| {
            let vertices = self.vertices(shape.axes);
            (vertices > MAX_PARAMETERS).then(|| {
                format!(
                    "its grids have {vertices} vertices, more than {MAX_PARAMETERS}; lower cells or levels"
                )
            })
        })
    }

    fn size_mut(&mut self) -> &mut usize {
        &mut self.cells
    }

    fn look_ups(&self, axes: usize) -> usize {
        self.levels << axes
    }

    fn look_up(&self, point: &[f32], rows: &mut [i32], shares: &mut [f32]) {
        let corners = 1 << point.len();
        let mut first = 0;
        let by_level = rows.chunks_exact_mut(corners).zip(shares.chunks_exact_mut(corners));
        for (cells, (rows, shares)) in self.resolutions().zip(by_level) {
            rows.fill(first);
            shares.fill(1.0);
            let mut stride = 1;
            for (axis, x) in point.iter().enumerate() {
                let place = (f64::from(*x).clamp(-1.0, 1.0) + 1.0) / 2.0 * cells as f64;
                let cell = (place as usize).min(cells - 1);
                let share = (place - cell as f64) as f32;
                for (corner, (row, part)) in rows.iter_mut().zip(&mut *shares).enumerate() {
                    let is_upper = corner >> axis & 1 == 1;
                    *row += ((cell + usize::from(is_upper)) * stride) as i32;
                    *part *= if is_upper { share } else { 1.0 - share };
                }
                stride *= cells + 1;
            }
            first += stride as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A function that is linear along each axis is the interpolation of its values at the vertices.
        #[test]
        fn shares_interpolate_what_is_linear(
            axes in 1usize..=4, cells in 1usize..6, levels in 1usize..4,
            point in prop::collection::vec(-1.0f32..=1.0, 4), slope in prop::collection::vec(-2.0f64..2.0, 4),
        ) {
            let (grid, point) = (Grid { cells, levels, ..Grid::default() }, &point[..axes]);
            let linear = |x: &[f64]| 0.5 + x.iter().zip(&slope).map(|(x, slope)| x * slope).sum::<f64>();
            // The value at each vertex, by row.
            let mut table = Vec::new();
            for cells in grid.resolutions() {
                for vertex in 0..(cells + 1).pow(axes as u32) {
                    let mut rest = vertex;
                    let x: Vec<f64> = (0..axes).map(|_| {
                        let place = rest % (cells + 1);
                        rest /= cells + 1;
                        2.0 * place as f64 / cells as f64 - 1.0
                    }).collect();
                    table.push(linear(&x));
                }
            }
            prop_assert_eq!(table.len() as u128, grid.vertices(axes));
            let (mut rows, mut shares) = (vec![0; grid.look_ups(axes)], vec![0.0; grid.look_ups(axes)]);
            grid.look_up(point, &mut rows, &mut shares);
            let wanted = linear(&point.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
            for (rows, shares) in rows.chunks(1 << axes).zip(shares.chunks(1 << axes)) {
                let found: f64 = rows.iter().zip(shares).map(|(r, s)| table[*r as usize] * f64::from(*s)).sum();
                prop_assert!((found - wanted).abs() < 1e-5, "{found}, not {wanted}");
            }
        }
    }

    #[test]
    fn beyond_its_ends_an_axis_goes_on_as_its_end() {
        let grid = Grid::default();
        let at = |point: [f32; 2]| {
            let (mut rows, mut shares) = (vec![0; grid.look_ups(2)], vec![0.0; grid.look_ups(2)]);
            grid.look_up(&point, &mut rows, &mut shares);
            (rows, shares)
        };
        assert_eq!(at([1.5, -7.0]), at([1.0, -1.0]));
        assert_eq!(at([f32::MAX, 0.3]), at([1.0, 0.3]));
    }
}
