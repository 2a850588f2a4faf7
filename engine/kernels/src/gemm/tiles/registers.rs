//! The tile registers of AMX: eight, of 16 lines of 64 bytes.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;

use super::parts::Parts;

/// Makes all eight tiles 16 lines of 64 bytes.
///
/// # Safety
/// The processor must have tile registers, and the system must allow them.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn configure() {
    #[repr(align(64))]
    struct Config([u8; 64]);
    static CONFIG: Config = {
        let mut config = [0; 64];
        config[0] = 1; // the palette
        let mut tile = 0;
        while tile < 8 {
            config[16 + 2 * tile] = 64; // bytes of a line
            config[48 + tile] = 16; // lines
            tile += 1;
        }
        Config(config)
    };
    // SAFETY: the caller's promise.
    unsafe { asm!("ldtilecfg [{}]", in(reg) CONFIG.0.as_ptr(), options(nostack, readonly, preserves_flags)) };
}

/// Gives the tiles back, so that the system need not keep them for this thread.
///
/// # Safety
/// As [`configure`].
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn release() {
    // SAFETY: the caller's promise; nothing is expected of tiles any more.
    unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn configure() {}

#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn release() {}

#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn multiply(
    _: Parts,
    _: (bool, bool),
    _: usize,
    _: *const f32,
    _: *const f32,
    _: *mut f32,
) {
    unreachable!("no tile registers")
}

/// Sums of products of A's and B's parts over `steps` steps, for one or two tiles of rows and of columns: rows
/// of one or two lines each, one after the other.
///
/// # Safety
/// Tiles must be configured, parts readable for so many steps, and `sums` writable for the tiles.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn multiply(
    parts: Parts,
    two: (bool, bool),
    steps: usize,
    a: *const f32,
    b: *const f32,
    sums: *mut f32,
) {
    macro_rules! zero {
        (1 1) => {
            "tilezero tmm0\n"
        };
        (1 2) => {
            "tilezero tmm0\n tilezero tmm1\n"
        };
        (2 1) => {
            "tilezero tmm0\n tilezero tmm2\n"
        };
        (2 2) => {
            "tilezero tmm0\n tilezero tmm1\n tilezero tmm2\n tilezero tmm3\n"
        };
    }
    macro_rules! load_a {
        (1 $at:literal) => { concat!("tileloadd tmm4, [{a} + {line} + ", $at, "]\n") };
        (2 $at:literal) => {
            concat!(load_a!(1 $at), "tileloadd tmm5, [{a} + {line} + ", $at, " + 1024]\n")
        };
    }
    macro_rules! load_b {
        (1 $at:literal) => { concat!("tileloadd tmm6, [{b} + {line} + ", $at, "]\n") };
        (2 $at:literal) => {
            concat!(load_b!(1 $at), "tileloadd tmm7, [{b} + {line} + ", $at, " + 1024]\n")
        };
    }
    macro_rules! add {
        (1 1) => { "tdpbf16ps tmm0, tmm4, tmm6\n" };
        (1 2) => { concat!(add!(1 1), "tdpbf16ps tmm1, tmm4, tmm7\n") };
        (2 1) => { concat!(add!(1 1), "tdpbf16ps tmm2, tmm5, tmm6\n") };
        (2 2) => {
            concat!(add!(1 2), "tdpbf16ps tmm2, tmm5, tmm6\n", "tdpbf16ps tmm3, tmm5, tmm7\n")
        };
    }
    macro_rules! store {
        (1 1) => { "tilestored [{c} + {row}], tmm0\n" };
        (1 2) => { concat!(store!(1 1), "tilestored [{c} + {row} + 64], tmm1\n") };
        (2 1) => { concat!(store!(1 1), "tilestored [{c} + {row} + 1024], tmm2\n") };
        (2 2) => {
            concat!(
                store!(1 2),
                "tilestored [{c} + {row} + 2048], tmm2\n",
                "tilestored [{c} + {row} + 2112], tmm3\n",
            )
        };
    }
    // High parts are at 0, middle ones at 2048, low ones at 4096.
    macro_rules! block {
        (One $rows:tt $columns:tt) => {
            concat!(
                load_a!($rows "0"), load_b!($columns "0"), add!($rows $columns),
                "add {a}, 2048\n add {b}, 2048",
            )
        };
        (Three $rows:tt $columns:tt) => {
            concat!(
                load_a!($rows "0"), load_b!($columns "4096"), add!($rows $columns),
                load_b!($columns "2048"), add!($rows $columns),
                load_b!($columns "0"), add!($rows $columns),
                load_a!($rows "4096"), add!($rows $columns),
                load_a!($rows "2048"), add!($rows $columns),
                load_b!($columns "2048"), add!($rows $columns),
                "add {a}, 6144\n add {b}, 6144",
            )
        };
    }
    macro_rules! tiles {
        ($parts:tt $rows:tt $columns:tt) => {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    zero!($rows $columns),
                    "2:",
                    block!($parts $rows $columns),
                    "dec {steps}",
                    "jnz 2b",
                    store!($rows $columns),
                    a = inout(reg) a => _,
                    b = inout(reg) b => _,
                    steps = inout(reg) steps => _,
                    c = in(reg) sums,
                    line = in(reg) 64_usize,
                    row = in(reg) 64 * $columns as usize,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                )
            }
        };
    }
    match (parts, two) {
        (Parts::One, (true, true)) => tiles!(One 2 2),
        (Parts::One, (true, false)) => tiles!(One 2 1),
        (Parts::One, (false, true)) => tiles!(One 1 2),
        (Parts::One, (false, false)) => tiles!(One 1 1),
        (Parts::Three, (true, true)) => tiles!(Three 2 2),
        (Parts::Three, (true, false)) => tiles!(Three 2 1),
        (Parts::Three, (false, true)) => tiles!(Three 1 2),
        (Parts::Three, (false, false)) => tiles!(Three 1 1),
    }
}
