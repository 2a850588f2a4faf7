//! Runs the steps of a program over tiles.

use super::compile::{Op, Place};
use super::{Access, Binary, MAX_OPERANDS, Program, Randomness, TILE, Unary, ops};
use crate::math;
use crate::random::{Mask, Stream, fill};
use crate::simd::{Kernel, Part, Simd, Twice, dispatch, each_vector};

/// Copies of a constant, so that it loads as a vector of any instruction set.
pub(super) const SPLAT: usize = 32;

/// A value during a tile: `step` is 1 where each element has its own, and 0 where the vector at the
/// pointer serves all.
#[derive(Clone, Copy)]
struct Source {
    pointer: *const f32,
    step: usize,
}

pub(super) struct Execution<'a> {
    pub program: &'a Program,
    pub len: usize,
    pub sources: [*const f32; MAX_OPERANDS],
    pub outputs: [*mut f32; MAX_OPERANDS],
    pub scratch: *mut f32,
    pub randomness: Randomness,
}

impl Execution<'_> {
    /// Runs all tiles. Each step of a tile is a dispatch of its own, and this loop is compiled for no
    /// instruction set, because the compiler keeps the constants of a vector loop in registers only
    /// where that loop is the outermost of its function.
    pub fn run(self) {
        let program = self.program;
        // SAFETY of every pointer below: `Program` checked the slices' lengths against `len` and the
        // scratch against its layout, and compilation checked every index.
        let spread0 = unsafe { self.scratch.add(program.registers * TILE) };
        let constants = unsafe { spread0.add(program.inputs.len() * TILE) };
        for (k, &x) in program.constants.iter().enumerate() {
            for lane in 0..SPLAT {
                unsafe { *constants.add(k * SPLAT + lane) = x };
            }
        }
        let mut inputs = [Source { pointer: constants.cast_const(), step: 0 }; MAX_OPERANDS];
        let mut spread_at = [None; MAX_OPERANDS];
        let mut start = 0;
        while start < self.len {
            let n = program.tile.min(self.len - start);
            for (k, &access) in program.inputs.iter().enumerate() {
                let spread = unsafe { spread0.add(k * TILE) };
                inputs[k] = unsafe { locate(access, self.sources[k], start, n, spread, &mut spread_at[k]) };
            }
            for step in &program.steps {
                let source = |place: Place| match place {
                    Place::Input(k) => inputs[k],
                    Place::Constant(k) => {
                        Source { pointer: constants.wrapping_add(k * SPLAT).cast_const(), step: 0 }
                    }
                    Place::Register(k) => {
                        Source { pointer: self.scratch.wrapping_add(k * TILE).cast_const(), step: 1 }
                    }
                    Place::Output(k) => {
                        Source { pointer: self.outputs[k].wrapping_add(start).cast_const(), step: 1 }
                    }
                };
                let to = source(step.to).pointer.cast_mut();
                let from = [source(step.from[0]), source(step.from[1]), source(step.from[2])];
                dispatch(TileStep { op: step.op, to, from, n, randomness: self.randomness, start });
            }
            start += n;
        }
    }
}

/// Finds the values of an input for elements `start .. start + n`, spreading them out where they are
/// neither contiguous nor all the same. `spread_at` remembers what the spread holds: the offset in the
/// input's period, and how many elements.
///
/// # Safety
/// `x` must be as long as the access asks for, and `spread` writable for a tile.
unsafe fn locate(
    access: Access,
    x: *const f32,
    start: usize,
    n: usize,
    spread: *mut f32,
    spread_at: &mut Option<(usize, usize)>,
) -> Source {
    let spread_out = Source { pointer: spread.cast_const(), step: 1 };
    let (len, inner) = match access {
        Access::Full => return Source { pointer: unsafe { x.add(start) }, step: 1 },
        Access::Scalar => (1, usize::MAX),
        Access::Row { len } => {
            let offset = start % len;
            if offset + n <= len {
                return Source { pointer: unsafe { x.add(offset) }, step: 1 };
            }
            (len, 1)
        }
        Access::Column { len } => (usize::MAX, len),
    };
    let period = len.saturating_mul(inner);
    let phase = start % period;
    if phase % inner + n <= inner {
        // One value serves the whole tile.
        for lane in 0..SPLAT {
            unsafe { *spread.add(lane) = *x.add(phase / inner) };
        }
        *spread_at = None;
        return Source { pointer: spread.cast_const(), step: 0 };
    }
    if spread_at.is_some_and(|(held, count)| held == phase && n <= count) {
        return spread_out;
    }
    let mut done = 0;
    while done < n {
        let at = (phase + done) % period;
        let value = at / inner;
        // SAFETY: `value` is below the input's length and `done + run` within the tile.
        unsafe {
            let run = if inner == 1 {
                let run = (len - value).min(n - done);
                std::ptr::copy_nonoverlapping(x.add(value), spread.add(done), run);
                run
            } else {
                let run = (inner - at % inner).min(n - done);
                std::slice::from_raw_parts_mut(spread.add(done), run).fill(*x.add(value));
                run
            };
            done += run;
        }
    }
    *spread_at = Some((phase, n));
    spread_out
}

/// One step over one tile: `to` is writable for `n` floats, and each source that the operation uses
/// readable for `n`, or for one vector where its step is 0.
struct TileStep {
    op: Op,
    to: *mut f32,
    from: [Source; 3],
    n: usize,
    randomness: Randomness,
    start: usize,
}

impl Kernel for TileStep {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let TileStep { op, to, from, n, randomness, start } = self;
        let [a, b, c] = from;
        let single = s;
        let s = Twice(s);
        macro_rules! each {
        (|$($x:ident = $source:ident),*| $value:expr) => {
            each_vector!(s, n, |i, part| {
                // SAFETY: what `TileStep` says of its pointers, for part of the tile.
                unsafe {
                    $(let $x = part.load(s, $source.pointer.add(i * $source.step));)*
                    part.store(s, to.add(i), $value);
                }
            })
        };
    }
        match op {
            Op::Unary(op) => match op {
                Unary::Copy => each!(|x = a| x),
                Unary::Neg => each!(|x = a| s.neg(x)),
                Unary::Abs => each!(|x = a| s.abs(x)),
                Unary::Sign => each!(|x = a| ops::sign(s, x)),
                Unary::Exp => each!(|x = a| math::exp(s, x)),
                Unary::Log => each!(|x = a| math::log(s, x)),
                Unary::Sqrt => each!(|x = a| s.sqrt(x)),
                Unary::Rsqrt => each!(|x = a| s.div(s.splat(1.0), s.sqrt(x))),
                Unary::Recip => each!(|x = a| s.div(s.splat(1.0), x)),
                Unary::Square => each!(|x = a| s.mul(x, x)),
                Unary::Tanh => each!(|x = a| math::tanh(s, x)),
                Unary::Sigmoid => each!(|x = a| math::sigmoid(s, x)),
                Unary::Relu => each!(|x = a| s.max(s.splat(0.0), x)),
                Unary::Step => each!(|x = a| ops::truth(s, s.lt(s.splat(0.0), x))),
                Unary::Not => each!(|x = a| ops::truth(s, ops::is_zero(s, x))),
                Unary::GeluErf => each!(|x = a| ops::gelu_erf(s, x)),
                Unary::GeluErfGrad => each!(|x = a| ops::gelu_erf_grad(s, x)),
                Unary::GeluTanh => each!(|x = a| ops::gelu_tanh(s, x)),
                Unary::GeluTanhGrad => each!(|x = a| ops::gelu_tanh_grad(s, x)),
                Unary::Silu => each!(|x = a| ops::silu(s, x)),
                Unary::SiluGrad => each!(|x = a| ops::silu_grad(s, x)),
                Unary::Elu => each!(|x = a| ops::elu(s, x)),
                Unary::EluGrad => each!(|x = a| ops::elu_grad(s, x)),
                Unary::Erf => each!(|x = a| math::erf(s, x)),
                Unary::Sin => each!(|x = a| math::sin(s, x)),
                Unary::Cos => each!(|x = a| math::cos(s, x)),
            },
            Op::Binary(op) => match op {
                Binary::Add => each!(|x = a, y = b| s.add(x, y)),
                Binary::Sub => each!(|x = a, y = b| s.sub(x, y)),
                Binary::Mul => each!(|x = a, y = b| s.mul(x, y)),
                Binary::Div => each!(|x = a, y = b| s.div(x, y)),
                Binary::Min => each!(|x = a, y = b| ops::minimum(s, x, y)),
                Binary::Max => each!(|x = a, y = b| ops::maximum(s, x, y)),
                Binary::Less => each!(|x = a, y = b| ops::truth(s, s.lt(x, y))),
                Binary::GreaterEqual => each!(|x = a, y = b| ops::truth(s, s.le(y, x))),
            },
            Op::Select => each!(|mask = a, x = b, y = c| s.select(ops::is_zero(s, mask), y, x)),
            Op::DropoutMask { keep, site } => {
                let stream = Stream { seed: randomness.seed, step: randomness.step, site };
                let position = randomness.position0 + start as u64;
                // SAFETY: what `TileStep` says of its pointers.
                unsafe { fill(single, stream, position, to, n, Mask::new(keep)) };
            }
        }
    }
}
