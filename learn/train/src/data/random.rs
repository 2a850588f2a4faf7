//! Random words as a function of where they are needed.

pub(super) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(GOLDEN);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// The word of a position in an epoch.
pub(super) fn word(seed: u64, epoch: u64, position: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(epoch)).wrapping_add(position))
}

/// The seed of one of several permutations that have the same seed.
pub(super) fn seed_of(seed: u64, which: usize) -> u64 {
    mix(seed ^ mix(which as u64))
}
