//! Options that every command has: threads, seed, how much is said and where results go.

use bessemer::kernels::{isa, simd};
use bessemer::plan::Pool;

use crate::error::{CliError, Result};
use crate::machine;
use crate::number;
use crate::output::JsonTarget;
use crate::precision::PrecisionName;

/// More threads than this are a slip of the keyboard.
const THREADS_MAX: usize = 1024;

/// How a command runs.
#[derive(clap::Args, Debug)]
pub struct RunArgs {
    /// Threads to use; results do not depend on them [default: one for each core]
    #[arg(long, value_parser = number::whole::<usize>, value_name = "N", help_heading = "Running")]
    pub threads: Option<usize>,
    /// Show no progress and no notes
    #[arg(long, short, help_heading = "Running")]
    pub quiet: bool,
    /// Write the result as JSON; with `-` to stdout, where then nothing else is printed
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse, help_heading = "Running")]
    pub json: Option<JsonTarget>,
}

impl RunArgs {
    /// The threads to work with. Also refuses, before any work, what could not be honoured later.
    pub fn pool(&self) -> Result<Pool> {
        isa::chosen().map_err(|problem| {
            CliError::argument(
                "environment",
                problem,
                "choose one of those, or unset BESSEMER_ISA for the fastest",
            )
        })?;
        let cores = machine::cores();
        let threads = self.threads.unwrap_or(cores);
        if threads == 0 || threads > THREADS_MAX {
            return Err(CliError::argument(
                format!("--threads {threads}"),
                format!("it must be from 1 to {THREADS_MAX}"),
                format!("leave it out to use all cores, here {cores}"),
            ));
        }
        self.json.iter().try_for_each(JsonTarget::check)?;
        Ok(Pool::new(threads))
    }

    /// Whether stdout is kept for JSON.
    pub fn json_on_stdout(&self) -> bool {
        matches!(self.json, Some(JsonTarget::Stdout))
    }

    /// Prints something for people, unless stdout is kept for JSON.
    pub fn print(&self, text: &str) -> Result<()> {
        if self.json_on_stdout() { Ok(()) } else { crate::output::print(text) }
    }

    /// Says so where a precision was asked for that few products run in, or that is slow on this processor.
    pub fn note_precision(&self, precision: PrecisionName, (reduced, all): (usize, usize)) {
        if precision == PrecisionName::F32 {
            return;
        }
        if reduced < all {
            let many = if reduced == 0 { "none".into() } else { number::count(reduced) };
            self.note(&format!(
                "note: {many} of {} in {precision}; the others stay in f32, as they have few rows or a short side",
                number::counted_as(all, "kind of product runs", "kinds of products run"),
            ));
        }
        let missing = match precision {
            PrecisionName::Bf16 if !simd::has_pairs() => "bf16 pairs (AVX-512 BF16)",
            PrecisionName::Int8 if !simd::has_quads() => "8-bit products (VNNI)",
            PrecisionName::F16 => "f16 products",
            _ => return,
        };
        if reduced > 0 {
            self.note(&format!(
                "note: no instruction in use for {missing}: {precision} is slower than f32 here"
            ));
        }
    }

    /// Prints a note on stderr, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            crate::dashboard::close();
            eprintln!("{text}");
        }
    }
}
