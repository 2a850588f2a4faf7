//! Which instruction set the kernels use: chosen once at start-up, forced by `BESSEMER_ISA`.

use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;

/// An instruction set that every kernel has a body for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// One float at a time: what the others are measured against. Never chosen by itself.
    Scalar,
    /// Plain Rust over arrays of 8, which the compiler vectorises for its baseline target.
    Portable,
    /// AVX2 with FMA: 8 floats a vector.
    Avx2,
    /// AVX-512 (F, VL, BW, DQ): 16 floats a vector.
    Avx512,
    /// AVX-512 with tile registers (AMX) for products of matrices.
    Amx,
}

impl Isa {
    /// The name that `BESSEMER_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Amx => "amx",
        }
    }

    /// Every instruction set this machine can run, slowest first, but for the scalar one.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)] // only x86-64 adds to it
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if avx2 {
                all.push(Isa::Avx2);
            }
            if avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
            {
                all.push(Isa::Avx512);
                if has_tiles() {
                    all.push(Isa::Amx);
                }
            }
        }
        all
    }

    /// Runs `body` with this instruction set on the calling thread (for tests and benches).
    ///
    /// # Panics
    /// If the machine lacks it: see [`Isa::available`].
    pub fn force<R>(self, body: impl FnOnce() -> R) -> R {
        assert!(self == Isa::Scalar || Isa::available().contains(&self), "this machine has no {self}");
        let before = FORCED.replace(Some(self));
        let result = body();
        FORCED.set(before);
        result
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The instruction set in force on this thread.
#[inline]
pub fn isa() -> Isa {
    FORCED.get().unwrap_or_else(|| match chosen() {
        Ok(isa) => isa,
        Err(_) => best(),
    })
}

/// The instruction set chosen at start-up, or why `BESSEMER_ISA` cannot be honoured.
pub fn chosen() -> Result<Isa, String> {
    static CHOSEN: OnceLock<Result<Isa, String>> = OnceLock::new();
    CHOSEN
        .get_or_init(|| match std::env::var("BESSEMER_ISA") {
            Err(_) => Ok(best()),
            Ok(name) => {
                let mut available = Isa::available();
                available.insert(0, Isa::Scalar);
                available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
                    let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
                    format!("BESSEMER_ISA={name}: this machine has {}", names.join(", "))
                })
            }
        })
        .clone()
}

/// Whether the processor multiplies tiles of bf16 numbers, and the system lets this process do so.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn has_tiles() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    static TILES: OnceLock<bool> = OnceLock::new();
    *TILES.get_or_init(|| {
        const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
        let has = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & BF16_AND_TILES == BF16_AND_TILES;
        // Linux asks to be asked, as the registers take 8 KiB of a thread's state.
        const REQUEST: i32 = 0x1023;
        const TILE_DATA: i32 = 18;
        // SAFETY: the call takes two numbers and changes what this process may use, no memory.
        has && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) } == 0
    })
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn has_tiles() -> bool {
    false
}

fn best() -> Isa {
    static BEST: OnceLock<Isa> = OnceLock::new();
    *BEST.get_or_init(|| Isa::available().pop().unwrap_or(Isa::Portable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forcing_an_isa_holds_for_the_body_only() {
        let before = isa();
        for forced in [vec![Isa::Scalar], Isa::available()].concat() {
            assert_eq!(forced.force(isa), forced);
        }
        assert_eq!(isa(), before);
    }
}
