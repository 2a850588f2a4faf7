//! `bessemer waves render`.

use std::path::PathBuf;

use bessemer::waves::{self, WaveFitter, write};

use crate::error::{CliError, Result};
use crate::interrupt;
use crate::number;
use crate::output;
use crate::run::RunArgs;

/// Write the signal that a saved model stands for, which needs no signal
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  bessemer waves render speech-model --out again.wav
  bessemer waves render photo-model --size 1024,1024 --out larger.png")]
pub struct Render {
    /// Folder of the model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The file to write: .csv, and .wav of a sound, .png of an image
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Points along each axis [default: as many as the signal had that the model was fitted to; of a table with
    /// several axes there is none]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = number::whole::<usize>)]
    size: Option<Vec<usize>>,
    #[command(flatten)]
    run: RunArgs,
}

impl Render {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        output::check_file(&self.out)?;
        if self.run.json.is_some() {
            let problem = "there is no result but the file";
            return Err(CliError::argument("--json", problem, "leave it out"));
        }
        let mut fitted = WaveFitter::load(&self.model)?;
        let signal = fitted.render(self.size.as_deref(), &pool).map_err(|error| match error {
            // The library names its options; the command line has its own names for them.
            waves::Error::Option { what: "sizes", problem, remedy } => {
                CliError::argument("--size", problem, remedy)
            }
            error => error.into(),
        })?;
        {
            let _hold = interrupt::writing();
            write(&self.out, &signal)?;
        }
        if self.run.quiet {
            return Ok(());
        }
        let points = number::counted(signal.len(), "point");
        self.run.print(&format!("{points} written to {}\n", self.out.display()))
    }
}
