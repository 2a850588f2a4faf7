//! A vector type that never fuses, for results that are the same bits on every instruction set.

use super::Simd;

/// The operations of `S`, with `mul_add` rounded twice as in [`super::Portable`].
#[derive(Clone, Copy)]
pub(crate) struct Unfused<S>(pub S);

macro_rules! same_as_inner {
    ($($name:ident($($x:ident: $t:ident),*) -> $r:ty;)*) => {$(
        #[inline(always)]
        fn $name(self, $($x: Self::$t),*) -> $r {
            self.0.$name($($x),*)
        }
    )*};
}

impl<S: Simd> Simd for Unfused<S> {
    const LANES: usize = S::LANES;
    const FUSED: bool = false;
    type V = S::V;
    type I = S::I;
    type M = S::M;

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.add(self.0.mul(a, b), c)
    }
    #[inline(always)]
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.sub(c, self.0.mul(a, b))
    }

    same_as_inner! {
        add(a: V, b: V) -> Self::V;
        sub(a: V, b: V) -> Self::V;
        mul(a: V, b: V) -> Self::V;
        div(a: V, b: V) -> Self::V;
        min(a: V, b: V) -> Self::V;
        max(a: V, b: V) -> Self::V;
        sqrt(a: V) -> Self::V;
        abs(a: V) -> Self::V;
        neg(a: V) -> Self::V;
        round(a: V) -> Self::V;
        scale(a: V, n: V) -> Self::V;
        copysign(a: V, b: V) -> Self::V;
        lt(a: V, b: V) -> Self::M;
        le(a: V, b: V) -> Self::M;
        is_nan(a: V) -> Self::M;
        select(mask: M, a: V, b: V) -> Self::V;
        bits(a: V) -> Self::I;
        as_float(a: I) -> Self::V;
        to_int(a: V) -> Self::I;
        to_float(a: I) -> Self::V;
        add_i(a: I, b: I) -> Self::I;
        sub_i(a: I, b: I) -> Self::I;
        mul_i(a: I, b: I) -> Self::I;
        mul_high_i(a: I, b: I) -> Self::I;
        and_i(a: I, b: I) -> Self::I;
        or_i(a: I, b: I) -> Self::I;
        xor_i(a: I, b: I) -> Self::I;
        eq_i(a: I, b: I) -> Self::M;
        iota() -> Self::I;
        reduce_add(a: V) -> f32;
        reduce_max(a: V) -> f32;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        self.0.splat(x)
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> Self::I {
        self.0.splat_i(x)
    }
    #[inline(always)]
    fn shl_i<const N: i32>(self, a: Self::I) -> Self::I {
        self.0.shl_i::<N>(a)
    }
    #[inline(always)]
    fn shr_i<const N: i32>(self, a: Self::I) -> Self::I {
        self.0.shr_i::<N>(a)
    }
    #[inline(always)]
    fn sar_i<const N: i32>(self, a: Self::I) -> Self::I {
        self.0.sar_i::<N>(a)
    }
    // SAFETY of those below: the caller's promise is the inner one's.
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        unsafe { self.0.load(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        unsafe { self.0.store(p, v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V {
        unsafe { self.0.load_first(p, n) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V) {
        unsafe { self.0.store_first(p, n, v) }
    }
    #[inline(always)]
    unsafe fn transpose_8x8(self, src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
        unsafe { self.0.transpose_8x8(src, src_stride, dst, dst_stride) }
    }
}
