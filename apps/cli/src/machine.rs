//! The machine that a result was made on.

use bessemer::kernels::isa;

/// The cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processor's name, as far as the system tells.
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_string(), |(_, name)| name.trim().to_string())
}

/// Bytes of memory that are free, as far as the system tells.
pub fn memory_free() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let free = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = free.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Names with values, for a report.
pub fn facts(threads: usize) -> Vec<(String, String)> {
    let bits = match isa::isa() {
        isa::Isa::Portable => "portable",
        isa::Isa::Avx2 => "AVX2",
        isa::Isa::Avx512 => "AVX-512",
    };
    [
        ("processor", processor()),
        ("threads", format!("{threads} of {} cores", cores())),
        ("instructions", bits.to_string()),
        ("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("version", format!("bessemer {}", env!("CARGO_PKG_VERSION"))),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into()
}
