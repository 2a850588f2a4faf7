//! What happens to a tile of a product on its way from registers to memory.

use super::activation::{self, Activation, Apply};
use crate::simd::Simd;

/// What is done with the sum A·B before it is stored as C (all off by default):
///
/// ```text
/// x = A·B + bias + (C, if accumulate)      stored as `pre_activation`, if asked for
/// C = activation(x) + residual
/// ```
#[derive(Debug, Default)]
pub struct Epilogue<'a> {
    /// Adds to what C holds instead of replacing it.
    pub accumulate: bool,
    /// One value a column, of length n.
    pub bias: Option<&'a [f32]>,
    /// Applied to every element.
    pub activation: Activation,
    /// Where x is kept for the backward pass: `[m, n]` with this row stride.
    pub pre_activation: Option<(&'a mut [f32], usize)>,
    /// Added after the activation: `[m, n]` with this row stride.
    pub residual: Option<(&'a [f32], usize)>,
}

impl<'a> Epilogue<'a> {
    /// C += A·B
    pub fn accumulate() -> Self {
        Epilogue { accumulate: true, ..Self::default() }
    }

    /// C = A·B + bias
    pub fn bias(bias: &'a [f32]) -> Self {
        Epilogue { bias: Some(bias), ..Self::default() }
    }

    /// Checks every length and drops the lifetimes, for C at `c`.
    pub(super) fn finish(self, m: usize, n: usize, c: *mut f32, c_row: usize) -> Finish {
        if let Some(bias) = self.bias {
            assert_eq!(bias.len(), n, "bias: one value a column");
        }
        if let Some((x, row)) = &self.pre_activation {
            super::check("pre_activation", x.len(), (m, n), (*row, 1));
        }
        if let Some((x, row)) = self.residual {
            super::check("residual", x.len(), (m, n), (row, 1));
        }
        let (pre, pre_row) = self.pre_activation.map_or((None, 0), |(x, row)| (Some(x.as_mut_ptr()), row));
        Finish {
            accumulate: self.accumulate,
            bias: self.bias.map(<[f32]>::as_ptr),
            activation: self.activation,
            pre,
            pre_row,
            residual: self.residual.map(|(x, _)| x.as_ptr()),
            residual_row: self.residual.map_or(0, |(_, row)| row),
            c,
            c_row,
        }
    }
}

/// An [`Epilogue`] whose lengths were checked, and where C is.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    pub accumulate: bool,
    bias: Option<*const f32>,
    activation: Activation,
    pre: Option<*mut f32>,
    pre_row: usize,
    residual: Option<*const f32>,
    residual_row: usize,
    pub c: *mut f32,
    c_row: usize,
}

impl Finish {
    /// Stores the sum, or adds it.
    #[inline(always)]
    pub fn plain(c: *mut f32, c_row: usize, accumulate: bool) -> Self {
        Finish {
            accumulate,
            bias: None,
            activation: Activation::None,
            pre: None,
            pre_row: 0,
            residual: None,
            residual_row: 0,
            c,
            c_row,
        }
    }

    /// Only the sum of this part of the inner dimension, to be finished by a later part.
    #[inline(always)]
    pub fn partial(self) -> Self {
        Finish { bias: None, activation: Activation::None, pre: None, residual: None, ..self }
    }

    /// The same for the tile at row i, column j.
    #[inline(always)]
    pub fn at(self, i: usize, j: usize) -> Self {
        Finish {
            bias: self.bias.map(|p| p.wrapping_add(j)),
            pre: self.pre.map(|p| p.wrapping_add(i * self.pre_row + j)),
            residual: self.residual.map(|p| p.wrapping_add(i * self.residual_row + j)),
            c: self.c.wrapping_add(i * self.c_row + j),
            ..self
        }
    }

    /// Whether [`Finish::store_cheap`] can do it.
    #[inline(always)]
    pub fn is_cheap(&self) -> bool {
        matches!(self.activation, Activation::None | Activation::Relu) && self.pre.is_none()
    }

    /// Whether the sum is stored or added as it is.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.is_cheap()
            && self.activation == Activation::None
            && self.bias.is_none()
            && self.residual.is_none()
    }

    /// Asks for what [`Finish::store`] will read, so that it is there once the tile is summed.
    #[inline(always)]
    pub fn prefetch<S: Simd, const R: usize, const C: usize>(&self, s: S) {
        for i in 0..R {
            for j in 0..C {
                if self.accumulate {
                    s.prefetch(self.c.wrapping_add(i * self.c_row + j * S::LANES));
                }
                if let Some(residual) = self.residual {
                    s.prefetch(residual.wrapping_add(i * self.residual_row + j * S::LANES));
                }
            }
        }
    }

    /// Stores a tile of whole vectors from registers.
    ///
    /// # Safety
    /// [`Finish::is_plain`], and the tile lies within C.
    #[inline(always)]
    pub unsafe fn store<S: Simd, const R: usize, const C: usize>(self, s: S, sum: [[S::V; C]; R]) {
        // Two small loops are unrolled, so that sums stay in registers; one with a choice in it, or with
        // more to do, would have them stored and loaded again first.
        if self.accumulate {
            for (i, row) in sum.iter().enumerate() {
                for (j, &v) in row.iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let c = self.c.add(i * self.c_row + j * S::LANES);
                        s.store(c, s.add(v, s.load(c)));
                    }
                }
            }
        } else {
            for (i, row) in sum.iter().enumerate() {
                for (j, &v) in row.iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe { s.store(self.c.add(i * self.c_row + j * S::LANES), v) };
                }
            }
        }
    }

    /// Finishes a tile of whole vectors that was spilled to `tile`, dense.
    ///
    /// # Safety
    /// [`Finish::is_cheap`]; the tile is readable, and lies within C and within whatever the epilogue
    /// names.
    #[inline(always)]
    pub unsafe fn store_cheap<S: Simd>(self, s: S, tile: *const f32, rows: usize, vectors: usize) {
        for i in 0..rows {
            for j in 0..vectors {
                // SAFETY: the caller's promise.
                unsafe {
                    let mut v = s.load(tile.add((i * vectors + j) * S::LANES));
                    if let Some(bias) = self.bias {
                        v = s.add(v, s.load(bias.add(j * S::LANES)));
                    }
                    let c = self.c.add(i * self.c_row + j * S::LANES);
                    if self.accumulate {
                        v = s.add(v, s.load(c));
                    }
                    if self.activation == Activation::Relu {
                        v = activation::Relu::apply(s, v);
                    }
                    if let Some(residual) = self.residual {
                        v = s.add(v, s.load(residual.add(i * self.residual_row + j * S::LANES)));
                    }
                    s.store(c, v);
                }
            }
        }
    }

    /// Stores a tile that was spilled to `tile` (`rows` rows, `tile_row` apart), of which only the
    /// first `columns` columns belong to C.
    ///
    /// # Safety
    /// The tile is readable; those columns lie within C and within whatever the epilogue names.
    #[inline(always)]
    pub unsafe fn store_spilled<S: Simd>(
        self,
        s: S,
        tile: *const f32,
        tile_row: usize,
        rows: usize,
        columns: usize,
    ) {
        // One loop for every activation, so that each is chosen once a tile.
        macro_rules! with {
            ($activation:ident) => {
                for i in 0..rows {
                    let mut j = 0;
                    while j < columns {
                        let count = (columns - j).min(S::LANES);
                        // SAFETY: the caller's promise for row i, columns j..j + count.
                        unsafe {
                            let v = s.load(tile.add(i * tile_row + j));
                            self.at(i, j).store_vector::<S, activation::$activation>(s, v, count);
                        }
                        j += S::LANES;
                    }
                }
            };
        }
        match self.activation {
            Activation::None => with!(Identity),
            Activation::Relu => with!(Relu),
            Activation::GeluErf => with!(GeluErf),
            Activation::GeluTanh => with!(GeluTanh),
            Activation::Silu => with!(Silu),
            Activation::Tanh => with!(Tanh),
            Activation::Sigmoid => with!(Sigmoid),
        }
    }

    /// Stores the first `count` lanes at the place `self` is at.
    ///
    /// # Safety
    /// They lie within C and within whatever the epilogue names.
    #[inline(always)]
    unsafe fn store_vector<S: Simd, A: Apply>(self, s: S, v: S::V, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut v = v;
            if let Some(bias) = self.bias {
                v = s.add(v, load(s, bias, count));
            }
            if self.accumulate {
                v = s.add(v, load(s, self.c, count));
            }
            if let Some(pre) = self.pre {
                store(s, pre, count, v);
            }
            v = A::apply(s, v);
            if let Some(residual) = self.residual {
                v = s.add(v, load(s, residual, count));
            }
            store(s, self.c, count, v);
        }
    }
}

/// Loads `count <= LANES` floats.
///
/// # Safety
/// They must be readable.
#[inline(always)]
unsafe fn load<S: Simd>(s: S, p: *const f32, count: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { if count == S::LANES { s.load(p) } else { s.load_first(p, count) } }
}

/// Stores `count <= LANES` floats.
///
/// # Safety
/// They must be writable.
#[inline(always)]
unsafe fn store<S: Simd>(s: S, p: *mut f32, count: usize, v: S::V) {
    // SAFETY: the caller's promise.
    unsafe { if count == S::LANES { s.store(p, v) } else { s.store_first(p, count, v) } }
}
