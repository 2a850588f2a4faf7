//! The gradients of all lanes to one, and its size.

use crate::simd::{Kernel, Part, Simd, dispatch, each_vector};

/// Values whose squares are summed in f32; the sums of blocks are added in f64.
const BLOCK: usize = 1024;

/// out = grads\[0\] + grads\[1\] + ..., in that order for every element; 0 for no lanes.
///
/// # Panics
/// If a lane's length is not that of `out`.
pub fn sum_lanes(grads: &[&[f32]], out: &mut [f32]) {
    check(grads, out);
    dispatch(Lanes::<false> { grads, out });
}

/// [`sum_lanes`], and the sum of squares of `out` (the gradient norm's square) while it is in the cache:
/// f32 within blocks of 1,024, f64 across them, in an order that depends on the length and the
/// instruction set only.
pub fn sum_lanes_and_squares(grads: &[&[f32]], out: &mut [f32]) -> f64 {
    check(grads, out);
    dispatch(Lanes::<true> { grads, out })
}

fn check(grads: &[&[f32]], out: &[f32]) {
    for (lane, grad) in grads.iter().enumerate() {
        assert_eq!(grad.len(), out.len(), "length of lane {lane}");
    }
}

struct Lanes<'a, const SQUARES: bool> {
    grads: &'a [&'a [f32]],
    out: &'a mut [f32],
}

impl<const SQUARES: bool> Kernel for Lanes<'_, SQUARES> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let mut total = 0.0;
        let mut start = 0;
        while start < self.out.len() {
            let n = BLOCK.min(self.out.len() - start);
            // SAFETY: every lane is as long as `out`, and start + n within it.
            unsafe {
                let out = self.out.as_mut_ptr().add(start);
                match self.grads {
                    [] => self.out[start..start + n].fill(0.0),
                    [only] => out.copy_from_nonoverlapping(only.as_ptr().add(start), n),
                    [first, second, rest @ ..] => {
                        add(s, first.as_ptr().add(start), second.as_ptr().add(start), out, n);
                        for lane in rest {
                            add(s, out.cast_const(), lane.as_ptr().add(start), out, n);
                        }
                    }
                }
                if SQUARES {
                    total += f64::from(squares(s, out, n));
                }
            }
            start += n;
        }
        total
    }
}

/// out = a + b; `out` may be `a`.
///
/// # Safety
/// All must be valid for `n` floats.
#[inline(always)]
unsafe fn add<S: Simd>(s: S, a: *const f32, b: *const f32, out: *mut f32, n: usize) {
    each_vector!(s, n, |i, part| {
        // SAFETY: the caller's promise.
        unsafe { part.store(s, out.add(i), s.add(part.load(s, a.add(i)), part.load(s, b.add(i)))) };
    });
}

/// # Safety
/// `x` must be readable for `n` floats.
#[inline(always)]
unsafe fn squares<S: Simd>(s: S, x: *const f32, n: usize) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    // SAFETY: every load ends at `n` or before it.
    unsafe {
        let mut i = 0;
        while i + 4 * S::LANES <= n {
            let x = x.add(i);
            let [a, b, c, d] = [
                s.load(x),
                s.load(x.add(S::LANES)),
                s.load(x.add(2 * S::LANES)),
                s.load(x.add(3 * S::LANES)),
            ];
            sums[0] = s.mul_add(a, a, sums[0]);
            sums[1] = s.mul_add(b, b, sums[1]);
            sums[2] = s.mul_add(c, c, sums[2]);
            sums[3] = s.mul_add(d, d, sums[3]);
            i += 4 * S::LANES;
        }
        let x = x.add(i);
        each_vector!(s, n - i, |j, part| {
            let a = part.load(s, x.add(j));
            sums[0] = s.mul_add(a, a, sums[0]);
        });
    }
    s.reduce_add(s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Isa;
    use crate::random::{Stream, fill_normal};

    proptest! {
        #[test]
        fn sums_match_scalar_arithmetic(lanes in 0..5usize, len in 0..3000usize, seed: u64) {
            let grads: Vec<Vec<f32>> = (0..lanes)
                .map(|lane| {
                    let mut x = vec![0.0; len];
                    fill_normal(Stream { seed, step: 0, site: lane as u32 }, 0, &mut x);
                    x
                })
                .collect();
            let slices: Vec<&[f32]> = grads.iter().map(|x| &x[..]).collect();
            for isa in Isa::available() {
                let (mut out, mut again) = (vec![9.0; len], vec![9.0; len]);
                let squares = isa.force(|| {
                    sum_lanes(&slices, &mut out);
                    sum_lanes_and_squares(&slices, &mut again)
                });
                prop_assert_eq!(&out, &again);
                for i in 0..len {
                    let exact = grads.iter().map(|g| g[i]).reduce(|a, b| a + b).unwrap_or(0.0);
                    prop_assert_eq!(out[i], exact);
                }
                let exact: f64 = out.iter().map(|&x| f64::from(x).powi(2)).sum();
                prop_assert!((squares - exact).abs() <= 1e-6 * exact);
            }
        }
    }
}
