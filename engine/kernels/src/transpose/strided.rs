//! Copies between strided views.

use super::transpose_strided;
use crate::simd::{Kernel, Part, Simd, dispatch, each_vector};

/// The most axes a shape may have.
pub const MAX_AXES: usize = 6;

/// One axis of a copy.
#[derive(Clone, Copy, Default)]
struct Axis {
    len: usize,
    src: usize,
    dst: usize,
}

/// dst\[dst_offset + sum(i * dst_strides)\] = src\[src_offset + sum(i * src_strides)\] for every index i
/// within `shape`. Strides count floats; a source stride of 0 repeats values.
///
/// # Panics
/// If there are more than [`MAX_AXES`] axes, the numbers of strides differ from that of axes, or an
/// index leaves a slice.
pub fn copy_strided(
    src: &[f32],
    src_offset: usize,
    src_strides: &[usize],
    dst: &mut [f32],
    dst_offset: usize,
    dst_strides: &[usize],
    shape: &[usize],
) {
    assert!(shape.len() <= MAX_AXES, "{} axes, but at most {MAX_AXES} are supported", shape.len());
    assert_eq!([src_strides.len(), dst_strides.len()], [shape.len(); 2], "strides for {shape:?}");
    if shape.contains(&0) {
        return;
    }
    let last = |offset: usize, strides: &[usize]| {
        offset + shape.iter().zip(strides).map(|(n, stride)| (n - 1) * stride).sum::<usize>()
    };
    assert!(last(src_offset, src_strides) < src.len(), "source of {} for {shape:?}", src.len());
    assert!(last(dst_offset, dst_strides) < dst.len(), "destination of {} for {shape:?}", dst.len());

    let mut axes = [Axis::default(); MAX_AXES];
    let mut count = 0;
    for k in 0..shape.len() {
        let axis = Axis { len: shape[k], src: src_strides[k], dst: dst_strides[k] };
        if axis.len == 1 {
            continue;
        }
        // An axis whose steps continue the one before it is one longer axis with it.
        if count > 0 {
            let outer: &mut Axis = &mut axes[count - 1];
            if outer.src == axis.len * axis.src && outer.dst == axis.len * axis.dst {
                *outer = Axis { len: outer.len * axis.len, ..axis };
                continue;
            }
        }
        axes[count] = axis;
        count += 1;
    }
    let inner = choose_inner(&mut axes[..count]);
    dispatch(Copy {
        src: src[src_offset..].as_ptr(),
        dst: dst[dst_offset..].as_mut_ptr(),
        outer: axes,
        count: count - inner.axes(),
        inner,
    });
}

/// The inner loop of a copy.
#[derive(Clone, Copy)]
enum Inner {
    One,
    Line(Axis),
    /// Source neighbours along the first, destination neighbours along the second.
    Transpose(Axis, Axis),
}

impl Inner {
    fn axes(&self) -> usize {
        match self {
            Inner::One => 0,
            Inner::Line(_) => 1,
            Inner::Transpose(..) => 2,
        }
    }
}

/// Moves the axes of the inner loop to the end.
fn choose_inner(axes: &mut [Axis]) -> Inner {
    // The axis with neighbouring destinations is innermost: stores are what strides hurt most.
    let Some(to) = (0..axes.len()).min_by_key(|&k| (axes[k].dst, axes[k].src)) else { return Inner::One };
    axes[to..].rotate_left(1);
    let (last, rest) = axes.split_last_mut().expect("not empty");
    if last.dst == 1
        && last.src > 1
        && let Some(from) = rest.iter().position(|axis| axis.src == 1)
    {
        rest[from..].rotate_left(1);
        return Inner::Transpose(rest[rest.len() - 1], *last);
    }
    Inner::Line(*last)
}

struct Copy {
    src: *const f32,
    dst: *mut f32,
    outer: [Axis; MAX_AXES],
    count: usize,
    inner: Inner,
}

impl Kernel for Copy {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let outer = &self.outer[..self.count];
        let mut index = [0; MAX_AXES];
        let (mut from, mut to) = (0, 0);
        loop {
            // SAFETY: `copy_strided` checked that the last index is within both slices.
            unsafe {
                let (src, dst) = (self.src.add(from), self.dst.add(to));
                match self.inner {
                    Inner::One => *dst = *src,
                    Inner::Line(axis) => copy_line(s, src, dst, axis),
                    Inner::Transpose(columns, rows) => {
                        transpose_strided(s, src, rows.src, dst, columns.dst, rows.len, columns.len);
                    }
                }
            }
            // Counts up, as an odometer does.
            let mut k = outer.len();
            loop {
                if k == 0 {
                    return;
                }
                k -= 1;
                index[k] += 1;
                from += outer[k].src;
                to += outer[k].dst;
                if index[k] < outer[k].len {
                    break;
                }
                from -= outer[k].src * outer[k].len;
                to -= outer[k].dst * outer[k].len;
                index[k] = 0;
            }
        }
    }
}

/// # Safety
/// `len` places must be valid from each pointer on, `src` and `dst` apart.
#[inline(always)]
unsafe fn copy_line<S: Simd>(s: S, src: *const f32, dst: *mut f32, axis: Axis) {
    // SAFETY: the caller's promise.
    unsafe {
        match (axis.src, axis.dst) {
            // Short lines, such as one attention head, are over before `memcpy` has found its way.
            (1, 1) if axis.len <= 64 => {
                each_vector!(s, axis.len, |i, part| part.store(s, dst.add(i), part.load(s, src.add(i))));
            }
            (1, 1) => std::ptr::copy_nonoverlapping(src, dst, axis.len),
            (0, 1) => std::slice::from_raw_parts_mut(dst, axis.len).fill(*src),
            (from, to) => {
                for i in 0..axis.len {
                    *dst.add(i * to) = *src.add(i * from);
                }
            }
        }
    }
}
