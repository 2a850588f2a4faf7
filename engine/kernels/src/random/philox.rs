//! The Philox-4x32-10 generator.

use super::Stream;
use crate::simd::Simd;

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// The key of a stream, and the upper half of its counters.
#[inline(always)]
fn layout(stream: Stream) -> ([u32; 2], [u32; 2]) {
    let (seed, step) = (stream.seed, stream.step);
    // No run reaches step 2^32, so the upper half only has to have some effect.
    ([seed as u32, (seed >> 32) as u32 ^ (step >> 32) as u32], [step as u32, stream.site])
}

/// The four words of blocks `block + lane`, `LANES` of them; `block` is a multiple of `LANES`.
#[inline(always)]
pub(super) fn blocks<S: Simd>(s: S, stream: Stream, block: u64) -> [S::I; 4] {
    let (mut key, upper) = layout(stream);
    let splat = |x: u32| s.splat_i(x as i32);
    let mut c = [
        s.add_i(splat(block as u32), s.iota()),
        splat((block >> 32) as u32),
        splat(upper[0]),
        splat(upper[1]),
    ];
    let multipliers = [splat(MULTIPLIERS[0]), splat(MULTIPLIERS[1])];
    let mut round = 0;
    while round < ROUNDS {
        c = [
            s.xor_i(s.xor_i(s.mul_high_i(multipliers[1], c[2]), c[1]), splat(key[0])),
            s.mul_i(multipliers[1], c[2]),
            s.xor_i(s.xor_i(s.mul_high_i(multipliers[0], c[0]), c[3]), splat(key[1])),
            s.mul_i(multipliers[0], c[0]),
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        round += 1;
    }
    c
}

/// One block, from its counter and key.
fn block(mut c: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let first = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let second = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        c = [
            (second >> 32) as u32 ^ c[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ c[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    c
}

/// The word at a position.
pub(super) fn word_at(stream: Stream, position: u64) -> u32 {
    let (key, upper) = layout(stream);
    let number = position / 64 * 16 + position % 16;
    let words = block([number as u32, (number >> 32) as u32, upper[0], upper[1]], key);
    words[(position / 16 % 4) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors publish with Random123.
    #[test]
    fn blocks_match_the_published_answers() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let key = [0xa409_3822, 0x299f_31d0];
        assert_eq!(block(pi, key), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
