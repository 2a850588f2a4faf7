//! `bessemer waves evaluate`.

use std::path::PathBuf;

use bessemer::waves::{Split, WaveFitter};

use super::scored::Scored;
use super::signal::SignalArgs;
use crate::error::Result;
use crate::run::RunArgs;

/// Score a saved model on all points of a signal
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  bessemer waves evaluate speech-model speech.wav

With --json: as `waves fit`, without what is of a training.")]
pub struct Evaluate {
    /// Folder of the model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    signal: SignalArgs,
    #[command(flatten)]
    run: RunArgs,
}

impl Evaluate {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let pool = self.run.pool()?;
        let mut fitted = WaveFitter::load(&self.model)?;
        let signal = self.signal.signal()?;
        let outcome = fitted.evaluate(&signal, &Split::all(&signal), &pool)?;
        let packets = fitted.packets(&signal);
        let mut scored = Scored::new(self.signal.name(), signal.len(), &fitted, &outcome, packets);
        // Nothing was trained here, and which points were once held out is not known: they are just points.
        for score in &mut scored.scores {
            score.part = match score.part.as_str() {
                "training" => "all".into(),
                part => part.split(',').next().unwrap_or(part).to_string(),
            };
        }
        if let Some(json) = &self.run.json {
            json.write(&scored)?;
        }
        self.run.print(&scored.render())
    }
}
