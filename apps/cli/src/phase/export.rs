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
    /// File for C99 and C++, complete in itself
    #[arg(long, value_name = "FILE")]
    c_header: Option<PathBuf>,
    /// What the names in the C header begin with [default: the name of its file]
    #[arg(long, value_name = "NAME", requires = "c_header")]
    prefix: Option<String>,
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
        let header = self.c_header.as_deref().map(|path| {
            let prefix = self.prefix.clone().unwrap_or_else(|| prefix_of(path));
            classifier.c_header(&prefix)
        });
        let header = header.transpose()?;
        self.out.iter().try_for_each(|path| write(path, &graph))?;
        if let (Some(path), Some(header)) = (&self.c_header, header) {
            write(path, header.as_bytes())?;
        }
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

/// What names in C begin with that are told by a file's: its letters, digits and underscores, up to the first dot.
fn prefix_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let prefix: String = stem.chars().map(plain).take(30).collect();
    let is_name = prefix.starts_with(|c: char| c.is_ascii_alphabetic());
    if is_name { prefix } else { format!("phase_{}", prefix.trim_start_matches('_')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_give_names() {
        for (file, prefix) in [
            ("a/digits.h", "digits"),
            ("My-model v2.1.h", "My_model_v2"),
            ("8x8.h", "phase_8x8"),
            ("_é.h", "phase_"),
            (".h", "phase_"),
        ] {
            assert_eq!(prefix_of(Path::new(file)), prefix, "{file}");
        }
        assert_eq!(prefix_of(Path::new(&"x".repeat(99))).len(), 30);
    }
}
