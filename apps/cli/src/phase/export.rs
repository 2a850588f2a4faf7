//! `bessemer phase export`.

use std::path::{Path, PathBuf};

use bessemer::phase::Classifier;
use bessemer::phase::reader::Needs;
use bessemer::train::write_whole;
use serde::Serialize;

use crate::error::{CliError, Result};
use crate::run::RunArgs;
use crate::{interrupt, number, output};

/// Write a phase graph for small devices: one file for the Rust reader, or a C header
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer phase export digits-model --out digits.phase --c-header digits.h

With --json:
  {\"bytes\", \"memory_bytes\", \"multiplications\", \"messages_max\"}
  memory_bytes is what it works in besides; multiplications are those of the adapter for a sample,
  messages_max is how many can be worked out in one step, of 2D additions and D multiplications each.")]
pub struct Export {
    /// Folder of the model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// File for bessemer-phase-reader
    #[arg(long, value_name = "FILE", required_unless_present = "c_header")]
    out: Option<PathBuf>,
    /// File for C99, complete in itself
    #[arg(long, value_name = "FILE")]
    c_header: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Serialize)]
struct Exported {
    bytes: usize,
    memory_bytes: usize,
    multiplications: usize,
    messages_max: usize,
}

impl Export {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        self.run.pool()?;
        let files = [self.out.as_deref(), self.c_header.as_deref()];
        files.into_iter().flatten().try_for_each(output::check_file)?;
        output::check_distinct(&[("--out", self.out.as_deref()), ("--c-header", self.c_header.as_deref())])?;
        let classifier = Classifier::load(&self.model)?;
        let graph = classifier.export();
        let write = |path: &Path, bytes: &[u8]| {
            let _hold = interrupt::writing();
            write_whole(path, |file| file.write_all(bytes)).map_err(CliError::output(path, "write the file"))
        };
        self.out.iter().try_for_each(|path| write(path, &graph))?;
        self.c_header.iter().try_for_each(|path| write(path, classifier.network.c_header().as_bytes()))?;
        let shape = classifier.network.view().shape;
        let exported = Exported {
            bytes: graph.len(),
            memory_bytes: Needs::of(&shape).bytes(),
            multiplications: shape.rows() * shape.features,
            messages_max: shape.edges + (shape.nodes - shape.outputs) * shape.radiation,
        };
        if let Some(json) = &self.run.json {
            json.write(&exported)?;
        }
        self.run.print(&format!(
            "{}, and {} to work in; a sample takes {} multiplications of 8-bit numbers, and at most {} in each step\n",
            number::bytes(exported.bytes as u128),
            number::bytes(exported.memory_bytes as u128),
            number::count(exported.multiplications),
            number::counted(exported.messages_max, "message"),
        ))
    }
}
