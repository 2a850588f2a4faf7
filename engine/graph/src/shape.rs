//! Shapes and element types.

/// What a value's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit floats.
    F32,
    /// 32-bit integers: indices and labels.
    I32,
}

/// Shape and element type of a value; row-major and contiguous.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// Axis lengths, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
}

impl Type {
    /// Floats of a shape.
    pub fn f32(shape: impl Into<Vec<usize>>) -> Type {
        Type { shape: shape.into(), dtype: DType::F32 }
    }

    /// Integers of a shape.
    pub fn i32(shape: impl Into<Vec<usize>>) -> Type {
        Type { shape: shape.into(), dtype: DType::I32 }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of the last axis (1 for a scalar).
    pub fn last(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Number of rows: the elements divided by the last axis.
    pub fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }
}

/// The shape that `a` and `b` broadcast to (NumPy's rule), if they do.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let axis = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (axis(a, i), axis(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// How the elements of an operand are spread over the elements of a larger shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One for one.
    Full,
    /// One for all.
    Scalar,
    /// Repeated: element `i` of the result reads `i % len`.
    Row(usize),
    /// Each repeated: element `i` of the result reads `i / len`.
    Column(usize),
}

/// The spread of a shape broadcast to another, if it is one of the simple ones.
pub fn spread(from: &[usize], to: &[usize]) -> Option<Spread> {
    let (len, total) = (from.iter().product::<usize>(), to.iter().product::<usize>());
    if broadcast(from, to).as_deref() != Some(to) {
        return None;
    }
    if len == total {
        return Some(Spread::Full);
    }
    if len == 1 {
        return Some(Spread::Scalar);
    }
    let from = [vec![1; to.len() - from.len()], from.to_vec()].concat();
    let first = from.iter().position(|&n| n != 1).unwrap_or(0);
    let last = from.iter().rposition(|&n| n != 1).unwrap_or(0);
    if from[first..] == to[first..] {
        return Some(Spread::Row(len));
    }
    if from[..=last] == to[..=last] {
        return Some(Spread::Column(total / len));
    }
    None
}

/// Row-major strides of a shape, in elements.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// Splits a shape at an axis: the product before it, its length, the product after it.
pub fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[4, 1, 3], &[2, 1]), Some(vec![4, 2, 3]));
        assert_eq!(broadcast(&[], &[2]), Some(vec![2]));
        assert_eq!(broadcast(&[3], &[2]), None);
    }

    #[test]
    fn strides_are_row_major() {
        assert_eq!(strides(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(around(&[2, 3, 4], 1), (2, 3, 4));
    }

    #[test]
    fn spreads() {
        assert_eq!(spread(&[4], &[2, 3, 4]), Some(Spread::Row(4)));
        assert_eq!(spread(&[3, 4], &[2, 3, 4]), Some(Spread::Row(12)));
        assert_eq!(spread(&[2, 1, 1], &[2, 3, 4]), Some(Spread::Column(12)));
        assert_eq!(spread(&[2, 3, 1], &[2, 3, 4]), Some(Spread::Column(4)));
        assert_eq!(spread(&[1, 1], &[2, 3, 4]), Some(Spread::Scalar));
        assert_eq!(spread(&[2, 3, 4], &[2, 3, 4]), Some(Spread::Full));
        assert_eq!(spread(&[2, 1, 4], &[2, 3, 4]), None);
        assert_eq!(spread(&[3, 1], &[2, 3, 4]), None);
    }
}
