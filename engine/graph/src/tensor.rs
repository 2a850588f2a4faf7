//! Dense f64 values: what the reference evaluation computes with.

use crate::shape::{around, strides};

/// A dense row-major array in f64. Integers (labels, indices) are held as whole numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Axis lengths.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub data: Vec<f64>,
}

impl Tensor {
    /// From a shape and its elements.
    ///
    /// # Panics
    /// If their lengths differ.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f64>) -> Tensor {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "shape {shape:?}");
        Tensor { shape, data }
    }

    /// One number everywhere.
    pub fn full(shape: impl Into<Vec<usize>>, value: f64) -> Tensor {
        let shape = shape.into();
        let len = shape.iter().product();
        Tensor { shape, data: vec![value; len] }
    }

    /// Element by element from its index.
    pub fn from_fn(shape: impl Into<Vec<usize>>, mut f: impl FnMut(&[usize]) -> f64) -> Tensor {
        let shape = shape.into();
        let len = shape.iter().product();
        let mut index = vec![0; shape.len()];
        let mut data = Vec::with_capacity(len);
        for _ in 0..len {
            data.push(f(&index));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Tensor { shape, data }
    }

    /// The element at an index, where axes of length 1 stand for any position and missing leading
    /// axes are skipped (broadcasting).
    pub fn at(&self, index: &[usize]) -> f64 {
        let skip = index.len() - self.shape.len();
        let position: usize = strides(&self.shape)
            .iter()
            .zip(&self.shape)
            .zip(&index[skip..])
            .map(|((stride, &len), &i)| if len == 1 { 0 } else { stride * i })
            .sum();
        self.data[position]
    }

    /// Applies a function to every element.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Tensor {
        Tensor { shape: self.shape.clone(), data: self.data.iter().map(|&x| f(x)).collect() }
    }

    /// Number of rows and length of the last axis.
    pub fn matrix(&self) -> (usize, usize) {
        let columns = self.shape.last().copied().unwrap_or(1);
        (self.data.len() / columns.max(1), columns)
    }

    /// The rows along the last axis.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.data.chunks_exact(self.matrix().1)
    }

    /// Outer, axis and inner lengths around an axis.
    pub fn around(&self, axis: usize) -> (usize, usize, usize) {
        around(&self.shape, axis)
    }
}
