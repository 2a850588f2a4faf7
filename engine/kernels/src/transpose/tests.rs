use proptest::prelude::*;

use super::*;
use crate::Isa;

fn count_up(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32).collect()
}

/// All indices of a shape, in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &n| {
        all.iter().flat_map(|head| (0..n).map(move |i| [&head[..], &[i]].concat())).collect()
    })
}

fn flat(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (n, i)| at * n + i)
}

fn shape(max: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..max, 1..=MAX_AXES)
}

proptest! {
    #[test]
    fn transposes_match_indexing(rows in 0..150usize, cols in 0..150usize) {
        let src = count_up(rows * cols);
        for isa in Isa::available() {
            let mut dst = vec![-1.0; rows * cols];
            isa.force(|| transpose(&src, &mut dst, rows, cols));
            for i in 0..rows {
                for j in 0..cols {
                    prop_assert_eq!(dst[j * rows + i], src[i * cols + j]);
                }
            }
        }
    }

    #[test]
    fn permutations_match_indexing(
        (shape, axes) in prop_oneof![shape(5), prop::collection::vec(1..40usize, 1..=3)].prop_flat_map(|shape| {
            let axes: Vec<usize> = (0..shape.len()).collect();
            (Just(shape), Just(axes).prop_shuffle())
        }),
    ) {
        let src = count_up(shape.iter().product());
        let permuted: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
        for isa in Isa::available() {
            let mut dst = vec![-1.0; src.len()];
            isa.force(|| permute(&src, &shape, &axes, &mut dst));
            for to in indices(&permuted) {
                let mut from = vec![0; shape.len()];
                for (k, &axis) in axes.iter().enumerate() {
                    from[axis] = to[k];
                }
                prop_assert_eq!(dst[flat(&permuted, &to)], src[flat(&shape, &from)]);
            }
        }
    }

    #[test]
    fn broadcasts_match_indexing(shape in shape(6), ones in any::<u8>(), missing in 0..3usize) {
        let missing = missing.min(shape.len() - 1);
        let src_shape: Vec<usize> =
            shape.iter().enumerate().map(|(k, &n)| if ones >> k & 1 == 1 { 1 } else { n }).skip(missing).collect();
        let src = count_up(src_shape.iter().product());
        let mut dst = vec![-1.0; shape.iter().product()];
        broadcast_to(&src, &src_shape, &shape, &mut dst);
        for to in indices(&shape) {
            let from: Vec<usize> =
                to[missing..].iter().zip(&src_shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
            prop_assert_eq!(dst[flat(&shape, &to)], src[flat(&src_shape, &from)]);
        }
    }

    #[test]
    fn slices_and_pads_match_indexing(axes in prop::collection::vec((0..3usize, 1..5usize, 1..3usize, 0..3usize), 1..5)) {
        let starts: Vec<usize> = axes.iter().map(|a| a.0).collect();
        let sizes: Vec<usize> = axes.iter().map(|a| a.1).collect();
        let steps: Vec<usize> = axes.iter().map(|a| a.2).collect();
        let after: Vec<usize> = axes.iter().map(|a| a.3).collect();
        let whole: Vec<usize> = axes.iter().map(|a| a.0 + (a.1 - 1) * a.2 + 1 + a.3).collect();
        let src = count_up(whole.iter().product());
        let mut part = vec![-1.0; sizes.iter().product()];
        slice(&src, &whole, &starts, &sizes, &steps, &mut part);
        for to in indices(&sizes) {
            let from: Vec<usize> = (0..axes.len()).map(|k| starts[k] + to[k] * steps[k]).collect();
            prop_assert_eq!(part[flat(&sizes, &to)], src[flat(&whole, &from)]);
        }

        let padded: Vec<usize> = (0..axes.len()).map(|k| starts[k] + sizes[k] + after[k]).collect();
        let mut dst = vec![0.0; padded.iter().product()];
        pad(&part, &sizes, &starts, &after, -7.0, &mut dst);
        for to in indices(&padded) {
            let inside = (0..axes.len()).all(|k| (starts[k]..starts[k] + sizes[k]).contains(&to[k]));
            let expected = if inside {
                let from: Vec<usize> = (0..axes.len()).map(|k| to[k] - starts[k]).collect();
                part[flat(&sizes, &from)]
            } else {
                -7.0
            };
            prop_assert_eq!(dst[flat(&padded, &to)], expected);
        }
    }

    #[test]
    fn concatenations_match_indexing(lens in prop::collection::vec(0..5usize, 0..4), outer in 1..4usize, inner in 1..6usize) {
        let sources: Vec<Vec<f32>> = lens
            .iter()
            .enumerate()
            .map(|(k, n)| count_up(outer * n * inner).iter().map(|x| x + 1000.0 * k as f32).collect())
            .collect();
        let pairs: Vec<(&[f32], usize)> = sources.iter().zip(&lens).map(|(x, &n)| (&x[..], n)).collect();
        let total: usize = lens.iter().sum();
        let mut dst = vec![-1.0; outer * total * inner];
        concat(&pairs, outer, inner, &mut dst);
        let mut expected = Vec::new();
        for o in 0..outer {
            for (x, n) in &pairs {
                expected.extend_from_slice(&x[o * n * inner..][..n * inner]);
            }
        }
        prop_assert_eq!(dst, expected);
    }
}

#[test]
#[should_panic(expected = "source of 4 for [2, 3]")]
fn copies_beyond_a_slice_are_refused() {
    copy_strided(&[0.0; 4], 0, &[2, 1], &mut [0.0; 6], 0, &[3, 1], &[2, 3]);
}
