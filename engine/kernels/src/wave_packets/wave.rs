//! What a form tells the loops over points.

use super::MAX_AXES;
use super::jets::{Adjoints, Factors, Slopes};
use crate::math::exp2;
use crate::simd::Simd;

/// Rows of floats at equal distances, a point in each column.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub first: *mut f32,
    pub stride: usize,
}

impl Rows {
    /// The vector at column `i` of a row.
    ///
    /// # Safety
    /// It must be there.
    #[inline(always)]
    pub unsafe fn load<S: Simd>(self, s: S, row: usize, i: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load(self.first.add(row * self.stride + i)) }
    }

    /// Writes it.
    ///
    /// # Safety
    /// It must be there.
    #[inline(always)]
    pub unsafe fn store<S: Simd>(self, s: S, row: usize, i: usize, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { s.store(self.first.add(row * self.stride + i), v) }
    }

    /// Adds a product to it.
    ///
    /// # Safety
    /// It must be there.
    #[inline(always)]
    pub unsafe fn mul_add<S: Simd>(self, s: S, row: usize, i: usize, a: S::V, b: S::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(s, row, i, s.mul_add(a, b, self.load(s, row, i))) }
    }

    /// The rows from one on, and the columns from one on.
    ///
    /// # Safety
    /// They must be there.
    #[inline(always)]
    pub unsafe fn from(self, row: usize, i: usize) -> Rows {
        // SAFETY: the caller's promise.
        Rows { first: unsafe { self.first.add(row * self.stride + i) }, ..self }
    }
}

/// A vector of partial sums for each row of `packets`, and one more.
#[derive(Clone, Copy)]
pub(super) struct Sums(pub *mut f32);

impl Sums {
    /// Floats from one row to the next: the widest vector.
    pub const STRIDE: usize = 16;

    /// Adds to a row.
    ///
    /// # Safety
    /// It must be there.
    #[inline(always)]
    pub unsafe fn add<S: Simd>(self, s: S, row: usize, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { s.add_term(self.0.add(row * Sums::STRIDE), v) }
    }

    /// Adds a product to a row.
    ///
    /// # Safety
    /// It must be there.
    #[inline(always)]
    pub unsafe fn mul_add<S: Simd>(self, s: S, row: usize, a: S::V, b: S::V) {
        // SAFETY: the caller's promise.
        unsafe { s.add_product(self.0.add(row * Sums::STRIDE), a, b) }
    }
}

/// Where the numbers of one wave are found.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    pub packets: &'a [f32],
    /// exp(-2 log width), one row for each row of widths.
    pub inverse_squares: &'a [f32],
    pub waves: usize,
    pub wave: usize,
}

impl Column<'_> {
    #[inline(always)]
    pub fn row(&self, row: usize) -> f32 {
        self.packets[row * self.waves + self.wave]
    }

    /// `count` rows, and zeros.
    #[inline(always)]
    pub fn rows(&self, first: usize, count: usize) -> [f32; MAX_AXES] {
        let mut values = [0.0; MAX_AXES];
        for (i, value) in values.iter_mut().take(count).enumerate() {
            *value = self.row(first + i);
        }
        values
    }

    #[inline(always)]
    pub fn inverse_square(&self, row: usize) -> f32 {
        self.inverse_squares[row * self.waves + self.wave]
    }
}

/// exp(-1/2 x `factor`), and 0 where that is below 5e-20: nothing that could be seen beside other waves, but
/// multiplied by a gradient it would be below the normal range, where processors take a hundred cycles for
/// a product.
#[inline(always)]
pub(super) fn envelope<S: Simd>(s: S, squares: S::V, factor: f32) -> S::V {
    let exponent = s.mul(squares, s.splat(-0.5 * std::f32::consts::LOG2_E * factor));
    s.select(s.lt(exponent, s.splat(-64.0)), s.splat(0.0), exp2(s, exponent))
}

/// One wave of a form. All that is not said to be a sum holds without the amplitude.
pub(super) trait Wave: Copy {
    /// There is a mu.
    const MODULATED: bool;

    /// The wave's numbers.
    fn gather(shape: &super::WavePackets, column: Column) -> Self;

    /// The factor on all of it.
    fn amplitude(&self) -> f32;

    /// Sine and cosine of the modulation's inner phase at the points of a vector, where there is one. Waited
    /// for by what follows, they are evaluated in a loop before.
    ///
    /// # Safety
    /// The points' rows must be there.
    unsafe fn inner<S: Simd>(&self, s: S, x: Rows, i: usize) -> (S::V, S::V);

    /// Evaluates at the points of a vector, from the inner phase's sine and cosine.
    ///
    /// # Safety
    /// The points' rows must be there.
    unsafe fn factors<S: Simd>(&self, s: S, x: Rows, i: usize, inner: (S::V, S::V)) -> Factors<S::V>;

    /// Stores what backward reads; B only with derivatives. The inner phase's sine and cosine, in the first
    /// two rows, are there.
    ///
    /// # Safety
    /// The rows must be there.
    unsafe fn keep<S: Simd, const ORDER: usize>(s: S, f: &Factors<S::V>, kept: Rows, i: usize);

    /// Reads it.
    ///
    /// # Safety
    /// The rows must be there.
    unsafe fn kept<S: Simd, const ORDER: usize>(s: S, kept: Rows, i: usize) -> Factors<S::V>;

    /// Slopes along an axis. To be asked for axis after axis: what the last one's are made of is summed in
    /// `along`, which starts from zeros.
    ///
    /// # Safety
    /// The points' rows must be there.
    unsafe fn slopes<S: Simd>(
        &self,
        s: S,
        x: Rows,
        i: usize,
        axis: usize,
        f: &Factors<S::V>,
        along: &mut [S::V; 2],
    ) -> Slopes<S::V>;

    /// Adds to `sums`, a vector a row of `packets`, what the points of a vector contribute, up to factors.
    /// `bars` are adjoints of the slopes, and zeros at order 0.
    ///
    /// # Safety
    /// The rows must be there.
    unsafe fn accumulate<S: Simd, const ORDER: usize>(
        &self,
        s: S,
        x: Rows,
        i: usize,
        f: &Factors<S::V>,
        whole: &Adjoints<S::V>,
        bars: &[Slopes<S::V>; MAX_AXES],
        sums: Sums,
    );

    /// From sums to gradients, but for the amplitude's.
    fn finish(&self, sums: &mut [f32]);
}
