//! Copies that are named for what they do to a shape.

use super::strided::{MAX_AXES, copy_strided};

/// The row-major strides of a shape.
fn strides(shape: &[usize]) -> [usize; MAX_AXES] {
    assert!(shape.len() <= MAX_AXES, "{} axes, but at most {MAX_AXES} are supported", shape.len());
    let mut strides = [1; MAX_AXES];
    for k in (1..shape.len()).rev() {
        strides[k - 1] = strides[k] * shape[k];
    }
    strides
}

fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Axis k of `dst` is axis `axes[k]` of `src` \[shape\].
///
/// # Panics
/// If a length does not fit its shape, as all functions here, or `axes` is no permutation.
pub fn permute(src: &[f32], shape: &[usize], axes: &[usize], dst: &mut [f32]) {
    let n = shape.len();
    let is_permutation = axes.len() == n && (0..n).all(|k| axes.contains(&k));
    assert!(is_permutation, "{axes:?} is no permutation of {n} axes");
    assert_eq!([src.len(), dst.len()], [size(shape); 2]);
    let from = strides(shape);
    let (mut permuted, mut gather) = ([1; MAX_AXES], [0; MAX_AXES]);
    for k in 0..n {
        (permuted[k], gather[k]) = (shape[axes[k]], from[axes[k]]);
    }
    copy_strided(src, 0, &gather[..n], dst, 0, &strides(&permuted[..n])[..n], &permuted[..n]);
}

/// `dst` \[shape\] is `src` \[src_shape\] with its axes of length 1 repeated; `src_shape` may lack leading
/// axes.
pub fn broadcast_to(src: &[f32], src_shape: &[usize], shape: &[usize], dst: &mut [f32]) {
    let n = shape.len();
    assert!(src_shape.len() <= n, "{src_shape:?} has more axes than {shape:?}");
    assert_eq!([src.len(), dst.len()], [size(src_shape), size(shape)]);
    let own = strides(src_shape);
    let missing = n - src_shape.len();
    let mut repeat = [0; MAX_AXES];
    for (k, &len) in src_shape.iter().enumerate() {
        let to = shape[missing + k];
        assert!(len == to || len == 1, "{src_shape:?} does not broadcast to {shape:?}");
        repeat[missing + k] = if len == 1 { 0 } else { own[k] };
    }
    copy_strided(src, 0, &repeat[..n], dst, 0, &strides(shape)[..n], shape);
}

/// `dst` \[sizes\] is `src` \[shape\] from `starts` on, taking every `steps`-th value of each axis.
pub fn slice(
    src: &[f32],
    shape: &[usize],
    starts: &[usize],
    sizes: &[usize],
    steps: &[usize],
    dst: &mut [f32],
) {
    let n = shape.len();
    assert_eq!([starts.len(), sizes.len(), steps.len()], [n; 3]);
    assert_eq!([src.len(), dst.len()], [size(shape), size(sizes)]);
    if dst.is_empty() {
        return;
    }
    let mut from = strides(shape);
    let mut offset = 0;
    for k in 0..n {
        let last = starts[k] + (sizes[k] - 1) * steps[k];
        assert!(last < shape[k], "axis {k}: index {last} of {}", shape[k]);
        offset += starts[k] * from[k];
        from[k] *= steps[k];
    }
    copy_strided(src, offset, &from[..n], dst, 0, &strides(sizes)[..n], sizes);
}

/// `dst` is `src` \[shape\] with `before` and `after` values added along each axis, all `value`.
pub fn pad(src: &[f32], shape: &[usize], before: &[usize], after: &[usize], value: f32, dst: &mut [f32]) {
    let n = shape.len();
    assert_eq!([before.len(), after.len()], [n; 2]);
    assert!(n <= MAX_AXES, "{n} axes, but at most {MAX_AXES} are supported");
    let mut padded = [1; MAX_AXES];
    for k in 0..n {
        padded[k] = before[k] + shape[k] + after[k];
    }
    let padded = &padded[..n];
    assert_eq!([src.len(), dst.len()], [size(shape), size(padded)]);
    dst.fill(value);
    let to = strides(padded);
    let offset = before.iter().zip(&to).map(|(before, stride)| before * stride).sum();
    copy_strided(src, 0, &strides(shape)[..n], dst, offset, &to[..n], shape);
}

/// Joins `sources`, each a slice \[outer, len, inner\] with its own len, along their middle axis.
pub fn concat(sources: &[(&[f32], usize)], outer: usize, inner: usize, dst: &mut [f32]) {
    let total: usize = sources.iter().map(|(_, len)| len).sum();
    assert_eq!(dst.len(), outer * total * inner);
    let mut offset = 0;
    for &(src, len) in sources {
        assert_eq!(src.len(), outer * len * inner);
        let row = len * inner;
        copy_strided(src, 0, &[row, 1], dst, offset, &[total * inner, 1], &[outer, row]);
        offset += row;
    }
}
