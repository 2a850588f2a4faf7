//! Two vectors as one, so that long chains of dependent operations interleave.

use super::Simd;

/// Pairs of vectors of `S`. A processor's schedulers hold only a few dozen waiting operations, so one
/// polynomial after another leaves its arithmetic units idle at times; two side by side do so less,
/// and load their constants once.
#[derive(Clone, Copy)]
pub(crate) struct Twice<S>(pub S);

macro_rules! on_both {
    ($($name:ident($($x:ident: $t:ident),*) -> $r:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, $($x: Self::$t),*) -> Self::$r {
            (self.0.$name($($x.0),*), self.0.$name($($x.1),*))
        }
    )*};
}

impl<S: Simd> Simd for Twice<S> {
    const LANES: usize = 2 * S::LANES;
    const FUSED: bool = S::FUSED;
    type V = (S::V, S::V);
    type I = (S::I, S::I);
    type M = (S::M, S::M);

    on_both! {
        add(a: V, b: V) -> V;
        sub(a: V, b: V) -> V;
        mul(a: V, b: V) -> V;
        div(a: V, b: V) -> V;
        mul_add(a: V, b: V, c: V) -> V;
        neg_mul_add(a: V, b: V, c: V) -> V;
        min(a: V, b: V) -> V;
        max(a: V, b: V) -> V;
        sqrt(a: V) -> V;
        abs(a: V) -> V;
        neg(a: V) -> V;
        round(a: V) -> V;
        scale(a: V, n: V) -> V;
        copysign(a: V, b: V) -> V;
        lt(a: V, b: V) -> M;
        le(a: V, b: V) -> M;
        is_nan(a: V) -> M;
        select(mask: M, a: V, b: V) -> V;
        bits(a: V) -> I;
        as_float(a: I) -> V;
        to_int(a: V) -> I;
        to_float(a: I) -> V;
        add_i(a: I, b: I) -> I;
        sub_i(a: I, b: I) -> I;
        mul_i(a: I, b: I) -> I;
        mul_high_i(a: I, b: I) -> I;
        and_i(a: I, b: I) -> I;
        or_i(a: I, b: I) -> I;
        xor_i(a: I, b: I) -> I;
        eq_i(a: I, b: I) -> M;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        (self.0.splat(x), self.0.splat(x))
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> Self::I {
        (self.0.splat_i(x), self.0.splat_i(x))
    }
    #[inline(always)]
    fn shl_i<const N: i32>(self, a: Self::I) -> Self::I {
        (self.0.shl_i::<N>(a.0), self.0.shl_i::<N>(a.1))
    }
    #[inline(always)]
    fn shr_i<const N: i32>(self, a: Self::I) -> Self::I {
        (self.0.shr_i::<N>(a.0), self.0.shr_i::<N>(a.1))
    }
    #[inline(always)]
    fn sar_i<const N: i32>(self, a: Self::I) -> Self::I {
        (self.0.sar_i::<N>(a.0), self.0.sar_i::<N>(a.1))
    }
    #[inline(always)]
    fn iota(self) -> Self::I {
        let first = self.0.iota();
        (first, self.0.add_i(first, self.0.splat_i(S::LANES as i32)))
    }
    #[inline(always)]
    fn reduce_add(self, a: Self::V) -> f32 {
        self.0.reduce_add(self.0.add(a.0, a.1))
    }
    #[inline(always)]
    fn reduce_max(self, a: Self::V) -> f32 {
        self.0.reduce_max(self.0.max(a.0, a.1))
    }
    // SAFETY of those below: the caller's promise covers both halves.
    #[inline(always)]
    unsafe fn add_product(self, p: *mut f32, a: Self::V, b: Self::V) {
        unsafe { self.0.store(p, self.0.mul_add(a.1, b.1, self.0.mul_add(a.0, b.0, self.0.load(p)))) }
    }
    #[inline(always)]
    unsafe fn add_term(self, p: *mut f32, a: Self::V) {
        unsafe { self.0.store(p, self.0.add(self.0.load(p), self.0.add(a.0, a.1))) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        unsafe { (self.0.load(p), self.0.load(p.add(S::LANES))) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        unsafe {
            self.0.store(p, v.0);
            self.0.store(p.add(S::LANES), v.1);
        }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V {
        unsafe {
            match n.checked_sub(S::LANES) {
                None => (self.0.load_first(p, n), self.0.splat(0.0)),
                Some(rest) => (self.0.load(p), self.0.load_first(p.add(S::LANES), rest)),
            }
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V) {
        unsafe {
            match n.checked_sub(S::LANES) {
                None => self.0.store_first(p, n, v.0),
                Some(rest) => {
                    self.0.store(p, v.0);
                    self.0.store_first(p.add(S::LANES), rest, v.1);
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn transpose_8x8(self, src: *const f32, src_stride: usize, dst: *mut f32, dst_stride: usize) {
        unsafe { self.0.transpose_8x8(src, src_stride, dst, dst_stride) }
    }
}
