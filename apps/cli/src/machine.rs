//! The machine that a result was made on, and `bessemer machine`, which measures it.

use bessemer::kernels::{isa, peak, simd};
use bessemer::plan::{Entry, Pool, Roofline};
use serde::Serialize;

use crate::error::Result;
use crate::number;
use crate::run::RunArgs;

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
    memory("MemAvailable:")
}

fn memory(what: &str) -> Option<u64> {
    size(&std::fs::read_to_string("/proc/meminfo").ok()?, what)
}

/// The memory of this process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessMemory {
    /// What it holds now.
    pub resident: u64,
    /// The most it has held.
    pub peak: u64,
}

/// The memory of this process, as far as the system tells (Linux).
pub fn process_memory() -> Option<ProcessMemory> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(ProcessMemory { resident: size(&text, "VmRSS:")?, peak: size(&text, "VmHWM:")? })
}

/// Bytes from a line such as `VmRSS:  1234 kB`.
fn size(text: &str, what: &str) -> Option<u64> {
    let size = text.lines().find_map(|line| line.strip_prefix(what))?;
    let kilobytes: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The instruction set in force, as people write it.
fn instructions() -> String {
    let mut names = vec![match isa::isa() {
        isa::Isa::Scalar => "scalar",
        isa::Isa::Portable => "portable",
        isa::Isa::Avx2 => "AVX2",
        isa::Isa::Avx512 => "AVX-512",
        isa::Isa::Amx => "AVX-512 with AMX",
    }];
    names.extend(simd::has_pairs().then_some("BF16"));
    names.extend(simd::has_quads().then_some("VNNI"));
    names.join(", ")
}

/// Names with values, for a report.
pub fn facts(threads: usize) -> Vec<(String, String)> {
    [
        ("processor", processor()),
        ("threads", format!("{threads} of {} cores", cores())),
        ("instructions", instructions()),
        ("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("version", format!("bessemer {}", env!("CARGO_PKG_VERSION"))),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into()
}

/// Show what this machine is and measure what it can do
///
/// The rates are those of loops that do nothing else: what any kernel could reach at most.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  bessemer machine --threads 2

With --json:
  {\"processor\", \"cores\", \"threads\", \"isa\", \"caches\": [{\"level\", \"kind\", \"bytes\"}], \"memory_bytes\",
   \"f32_gflops\", \"bf16_gflops\", \"int8_gops\", \"read_gb_per_s\": {\"cached\", \"one\", \"all\"}}
Rates are a core's; those of missing instructions are null.")]
pub struct MachineCommand {
    #[command(flatten)]
    run: RunArgs,
}

/// A cache of the first core.
#[derive(Debug, Serialize)]
pub struct Cache {
    level: u32,
    kind: String,
    bytes: u64,
}

/// What was found and measured.
#[derive(Debug, Serialize)]
pub struct Machine {
    processor: String,
    cores: usize,
    threads: usize,
    isa: &'static str,
    caches: Vec<Cache>,
    memory_bytes: Option<u64>,
    /// Rates are those of one core.
    f32_gflops: f64,
    bf16_gflops: Option<f64>,
    int8_gops: Option<f64>,
    read_gb_per_s: Reading,
}

#[derive(Debug, Serialize)]
struct Reading {
    cached: f64,
    one: f64,
    all: f64,
}

/// Memory that is read through to measure bandwidth: more than caches hold, and no strain on a small machine.
const READ_FLOATS: usize = 64 << 20;
/// What fits the second-level cache of one core, and not the first.
const SECOND_LEVEL: usize = 128 << 10;
/// Bytes of the last cache where the system doesn't tell.
const LAST_LEVEL: u64 = 16 << 20;

impl Machine {
    /// Measures; takes about half a second.
    pub fn measure(pool: &Pool) -> Machine {
        let giga = |rate: f64| rate * 1e-9;
        Machine {
            processor: processor(),
            cores: cores(),
            threads: pool.threads(),
            isa: isa::isa().name(),
            caches: caches(),
            memory_bytes: memory("MemTotal:"),
            f32_gflops: giga(peak::measure_flops(20)),
            bf16_gflops: peak::measure_bf16_flops(20).map(giga),
            int8_gops: peak::measure_int8_ops(20).map(giga),
            read_gb_per_s: Reading {
                cached: giga(peak::measure_bandwidth(&Pool::new(1), SECOND_LEVEL, 200)),
                one: giga(peak::measure_bandwidth(&Pool::new(1), READ_FLOATS, 3)),
                all: giga(peak::measure_bandwidth(pool, READ_FLOATS, 3)),
            },
        }
    }

    /// The least seconds for what an entry did, on one core: its arithmetic at the measured peak, or its operands at the
    /// measured bandwidth of the second-level cache, or of memory if not even the last cache holds them.
    pub fn floor(&self, entry: &Entry) -> f64 {
        let rate = match entry.kernel {
            kernel if kernel.starts_with("bf16") => self.bf16_gflops,
            kernel if kernel.starts_with("int8") => self.int8_gops,
            _ => None,
        };
        let rates = &self.read_gb_per_s;
        let last = self.caches.iter().map(|cache| cache.bytes).max().unwrap_or(LAST_LEVEL);
        let fits = entry.bytes / entry.calls.max(1.0) <= last as f64;
        let bytes = if fits { rates.cached } else { rates.one };
        entry.floor(Roofline { flops: 1e9 * rate.unwrap_or(self.f32_gflops), bytes: 1e9 * bytes })
    }

    fn render(&self) -> String {
        let caches: Vec<String> =
            self.caches.iter().map(|c| format!("L{}{} {}", c.level, c.kind, binary_bytes(c.bytes))).collect();
        let rate = |rate: Option<f64>, unit: &str| {
            rate.map_or("no instructions for it".into(), |rate| format!("{rate:.0} {unit} a core"))
        };
        let unknown = || "unknown".to_string();
        let lines = [
            ("processor", self.processor.clone()),
            ("cores", format!("{}, {} used", self.cores, self.threads)),
            ("instructions", instructions()),
            ("caches", if caches.is_empty() { unknown() } else { caches.join(", ") }),
            ("memory", self.memory_bytes.map_or_else(unknown, |bytes| number::bytes(bytes.into()))),
            ("f32", rate(Some(self.f32_gflops), "GFLOP/s")),
            ("bf16", rate(self.bf16_gflops, "GFLOP/s")),
            ("int8", rate(self.int8_gops, "GOP/s")),
            (
                "reading memory",
                format!(
                    "{:.0} GB/s on one thread, {:.0} on {}; {:.0} from the second-level cache",
                    self.read_gb_per_s.one, self.read_gb_per_s.all, self.threads, self.read_gb_per_s.cached,
                ),
            ),
        ];
        lines.map(|(name, value)| format!("{name:<16}{value}\n")).concat()
    }
}

impl MachineCommand {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let machine = Machine::measure(&self.run.pool()?);
        if let Some(json) = &self.run.json {
            json.write(&machine)?;
        }
        self.run.print(&machine.render())
    }
}

/// Sizes of caches are powers of two.
fn binary_bytes(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 20 => format!("{} MiB", b >> 20),
        b => format!("{} KiB", b >> 10),
    }
}

/// The data caches of the first core, as far as the system tells.
fn caches() -> Vec<Cache> {
    let read = |index: usize, what: &str| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}");
        std::fs::read_to_string(path).ok().map(|text| text.trim().to_string())
    };
    let cache = |index: usize| {
        let size = read(index, "size")?;
        let (digits, unit) = size.split_at(size.len().checked_sub(1)?);
        let unit = match unit {
            "K" => 1 << 10,
            "M" => 1 << 20,
            _ => return None,
        };
        let kind = match read(index, "type")?.as_str() {
            "Data" => "d",
            "Unified" => "",
            _ => return None,
        };
        let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
        Some(Cache { level: read(index, "level")?.parse().ok()?, kind: kind.into(), bytes })
    };
    (0..8).filter_map(cache).collect()
}
