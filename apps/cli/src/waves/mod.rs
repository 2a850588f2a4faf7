//! `bessemer waves`.

mod compare;
mod evaluate;
mod fit;
mod render;
mod scored;
mod signal;
mod training;

pub use compare::Compared;
pub use scored::{Scored, packet_numbers};

use crate::error::Result;

/// Fit compact models to signals: sounds, images, fields, columns of a table
#[derive(clap::Subcommand)]
#[command(after_help = "\
Example:
  bessemer waves fit speech.wav --packets 400 --out speech-model
  bessemer waves render speech-model --out again.wav
  bessemer waves compare glitchy-chirp --models packets,siren,rff --parameters 145 --seeds 5")]
pub enum Waves {
    Fit(Box<fit::Fit>),
    Evaluate(evaluate::Evaluate),
    Render(render::Render),
    Compare(Box<compare::Compare>),
}

impl Waves {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        match self {
            Waves::Fit(fit) => fit.run(),
            Waves::Evaluate(evaluate) => evaluate.run(),
            Waves::Render(render) => render.run(),
            Waves::Compare(compare) => compare.run(),
        }
    }
}
