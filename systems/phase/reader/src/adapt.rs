//! From a sample to the indices of the input nodes.

use crate::model::Model;

/// The index that a sum of the adapter means on a circle of `steps`.
#[inline(always)]
pub fn index(sum: i32, shift: u32, steps: usize) -> i16 {
    let rounded = (i64::from(sum) + (1 << shift >> 1)) >> shift;
    rounded.rem_euclid(steps as i64) as i16
}

/// The adapter: integer products of a sample's `levels` with its weights. `indices` is
/// `[inputs, 2, D]`, phases before magnitudes.
pub fn adapt(model: &Model, levels: &[u8], indices: &mut [i16]) {
    let shape = &model.shape;
    let d = shape.dimensions;
    let rows = model.weights.chunks_exact(shape.features).zip(model.bias);
    for ((row, (weights, bias)), out) in rows.enumerate().zip(indices) {
        let products = weights.iter().zip(levels).map(|(w, x)| i32::from(*w as i8) * i32::from(*x));
        let sum = products.fold(i32::from_le_bytes(*bias), i32::wrapping_add);
        let steps = if row % (2 * d) < d { shape.phases } else { shape.magnitudes };
        *out = index(sum, shape.shift, steps);
    }
}
