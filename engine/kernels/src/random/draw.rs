//! From random words to numbers of a distribution.

use std::f32::consts::FRAC_PI_2;

use super::{Stream, philox};
use crate::math::{log, trig::quadrant};
use crate::simd::{Simd, Unfused};

/// Words in a group: 16 blocks of 4.
const WORDS: usize = 64;

/// The most numbers that a distribution makes of a word.
const MOST_PER_WORD: usize = 2;

/// A distribution: four vectors of numbers from the four words of some blocks. Must give the same
/// bits on every instruction set.
pub(crate) trait Draw: Copy {
    /// Numbers made of each word.
    const PER_WORD: usize = 1;

    /// The numbers of this turn, of `PER_WORD` turns.
    fn draw<S: Simd>(self, s: S, words: [S::I; 4], turn: usize) -> [S::V; 4];
}

/// Uniform in 0 .. 1.
#[derive(Clone, Copy)]
pub(crate) struct Uniform;

/// The 24 upper bits of a word as a fraction.
#[inline(always)]
fn uniform<S: Simd>(s: S, word: S::I) -> S::V {
    s.mul(s.to_float(s.shr_i::<8>(word)), s.splat(1.0 / 16_777_216.0))
}

impl Draw for Uniform {
    #[inline(always)]
    fn draw<S: Simd>(self, s: S, words: [S::I; 4], _: usize) -> [S::V; 4] {
        [uniform(s, words[0]), uniform(s, words[1]), uniform(s, words[2]), uniform(s, words[3])]
    }
}

/// 1 / keep with probability keep, and 0 otherwise. Half a word decides, so that keep is rounded to
/// a multiple of 2^-16, and the factor is that of the rounded one: the mean is exactly 1.
#[derive(Clone, Copy)]
pub(crate) struct Mask {
    /// Halves of words below this keep.
    below: i32,
    factor: f32,
}

impl Mask {
    pub(crate) fn new(keep: f32) -> Mask {
        assert!(keep > 0.0 && keep <= 1.0, "dropout keeps with probability {keep}, not in (0, 1]");
        let below = (keep * 65_536.0).round().max(1.0);
        Mask { below: below as i32, factor: 65_536.0 / below }
    }

    /// The factor that half a word gives.
    pub(super) fn of(self, half: u32) -> f32 {
        if (half as i32) < self.below { self.factor } else { 0.0 }
    }
}

impl Draw for Mask {
    const PER_WORD: usize = 2;

    #[inline(always)]
    fn draw<S: Simd>(self, s: S, words: [S::I; 4], turn: usize) -> [S::V; 4] {
        let (factor, zero) = (s.splat(self.factor), s.splat(0.0));
        let mut numbers = [zero; 4];
        for (number, word) in numbers.iter_mut().zip(words) {
            let half = if turn == 0 { s.and_i(word, s.splat_i(0xffff)) } else { s.shr_i::<16>(word) };
            let above = s.sub_i(half, s.splat_i(self.below));
            // The sign of the difference, as a mask over the factor.
            *number = s.as_float(s.and_i(s.sar_i::<31>(above), s.bits(factor)));
        }
        numbers
    }
}

/// Standard normal.
#[derive(Clone, Copy)]
pub(crate) struct Normal;

/// Two normals from two words (Box and Muller, 1958), without fused arithmetic.
#[inline(always)]
fn normals<S: Simd>(s: S, radius: S::I, angle: S::I) -> (S::V, S::V) {
    let s = Unfused(s);
    let u = s.add(uniform(s, radius), s.splat(1.0 / 16_777_216.0)); // in (0, 1], for the logarithm
    let radius = s.sqrt(s.mul(s.splat(-2.0), log(s, u)));
    // The upper two bits choose the quarter of the circle, the others the place in it.
    let place = s.sub_i(s.and_i(angle, s.splat_i(0x3fff_ffff)), s.splat_i(0x2000_0000));
    let place = s.mul(s.to_float(place), s.splat(FRAC_PI_2 / 1_073_741_824.0));
    let quarter = s.shr_i::<30>(angle);
    let cosine = quadrant(s, s.add_i(quarter, s.splat_i(1)), place);
    let sine = quadrant(s, quarter, place);
    (s.mul(radius, cosine), s.mul(radius, sine))
}

impl Draw for Normal {
    #[inline(always)]
    fn draw<S: Simd>(self, s: S, words: [S::I; 4], _: usize) -> [S::V; 4] {
        let (a, b) = normals(s, words[0], words[1]);
        let (c, d) = normals(s, words[2], words[3]);
        [a, b, c, d]
    }
}

/// Writes the numbers at positions `position0 .. position0 + len`.
///
/// # Safety
/// `out` must be writable for `len` floats.
#[inline(always)]
pub(crate) unsafe fn fill<S: Simd, D: Draw>(
    s: S,
    stream: Stream,
    position0: u64,
    out: *mut f32,
    len: usize,
    draw: D,
) {
    let group = WORDS * D::PER_WORD;
    let mut buffer = [0.0f32; WORDS * MOST_PER_WORD];
    let mut done = 0;
    while done < len {
        let position = position0 + done as u64;
        let skip = (position % group as u64) as usize;
        let n = (group - skip).min(len - done);
        // SAFETY: a whole group goes to `out`, which has room for `group` floats more, and any
        // other through the buffer, of which skip + n floats exist.
        unsafe {
            let target = if n == group { out.add(done) } else { buffer.as_mut_ptr() };
            let mut lane = 0;
            while lane < 16 {
                let block = position / group as u64 * 16 + lane as u64;
                let words = philox::blocks(s, stream, block);
                for turn in 0..D::PER_WORD {
                    let target = target.add(turn * WORDS + lane);
                    let numbers = draw.draw(s, words, turn);
                    s.store(target, numbers[0]);
                    s.store(target.add(16), numbers[1]);
                    s.store(target.add(32), numbers[2]);
                    s.store(target.add(48), numbers[3]);
                }
                lane += S::LANES;
            }
            if n < group {
                std::ptr::copy_nonoverlapping(buffer.as_ptr().add(skip), out.add(done), n);
            }
        }
        done += n;
    }
}
