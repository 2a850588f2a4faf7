//! Products with a weight, and the gradient of a weight, in the precision asked for.

use bessemer_kernels::gemm::{
    Epilogue, FEW_ROWS, Half, INT8_LONGEST, Int8Shape, Parts, Strides, bf16_gemm_tiles, gemm, gemm_packed,
    gemm_scratch, gemm_shared, gemm_tiles, half_gemm, half_gemm_packed, int8_gemm, pair_columns, pair_count,
    pair_rows, quantize_rows, tiles_pay,
};
use bessemer_kernels::pool::Pool;

use super::Site;
use crate::frame::Place;
use crate::options::Precision;
use crate::packs::Packs;

/// How a product reads its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As they lie.
    Plain,
    /// The weight packed.
    Packed,
    /// The weight packed as the parts that tile registers multiply.
    Tiles(Parts),
    /// The weight packed as pairs of 16-bit floats; the other operand is made into pairs first.
    Half(Half),
    /// The weight packed as 8-bit integers; the other operand is rounded first.
    Int8,
}

/// C[m, n] = A[m, k]·B[k, n], where B is a weight.
#[derive(Clone, Debug)]
pub(super) struct WeightProduct {
    /// Where the weight is read from.
    pub weight: Place,
    m: usize,
    n: usize,
    k: usize,
    a_strides: Strides,
    b_strides: Strides,
    way: Way,
    /// Whether idle threads help.
    pub shares: bool,
}

/// Numbers of a weight from which a product is shared out among idle threads: waking them takes some
/// microseconds.
const WORTH_SHARING: usize = 64 << 10;

impl WeightProduct {
    /// Chooses how; asks for a packed copy of the weight if that pays.
    pub fn new(
        site: &mut Site,
        (m, n, k): (usize, usize, usize),
        a_strides: Strides,
        weight: Place,
        b_strides: Strides,
    ) -> WeightProduct {
        let by_rows = (a_strides, b_strides) == ((k, 1), (1, k));
        // With a single micro-batch there is work for one thread only.
        let shares = site.micro_batches == 1 && n * k >= WORTH_SHARING;
        let few = shares && by_rows && m <= FEW_ROWS;
        let plain = WeightProduct { weight, m, n, k, a_strides, b_strides, way: Way::Plain, shares: few };
        let Place::Parameter(range) = &plain.weight else { return plain };
        let mut precision = precision(site.options.precision, n, k);
        if precision == Precision::Int8 && !(by_rows && k <= INT8_LONGEST) {
            precision = Precision::F32;
        }
        // Integers are packed once and for all, and a quarter of the size: for a single row too.
        let pays = precision == Precision::Int8 || Packs::pays(m * site.micro_batches);
        if !site.options.pack || !pays {
            return plain;
        }
        let tiles = parts(precision).filter(|parts| tiles_pay(*parts, m, n, k));
        let packed = site.packs.request(range.clone(), k, n, b_strides, precision, tiles);
        let way = match (tiles, precision.half()) {
            (Some(parts), _) => Way::Tiles(parts),
            (None, Some(half)) => Way::Half(half),
            (None, None) if precision == Precision::Int8 => Way::Int8,
            (None, None) => Way::Packed,
        };
        WeightProduct { weight: Place::Packed(packed), way, shares, ..plain }
    }

    /// The kernel that runs.
    pub fn kernel(&self) -> &'static str {
        match self.way {
            Way::Plain => "gemm",
            Way::Packed => "gemm_packed",
            Way::Tiles(Parts::One) => "bf16_gemm_tiles",
            Way::Tiles(Parts::Three) => "gemm_tiles",
            Way::Half(Half::Bf16) => "bf16_gemm_packed",
            Way::Half(Half::F16) => "f16_gemm_packed",
            Way::Int8 => "int8_gemm",
        }
    }

    /// Bytes that a packed weight has less than its floats.
    pub fn saved_bytes(&self) -> f64 {
        let each = match self.way {
            Way::Plain | Way::Packed | Way::Tiles(Parts::Three) => 0,
            Way::Half(_) | Way::Tiles(Parts::One) => 2,
            Way::Int8 => 3,
        };
        (each * self.n * self.k) as f64
    }

    /// Floats of scratch.
    pub fn scratch(&self) -> usize {
        match self.way {
            Way::Plain => gemm_scratch(self.k),
            Way::Packed | Way::Tiles(_) => 0,
            Way::Half(_) => self.m * pair_count(self.k),
            Way::Int8 => Int8Shape { n: self.n, k: self.k }.rows_len(self.m),
        }
    }

    /// Multiplies `a` and what lies at `weight`; with the threads of `pool`, if there is one and it pays.
    pub fn run(
        &self,
        a: &[f32],
        weight: &[f32],
        c: &mut [f32],
        epilogue: Epilogue,
        scratch: &mut [f32],
        pool: Option<&Pool>,
    ) {
        let WeightProduct { m, n, k, a_strides, b_strides, .. } = *self;
        let pool = pool.filter(|_| self.shares);
        match (self.way, pool) {
            (Way::Plain, Some(pool)) => gemm_shared((m, n, k), a, weight, c, epilogue, scratch, pool),
            (Way::Plain, None) => gemm(m, n, k, a, a_strides, weight, b_strides, c, n, epilogue, scratch),
            (Way::Packed, _) => gemm_packed(m, n, k, a, a_strides, weight, (c, n), epilogue, pool),
            (Way::Tiles(parts), _) => {
                gemm_tiles(parts, m, n, k, a, a_strides, weight, (c, n), epilogue, pool)
            }
            (Way::Half(half), _) => {
                let pairs = pair_count(k);
                let strides = if a_strides.1 == 1 {
                    pair_columns(half, m, k, a, a_strides.0, scratch);
                    (pairs, 1)
                } else {
                    pair_rows(half, k, m, a, a_strides.1, scratch);
                    (1, m)
                };
                let a = (&scratch[..m * pairs], strides);
                half_gemm_packed(half, (m, n, k), a, weight, (c, n), epilogue, pool);
            }
            (Way::Int8, _) => {
                let shape = Int8Shape { n, k };
                quantize_rows(m, k, a, scratch);
                int8_gemm(m, shape, scratch, weight, (c, n), epilogue, pool);
            }
        }
    }
}

/// The gradient of a weight: C[m, n] = dYᵀ·X of `rows` rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightGradient {
    m: usize,
    n: usize,
    precision: Precision,
}

impl WeightGradient {
    /// For dY of `m` columns and X of `n`.
    pub fn new(m: usize, n: usize, asked: Precision) -> WeightGradient {
        WeightGradient { m, n, precision: precision(asked, m, n) }
    }

    /// The kernel that runs.
    pub fn kernel(&self) -> &'static str {
        match self.precision.half() {
            Some(Half::Bf16) => "bf16_gemm",
            Some(Half::F16) => "f16_gemm",
            None => "gemm",
        }
    }

    /// The kernel that runs once at a lane's end.
    pub fn deferred_kernel(&self) -> &'static str {
        match self.precision.half() {
            Some(Half::Bf16) => "bf16_deferred_gemm",
            Some(Half::F16) => "f16_deferred_gemm",
            None => "deferred_gemm",
        }
    }

    /// Floats of scratch for up to so many rows.
    pub fn scratch(&self, rows: usize) -> usize {
        match self.precision.half() {
            None => gemm_scratch(rows),
            Some(_) => {
                let pairs = pair_count(rows);
                pairs * (self.m + self.n) + gemm_scratch(pairs)
            }
        }
    }

    /// Multiplies.
    pub fn run(
        &self,
        rows: usize,
        dy: &[f32],
        x: &[f32],
        c: &mut [f32],
        accumulate: bool,
        scratch: &mut [f32],
    ) {
        let WeightGradient { m, n, precision } = *self;
        let epilogue = Epilogue { accumulate, ..Epilogue::default() };
        match precision.half() {
            None => gemm(m, n, rows, dy, (1, m), x, (n, 1), c, n, epilogue, scratch),
            Some(Half::Bf16) if tiles_pay(Parts::One, m, n, rows) => {
                bf16_gemm_tiles(m, n, rows, dy, (1, m), x, (n, 1), (c, n), epilogue);
            }
            Some(half) => {
                let pairs = pair_count(rows);
                let (dy_pairs, rest) = scratch.split_at_mut(pairs * m);
                let (x_pairs, rest) = rest.split_at_mut(pairs * n);
                pair_rows(half, rows, m, dy, m, dy_pairs);
                pair_rows(half, rows, n, x, n, x_pairs);
                let (dy, x) = ((&*dy_pairs, (1, m)), (&*x_pairs, (n, 1)));
                half_gemm(half, (m, n, rows), dy, x, (c, n), epilogue, rest);
            }
        }
    }
}

/// What tile registers multiply in a precision, if they can.
fn parts(precision: Precision) -> Option<Parts> {
    match precision {
        Precision::F32 => Some(Parts::Three),
        Precision::Bf16 => Some(Parts::One),
        Precision::F16 | Precision::Int8 => None,
    }
}

/// Sides of a weight from which rounding the other factor pays: it costs a sweep over it.
const WORTH_ROUNDING: usize = 32;

/// The precision asked for, or f32 for a weight with a short side.
fn precision(asked: Precision, n: usize, k: usize) -> Precision {
    if n.min(k) >= WORTH_ROUNDING { asked } else { Precision::F32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bessemer_kernels::Isa;

    #[test]
    fn gradients_in_bf16_take_tile_registers_where_there_are_any() {
        let (rows, m, n) = (40, 64, 48);
        let numbers = |len: usize| (0..len).map(|i| (i as f32).sin()).collect::<Vec<f32>>();
        let (dy, x) = (numbers(rows * m), numbers(rows * n));
        let gradient = WeightGradient::new(m, n, Precision::Bf16);
        let run = |isa: Isa| {
            isa.force(|| {
                let mut c = vec![0.0; m * n];
                gradient.run(rows, &dy, &x, &mut c, false, &mut vec![0.0; gradient.scratch(rows)]);
                c
            })
        };
        if !Isa::available().contains(&Isa::Amx) {
            return eprintln!("skipped: this machine has no tile registers");
        }
        let mut tiles = vec![0.0; m * n];
        Isa::Amx.force(|| {
            bf16_gemm_tiles(m, n, rows, &dy, (1, m), &x, (n, 1), (&mut tiles, n), Epilogue::default());
        });
        assert_eq!(run(Isa::Amx), tiles);
        assert_ne!(run(Isa::Avx512), tiles, "sums in another order have other bits");
    }
}
